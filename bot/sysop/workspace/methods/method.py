"""One Web API method: what it needs, and the call it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.messages import Message
from sysop.workspace.state.people import User
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json, decoded

_NUMBER = re.compile(r"[0-9]{1,9}")
FALSE = ("", "0", "false", "False", "no")


class Call:
    """The arguments of one call, read as they are needed, and the world it acts on."""

    def __init__(self, world: World, args: Mapping[str, Any]) -> None:
        self.world = world
        self.args = args
        self.warnings: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """Return an argument as text."""
        value = self.args.get(name)
        return default if value is None else str(value)

    def need(self, name: str) -> str:
        """Return an argument that must be there."""
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return an argument as yes or no; forms carry `1` and `0`."""
        value = self.args.get(name)
        return default if value is None else (str(value) not in FALSE if isinstance(value, str) else bool(value))

    def number(self, name: str, default: int, most: int) -> int:
        """Return an argument as a number from 1 to `most`."""
        value = self.text(name)
        if not value:
            return default
        if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= most:
            raise SlackError("invalid_limit" if name == "limit" else "invalid_arguments", [f"[ERROR] {name}: {value}"])
        return int(value)

    def words(self, name: str) -> list[str]:
        """Return a list that may come joined by commas."""
        value = self.args.get(name) or []
        found = value.split(",") if isinstance(value, str) else value
        if not isinstance(found, list):
            raise SlackError("invalid_arguments", [f"[ERROR] must be a list [json-pointer:/{name}]"])
        return [str(word).strip() for word in found if str(word).strip()]

    def structured(self, name: str, error: str) -> Any:
        """Return an argument that is an object or a list, which forms carry as JSON text."""
        value = self.args.get(name)
        return None if value == "" else decoded(value, error)

    def scope(self, *names: str) -> None:
        """Refuse unless one of these scopes is granted."""
        granted = self.world.app.granted
        if names and not granted.intersection(names):
            raise SlackError("missing_scope", needed=",".join(names), provided=",".join(sorted(granted)))

    def channel(self, name: str = "channel", *, member: bool = True, family: str | None = None) -> Channel:
        """Return a channel the bot may act in, by its id. `family` names the scope for its kind, as `history`."""
        return self._channel(self.world.channels.get(self.need(name)), member, family)

    def _channel(self, channel: Channel | None, member: bool, family: str | None) -> Channel:
        inside = channel is not None and self.world.app.user_id in channel.members
        if channel is None or (channel.kind != "channel" and not inside):
            raise SlackError("channel_not_found")
        if family is not None:
            self.scope(channel.scope(family))
        if member and not inside:
            raise SlackError("not_in_channel")
        return channel

    def open_channel(self, name: str = "channel", *, loosely: bool = False) -> Channel:
        """Return a channel the bot may write in. `loosely` takes its name too, and a person for their messages."""
        key = self.need(name)
        user = self.world.people.get(key) if loosely else None
        if user is not None and not user.is_bot:
            return self.world.open_dm(user.id)
        find = self.world.channels.named if loosely else self.world.channels.get
        channel = self._channel(find(key), True, None)
        if channel.archived:
            raise SlackError("is_archived")
        return channel

    def user(self, name: str = "user") -> User:
        """Return a person named by an argument."""
        user = self.world.people.get(self.need(name))
        if user is None:
            raise SlackError("user_not_found")
        return user

    def message(self, channel: Channel, name: str = "ts") -> Message:
        """Return a message named by an argument."""
        message = self.world.messages.get(channel.id, self.need(name))
        if message is None or message.subtype == "tombstone":
            raise SlackError("message_not_found")
        return message


def missing(name: str) -> SlackError:
    """Return the refusal of a call that lacks an argument."""
    return SlackError("invalid_arguments", [f"[ERROR] missing required field: {name} [json-pointer:/{name}]"])


Handler = Callable[[Call], Json]


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its scopes (any one will do), its tier, and who calls it (None: anybody)."""

    name: str
    handle: Handler
    tier: Tier
    scopes: tuple[str, ...] = ()
    caller: str | None = "bot"
