"""One row on its way: what is known about it, and how what happened to it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import Connection

from sysop.store import outbox
from sysop.store.conversations import Conversation
from sysop.store.outbox import Head, Item, Message
from sysop.store.store import Store
from sysop.store.writer import Tx
from sysop.surfaces.slack.blocks.plan import PlanDocument
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.outbox.calls import Line
from sysop.surfaces.slack.outbox.chunks import Written
from sysop.surfaces.slack.outbox.duty import Duty

Probe = Callable[[str], None]
Document = Shown | PlanDocument


class Renderer(Protocol):
    """Reads what messages show."""

    def document(self, conn: Connection, key: str, now: int) -> Document | None:
        """Return what a message shows now, None if there is nothing to show."""
        ...

    def home(self, conn: Connection, key: str, now: int) -> Mapping[str, Any] | None:
        """Return the view of somebody's Home, None if nobody is meant."""
        ...

    def fallback(self, plan: PlanDocument) -> Shown:
        """Return a plan as a message that is posted and updated."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things wait. Tests make it faster."""

    lease_ms: int = 15_000
    doubt_ms: int = outbox.DOUBT_MS
    retry_ms: int = 1_000
    longest_ms: int = 60_000
    update_ms: int = 3_000
    append_ms: int = 1_000
    append_each_ms: int = 700
    rotate_ms: int = 240_000
    token_ms: int = 30_000
    round_ms: int = 50
    drain_s: float = 15.0

    def hurried(self, times: float) -> Pace:
        """Return a pace for a stand-in whose clock runs so many times faster; a lease is no less of a lease there."""
        own = ("lease_ms", "token_ms")
        waits = [name for name in Pace.__dataclass_fields__ if name.endswith("_ms") and name not in own]
        return replace(self, **{name: max(1, round(getattr(self, name) / times)) for name in waits})


class TooEarly(Exception):
    """The row is not to be sent before this time; nothing was called."""

    def __init__(self, not_before: int) -> None:
        super().__init__(f"not before {not_before}")
        self.not_before = not_before


@dataclass(slots=True)
class Sending:
    """A row on its way. `have` are the parts of it that are in the thread already, by number, with their ts.

    `doubtful` means that some of it may be there, so that it must be looked for before it is sent again; `written` is
    what a stream was found to show then.
    """

    head: Head
    store: Store
    line: Line
    duty: Duty
    pace: Pace
    probe: Probe
    streams: int = 0
    now: int = 0
    doubtful: bool = False
    have: Mapping[int, str] = field(default_factory=dict)
    written: Written | None = None

    @property
    def item(self) -> Item:
        """Return the row."""
        return self.head.item

    @property
    def message(self) -> Message | None:
        """Return the message as it stands."""
        return self.head.message

    @property
    def talk(self) -> Conversation:
        """Return the conversation; only a Home has none."""
        assert self.head.conversation is not None
        return self.head.conversation

    @property
    def what(self) -> str:
        """Return how the log calls the row."""
        return self.item.key or f"{self.item.kind} {self.item.id}"

    async def stands(self, ts: str) -> bool:
        """Tell whether a message of this channel is known to be one of ours."""
        place = self.talk.channel
        return await self.store.read(lambda conn: outbox.find_message(conn, place, ts)) is not None

    async def save(self, message: Message) -> None:
        """Store how a message stands before the next call, with its place where it is the thread's first."""

        def unit(tx: Tx) -> None:
            outbox.save_message(tx, message)
            self._root(tx, message.ts)

        await self.duty.write(unit)
        self._note(message)

    async def begun(self, first: Message) -> None:
        """Store a message that stands first in the thread and is another one than the row's."""

        def unit(tx: Tx) -> None:
            outbox.save_message(tx, first)
            self._root(tx, first.ts)

        await self.duty.write(unit)
        self.begins(first.ts)

    async def sent(self, ts: str | None, message: Message | None = None) -> None:
        """Store that the row was told, and how its message stands, in one transaction."""

        def unit(tx: Tx) -> None:
            if message is not None:
                outbox.save_message(tx, message)
            if ts is not None:
                self._root(tx, ts)
            outbox.sent(tx, self.item.id, ts)

        self.probe("answered")
        await self.duty.write(unit)
        if message is not None:
            self._note(message)

    def _root(self, tx: Tx, ts: str) -> None:
        if self.head.conversation is not None:
            outbox.rooted(tx, self.head.conversation.id, self.line.identity.team, ts)

    def _note(self, message: Message) -> None:
        self.head = replace(self.head, message=message)
        self.begins(message.ts)

    def begins(self, ts: str) -> None:
        """Note that the thread has begun, if it had not: the rest of this row goes into it."""
        talk = self.head.conversation
        if talk is not None and talk.root is None:
            self.head = replace(self.head, conversation=replace(talk, root=ts, team=self.line.identity.team))
