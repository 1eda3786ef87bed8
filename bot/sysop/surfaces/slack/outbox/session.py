"""Shows in a thread how far the agent is: by agent sessions, else by the older way, else by a pair of eyes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from sysop.surfaces.slack.outbox import rates
from sysop.surfaces.slack.outbox.failures import CallFailed, Kind
from sysop.surfaces.slack.outbox.sending import Sending
from sysop.surfaces.slack.text import cut

EYES: Final = "eyes"
WORKING: Final = "is working on it …"
TITLE: Final = 200
_DONE: Final = ("already_reacted",)

log = logging.getLogger(__name__)


class Sessions:
    """Remembers for each workspace which ways it has refused, so that it is not asked again at every step."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}

    async def show(self, s: Sending, status: str, title: str, user: str | None) -> None:
        """Say how far the agent is. It is a courtesy: whatever goes wrong holds nothing up."""
        team, talk = s.line.identity.team, s.talk
        thread = talk.root
        if thread is None:
            return
        name = cut(title, TITLE, "…").replace(":", " –")
        older = WORKING if status == "processing" else ""
        ways: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            (rates.STATUS, lambda: s.line.session(talk.channel, thread, status, name, user)),
            (rates.OLD_STATUS, lambda: s.line.old_session(talk.channel, thread, older)),
        ]
        if status == "processing":
            ways.append((rates.REACT, lambda: s.line.react(talk.channel, thread, EYES)))
        for number, (method, way) in enumerate(ways):
            if number < self._refused.get(team, 0):
                continue
            if s.line.room(method) > 0.0 or await self._worked(team, number, way):
                return  # what would have to wait is not said at all

    async def _worked(self, team: str, number: int, way: Callable[[], Awaitable[None]]) -> bool:
        try:
            await way()
        except CallFailed as failed:
            if failed.kind in (Kind.LATER, Kind.DOUBT) or failed.code in _DONE:
                return True
            log.info("the agent's status is not shown by %s (%s)", failed.method, failed.code)
            if failed.code in ("feature_disabled", "not_agent_app", "unknown_method", "missing_scope"):
                self._refused[team] = max(number + 1, self._refused.get(team, 0))
            return False
        return True
