"""What every control handler starts from: the world, the way to the app, and who acts where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sysop.workspace.delivery.courier import Courier
from sysop.workspace.delivery.envelope import Answer
from sysop.workspace.delivery.socket import Sockets
from sysop.workspace.errors import ControlError
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.messages import Message
from sysop.workspace.state.people import User
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json


@dataclass(frozen=True)
class Desk:
    """Where people's wishes are carried out."""

    world: World
    courier: Courier
    sockets: Sockets

    def person(self, body: Json) -> User:
        """Return who acts, named by id or name."""
        user = self.world.people.named(text(body, "user"))
        if user is None or user.is_bot or user.deleted:
            raise ControlError("user_not_found", f"nobody here is called {body.get('user')!r}")
        return user

    def place(self, body: Json, user: User) -> Channel:
        """Return the channel somebody acts in, named by id or name; they must be in it."""
        channel = self.world.channels.named(text(body, "channel"))
        if channel is None or user.id not in channel.members:
            raise ControlError("not_in_channel", f"{user.name} is not in {body.get('channel')!r}")
        return channel

    def message(self, channel: Channel, ts: str, user: User | None = None) -> Message:
        """Return a message; with a user also one only they see."""
        found = self.world.messages.get(channel.id, ts)
        if found is None and user is not None:
            hidden = self.world.messages.ephemeral(channel.id, ts)
            found = hidden if hidden is not None and hidden.only_for == user.id else None
        if found is None or found.subtype == "tombstone":
            raise ControlError("message_not_found", "that message is gone")
        return found

    def toast(self, user: User, text_: str) -> None:
        """Show somebody a passing note."""
        self.world.feed.publish("toast", user=user.id, text=text_)

    def unanswered(self, user: User, answer: Answer, what: str) -> Json:
        """Tell somebody, as Slack would, that the app did not take what they did."""
        error = "operation_timeout" if answer.as_json()["late"] else "dispatch_failed"
        note = f'{what} failed with the error "{error}"'
        self.toast(user, note)
        return {"ok": False, "error": error, "message": note} | answer.as_json()


def text(body: Json, name: str, default: str | None = None) -> str:
    """Return a text of a request."""
    value: Any = body.get(name, default)
    if not isinstance(value, str):
        raise ControlError("invalid_arguments", f"{name} must be text")
    return value


def objects(body: Json, name: str) -> list[Json]:
    """Return a list of objects of a request; none when it is left out."""
    value: Any = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ControlError("invalid_arguments", f"{name} must be a list of objects")
    return value


def thread_of(desk: Desk, channel: Channel, body: Json) -> str | None:
    """Return the root of the thread a request names, if it names one."""
    ts = body.get("thread_ts")
    if not ts:
        return None
    return desk.message(channel, str(ts)).root
