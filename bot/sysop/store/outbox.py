"""What must still be told, in order within a thread. Written in the transaction of what it tells; sent afterwards.

A row of kind `message` or `home` says only that a message is out of date: what it shows is read when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, text, update

from sysop.store import tables as t
from sysop.store.conversations import Conversation
from sysop.store.rows import upsert
from sysop.store.writer import Tx

DOUBT_MS = 10_000
"""So long after an answer was lost a thread is looked into, so that a post on its way has arrived."""
KEEP_MS = 7 * 24 * 3_600_000
OPEN = ("pending", "sending", "unknown")

ItemKind = Literal["message", "post", "ephemeral", "home", "file"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row. `thread` is what orders it, `key` the message it is about, `payload` what it says itself."""

    id: int
    thread: str
    seq: int
    kind: ItemKind
    key: str | None
    conversation: str | None
    payload: Mapping[str, Any] | None
    state: str
    attempts: int
    ts: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands in the chat. `shown` is what the sender must know to change it, `digest` its content's.

    A `stream` that is `open` is still being written.
    """

    key: str
    conversation: str | None
    channel: str
    ts: str
    kind: Literal["post", "stream"]
    open: bool
    opened_at: int | None
    shown: Mapping[str, Any]
    digest: str


# -- what is to be told ---------------------------------------------------------------------------------------------


def mark(tx: Tx, conversation: Conversation, key: str, *, delay_ms: int = 0) -> None:
    """Note that a message of a conversation is out of date."""
    _mark(tx, conversation.id, "message", key, conversation.id, delay_ms)


def home(tx: Tx, key: str, *, delay_ms: int = 0) -> None:
    """Note that somebody's page is out of date; `key` names it."""
    _mark(tx, key, "home", key, None, delay_ms)


def post(tx: Tx, conversation: Conversation, payload: Mapping[str, Any]) -> int:
    """Say something once in a conversation, `text` and `blocks`; with `root` it becomes its first message."""
    return _add(tx, conversation.id, "post", conversation=conversation.id, payload=dict(payload))


def ephemeral(tx: Tx, conversation: Conversation, user: str, payload: Mapping[str, Any]) -> int:
    """Say something to one user only."""
    return _add(tx, conversation.id, "ephemeral", conversation=conversation.id, payload={**payload, "user": user})


def file(tx: Tx, conversation: Conversation, payload: Mapping[str, Any]) -> int:
    """Share a text as a file: `filename`, `title`, `content`, `comment`."""
    return _add(tx, conversation.id, "file", conversation=conversation.id, payload=dict(payload))


def _mark(tx: Tx, thread: str, kind: ItemKind, key: str, conversation: str | None, delay_ms: int) -> None:
    _lock(tx, thread)
    newest = tx.conn.execute(
        select(t.outbox).where(t.outbox.c.thread == thread).order_by(t.outbox.c.seq.desc())
    ).first()
    if newest is None or newest.key != key or newest.state != "pending":
        _insert(tx, thread, newest.seq + 1 if newest else 1, kind, delay_ms, key=key, conversation=conversation)


def _add(tx: Tx, thread: str, kind: ItemKind, **values: Any) -> int:
    _lock(tx, thread)
    newest = tx.conn.scalar(select(func.max(t.outbox.c.seq)).where(t.outbox.c.thread == thread)) or 0
    return _insert(tx, thread, newest + 1, kind, 0, **values)


def _lock(tx: Tx, thread: str) -> None:
    """Let one transaction at a time add to a thread: the order of the numbers is the order of what happened."""
    if tx.postgres:
        tx.conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": thread})


def _insert(tx: Tx, thread: str, seq: int, kind: ItemKind, delay_ms: int, **values: Any) -> int:
    now = tx.now()
    facts = {"thread": thread, "seq": seq, "kind": kind, "state": "pending", "created_at": now}
    row = insert(t.outbox).values(**facts, not_before=now + delay_ms, **values).returning(t.outbox.c.id)
    return int(tx.conn.execute(row).scalar_one())


# -- sending --------------------------------------------------------------------------------------------------------


def heads(conn: Connection, limit: int = 256) -> list[Item]:
    """Return the first unsent row of every thread whose turn has come, oldest first."""
    first = select(func.min(t.outbox.c.seq)).where(t.outbox.c.state.in_(OPEN))
    outer = t.outbox.alias("head")
    mine = outer.c.seq == first.where(t.outbox.c.thread == outer.c.thread).correlate(outer).scalar_subquery()
    rows = select(outer).where(outer.c.state.in_(OPEN), mine, outer.c.not_before <= Tx(conn).now())
    return [_item(row) for row in conn.execute(rows.order_by(outer.c.created_at, outer.c.id).limit(limit))]


def next_due(conn: Connection) -> int | None:
    """Return when the next row that waits falls due, in milliseconds; None if none waits."""
    found: int | None = conn.scalar(select(func.min(t.outbox.c.not_before)).where(t.outbox.c.state.in_(OPEN)))
    return found


def take(tx: Tx, id: int) -> Item | None:
    """Begin to send a row, durable before the call. None when it is not pending any more."""
    values = {"state": "sending", "attempts": t.outbox.c.attempts + 1}
    mine = (t.outbox.c.id == id) & (t.outbox.c.state == "pending")
    if not tx.conn.execute(update(t.outbox).where(mine).values(**values)).rowcount:
        return None
    return _item(tx.conn.execute(select(t.outbox).where(t.outbox.c.id == id)).one())


def sent(tx: Tx, id: int, ts: str | None) -> None:
    """Note that a row was told, under this name where it has one."""
    _change(tx, id, state="sent", ts=ts, payload=None, error=None, finished_at=tx.now())


def later(tx: Tx, id: int, not_before: int, error: str) -> None:
    """Put a row back that surely was not told."""
    _change(tx, id, state="pending", not_before=not_before, error=error)


def doubt(tx: Tx, id: int, error: str) -> None:
    """Note that a row may have been told: its thread waits until somebody has looked."""
    _change(tx, id, state="unknown", not_before=tx.now() + DOUBT_MS, error=error)


def dead(tx: Tx, id: int, error: str) -> None:
    """Give a row up, with an audit entry that says so: its thread goes on without it."""
    _change(tx, id, state="dead", error=error, finished_at=tx.now())
    tx.audit("system", "outbox.dead", "service:slack", item=id, error=error)


def left_over(tx: Tx) -> int:
    """Put every row into doubt that a sender took and did not finish; for a sender that has just begun."""
    rows = update(t.outbox).where(t.outbox.c.state == "sending")
    return int(tx.conn.execute(rows.values(state="unknown", not_before=tx.now() + DOUBT_MS)).rowcount)


def load(conn: Connection, id: int) -> Item | None:
    """Return a row."""
    row = conn.execute(select(t.outbox).where(t.outbox.c.id == id)).first()
    return _item(row) if row else None


def counts(conn: Connection) -> dict[str, int]:
    """Count rows by state."""
    rows = conn.execute(select(t.outbox.c.state, func.count()).group_by(t.outbox.c.state))
    return {str(state): int(number) for state, number in rows}


def oldest_open(conn: Connection) -> int | None:
    """Return since when the oldest unsent row waits, in milliseconds."""
    found: int | None = conn.scalar(select(func.min(t.outbox.c.created_at)).where(t.outbox.c.state.in_(OPEN)))
    return found


def forget(tx: Tx, at_once: int = 1000) -> bool:
    """Remove some of what was told long ago; True while there may be more. Each thread keeps its newest number."""
    newest = select(func.max(t.outbox.c.id)).group_by(t.outbox.c.thread)
    gone = and_(t.outbox.c.finished_at < tx.now() - KEEP_MS, t.outbox.c.id.not_in(newest))
    old: Sequence[int] = list(tx.conn.scalars(select(t.outbox.c.id).where(gone).limit(at_once)))
    return tx.conn.execute(delete(t.outbox).where(t.outbox.c.id.in_(old))).rowcount == at_once


def _change(tx: Tx, id: int, **values: Any) -> None:
    tx.conn.execute(update(t.outbox).where(t.outbox.c.id == id).values(**values))


def _item(row: Row[Any]) -> Item:
    return Item(**{name: getattr(row, name) for name in Item.__dataclass_fields__})


# -- messages as they stand -----------------------------------------------------------------------------------------


def message(conn: Connection, key: str) -> Message | None:
    """Return a message that was posted, if it was."""
    return _message(conn, t.message.c.key == key)


def find_message(conn: Connection, channel: str, ts: str) -> Message | None:
    """Return the message that stands at a place, if it is one of ours."""
    return _message(conn, (t.message.c.channel == channel) & (t.message.c.ts == ts))


def open_streams(conn: Connection) -> list[Message]:
    """Return the messages that are still being written."""
    rows = conn.execute(select(t.message).where(t.message.c.open)).all()
    return [_as_message(row) for row in rows]


def save_message(tx: Tx, message: Message) -> None:
    """Store a message as it stands now."""
    facts = {name: getattr(message, name) for name in Message.__dataclass_fields__ if name != "key"}
    upsert(tx, t.message, {"key": message.key}, {**facts, "shown": dict(message.shown)})


def _message(conn: Connection, which: Any) -> Message | None:
    row = conn.execute(select(t.message).where(which)).first()
    return _as_message(row) if row else None


def _as_message(row: Row[Any]) -> Message:
    return Message(**{name: getattr(row, name) for name in Message.__dataclass_fields__})
