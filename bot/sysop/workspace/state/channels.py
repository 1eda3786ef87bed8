"""Channels and direct messages, and who is in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sysop.workspace.wire import Json

_PREFIX = {"channel": "channels", "private": "groups", "dm": "im"}
_EVENT = {"channel": "channels", "private": "groups", "dm": "im"}
_TYPE = {"channel": "channel", "private": "group", "dm": "im"}


@dataclass
class Channel:
    """A place for messages; `kind` is channel, private or dm. `read` holds how far each person has looked."""

    id: str
    name: str
    kind: str
    created: int
    creator: str
    members: list[str] = field(default_factory=list)
    topic: str = ""
    archived: bool = False
    read: dict[str, str] = field(default_factory=dict)
    bookmarks: list[Json] = field(default_factory=list)

    @property
    def type(self) -> str:
        """Return the `channel_type` of events."""
        return _TYPE[self.kind]

    @property
    def event(self) -> str:
        """Return the subscription that covers messages here."""
        return f"message.{_EVENT[self.kind]}"

    def scope(self, family: str) -> str:
        """Return the scope for this kind of channel, such as `channels:history` for `history`."""
        return f"{_PREFIX[self.kind]}:{family}"

    def other(self, user: str) -> str:
        """Return the other one of a direct message."""
        return next((member for member in self.members if member != user), user)


class Channels:
    """Every channel, by id, by name and by whose direct message it is."""

    def __init__(self) -> None:
        self._by_id: dict[str, Channel] = {}

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._by_id.values())

    def add(self, channel: Channel) -> Channel:
        """Add a channel."""
        self._by_id[channel.id] = channel
        return channel

    def get(self, channel_id: str) -> Channel | None:
        """Return a channel by its id."""
        return self._by_id.get(channel_id)

    def named(self, key: str) -> Channel | None:
        """Return a channel by id, or by name with or without its `#`."""
        name = key.removeprefix("#")
        by_name = (channel for channel in self if channel.kind != "dm" and channel.name == name)
        return self.get(key) or next(by_name, None)

    def dm(self, first: str, second: str) -> Channel | None:
        """Return the direct message of two."""
        return next((c for c in self if c.kind == "dm" and set(c.members) == {first, second}), None)
