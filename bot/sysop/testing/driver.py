"""What people can do in a Slack, whichever server plays it: the protocol that drivers follow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, TypeVar

from sysop.testing.seen import Seen

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wire:
    """One thing that passed between server and bot: a Web API call, an envelope to the bot, its answer, or a fault.

    `name` is the method, or the type of an event, command or interaction; `id` tells a delivery from its repeats;
    `problem` is "" where it went well.
    """

    kind: Literal["call", "envelope", "ack", "fault"]
    name: str
    problem: str = ""
    attempt: int = 0
    id: str = ""
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an app needs to connect to a server."""

    api_url: str
    bot_token: str
    app_token: str
    signing_secret: str


class Driver(Protocol):
    """People and what they do. They are named as `lead`, channels as `incidents`, ids are never needed.

    Every act raises Refused where the server, or the bot, does not let it happen, and NotThere for names that nobody
    knows.
    """

    credentials: Credentials
    users: Mapping[str, str]
    """Ids of people by name."""
    channels: Mapping[str, str]
    """Ids of channels by name."""
    groups: Mapping[str, str]
    """Ids of user groups by handle; empty where the server has none."""
    team: str
    bot: str
    """The bot's user id."""

    async def __aenter__(self) -> Self:
        """Connect and learn who and what is there."""
        ...

    async def __aexit__(self, *raised: object) -> None:
        """Let go of the connection."""
        ...

    def can(self, act: str) -> bool:
        """Tell whether the server lets people do something at all, such as `stop` or `shortcut`."""
        ...

    async def say(self, user: str, channel: str, text: str, *, thread: str | None = None, **more: Any) -> str:
        """Write a message and return its ts."""
        ...

    async def command(self, user: str, channel: str, text: str) -> None:
        """Type a slash command."""
        ...

    async def click(self, user: str, on: Seen, label: str) -> None:
        """Press a button, and yes where it asks whether one is sure."""
        ...

    async def submit(self, user: str, form: Seen, values: Mapping[str, Any]) -> None:
        """Fill a form in by its labels and send it. Raises Refused with the errors shown beside the fields."""
        ...

    async def close(self, user: str, form: Seen) -> None:
        """Close a form without sending it."""
        ...

    async def shortcut(self, user: str, name: str, on: Seen | None = None) -> None:
        """Use a shortcut by its name, on a message if it is one for messages."""
        ...

    async def open_home(self, user: str) -> None:
        """Look at the bot's Home."""
        ...

    async def open_messages(self, user: str) -> str:
        """Look at the direct messages with the bot, and return the channel's id."""
        ...

    async def react(self, user: str, on: Seen, emoji: str) -> None:
        """React to a message."""
        ...

    async def stop(self, user: str, on: Seen) -> None:
        """Press Stop in the thread of a message."""
        ...

    async def edit(self, user: str, on: Seen, text: str) -> None:
        """Change one's own message."""
        ...

    async def delete(self, user: str, on: Seen) -> None:
        """Take one's own message back."""
        ...

    async def everything(self, user: str) -> Sequence[Seen]:
        """Return every message somebody sees, in all channels and threads they are in, oldest first."""
        ...

    async def messages(self, user: str, channel: str, thread: str | None = None) -> Sequence[Seen]:
        """Return what somebody sees in a channel, or in a thread of it, oldest first."""
        ...

    async def form(self, user: str) -> Seen | None:
        """Return the form that is open for somebody."""
        ...

    async def home(self, user: str) -> Seen | None:
        """Return the Home as somebody saw it last."""
        ...

    async def wait_for(self, user: str, what: str, look: Callable[[], Awaitable[T | None]], within: float) -> T:
        """Look again whenever something changes for a person, and return what was seen. Raises NotThere."""
        ...

    async def wire(self, after: int = 0) -> tuple[int, Sequence[Wire]]:
        """Return what passed on the wire after a mark, and the next mark."""
        ...

    async def trouble(self, act: str, **what: Any) -> None:
        """Let something go wrong: `faults`, `deliveries`, `sockets`, `clock` and `reset` of our workspace."""
        ...
