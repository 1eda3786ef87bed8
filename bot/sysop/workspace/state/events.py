"""Events for the app: only those it subscribes to, from places it is in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sysop.workspace.clock import Clock
from sysop.workspace.ids import Ids
from sysop.workspace.state.app import App
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.people import People
from sysop.workspace.wire import Json

Sink = Callable[[Json], None]


class Events:
    """Wraps what happens in envelopes and hands them to the delivery."""

    def __init__(self, clock: Clock, ids: Ids, app: App, people: People, team_id: str, hourly: int) -> None:
        self._clock, self._ids, self._app, self._people, self._team_id = clock, ids, app, people, team_id
        self._hourly = hourly
        self._sent: deque[float] = deque()
        self._limited_minute = -1
        self._sink: Sink | None = None

    def deliver_to(self, sink: Sink) -> None:
        """Name who delivers the payloads."""
        self._sink = sink

    def emit(self, event: Json, channel: Channel | None = None, *, subscription: str | None = None) -> None:
        """Tell the app of an event, if it subscribes to it and is in the channel."""
        if self._sink is None or self._app.revoked or not self._app.hears(subscription or event["type"]):
            return
        if channel is not None and self._app.user_id not in channel.members:
            return
        if self._limited():
            return
        self._sink(self._callback(event, channel))

    def farewell(self, event: Json) -> None:
        """Tell the app of an event that ends its access."""
        if self._sink is not None and self._app.hears(event["type"]):
            self._sink(self._callback(event, None))

    def _callback(self, event: Json, channel: Channel | None) -> Json:
        shared = channel is not None and any(
            (user := self._people.get(member)) is not None and user.is_stranger for member in channel.members
        )
        who = {"enterprise_id": None, "team_id": self._team_id, "user_id": self._app.user_id}
        return {
            "token": self._app.verification_token,
            "team_id": self._team_id,
            "api_app_id": self._app.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": self._ids.make("Ev"),
            "event_time": int(self._clock.now()),
            "authorizations": [who | {"is_bot": True, "is_enterprise_install": False}],
            "is_ext_shared_channel": shared,
        }

    def _limited(self) -> bool:
        """Count an event of this hour; over the limit the app is told once a minute instead."""
        now = self._clock.now()
        while self._sent and now - self._sent[0] >= 3600:
            self._sent.popleft()
        if len(self._sent) < self._hourly:
            self._sent.append(now)
            return False
        minute = int(now // 60) * 60
        if minute != self._limited_minute and self._sink is not None:
            self._limited_minute = minute
            self._sink(
                {
                    "token": self._app.verification_token,
                    "type": "app_rate_limited",
                    "team_id": self._team_id,
                    "minute_rate_limited": minute,
                    "api_app_id": self._app.app_id,
                }
            )
        return True
