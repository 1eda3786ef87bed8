"""What must still be told, in order within a thread. Written in the transaction of what it tells; sent afterwards.

A row of kind `message` or `home` says only that a message is out of date: what it shows is read when it is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, Subquery, and_, case, delete, exists, false, func, insert, select, text, update

from sysop.store import tables as t
from sysop.store.conversations import Conversation
from sysop.store.rows import upsert
from sysop.store.writer import Tx

DOUBT_MS = 10_000
"""So long after an answer was lost a thread is looked into, so that a post on its way has arrived."""
KEEP_MS = 7 * 24 * 3_600_000
OPEN = ("pending", "sending", "unknown")
MOST_HEADS = 256
EACH_HEADS = 32
_ASKS = "approval:%"
_URGENT = 0
_ABSENT = "not there: "

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
    _mark(tx, conversation.id, "message", [key], conversation.id, delay_ms)


def again(tx: Tx, conversation: str, key: str) -> None:
    """Note the same where only the conversation's id is at hand."""
    _mark(tx, conversation, "message", [key], conversation, 0)


def home(tx: Tx, key: str, *, delay_ms: int = 0) -> None:
    """Note that somebody's page is out of date; `key` names it."""
    homes(tx, [key], delay_ms=delay_ms)


def homes(tx: Tx, keys: Sequence[str], *, delay_ms: int = 0) -> None:
    """Note that several pages are out of date, in the order of their names so that no two such units block another."""
    for key in sorted(set(keys) - _waiting(tx, keys, tx.now() + delay_ms)):
        _mark(tx, key, "home", [key], None, delay_ms)


def post(tx: Tx, conversation: Conversation, payload: Mapping[str, Any], *, tag: str | None = None) -> int:
    """Say something once in a conversation, `text` and `blocks`; with `root` it becomes its first message.

    A post with a tag takes the place of the last one said there, if that has the same tag and was not sent yet.
    """
    lock(tx, conversation.id)
    last = _unsent_last_word(tx, conversation.id) if tag else None
    if last is not None and last.key == tag:
        _change(tx, last.id, payload=dict(payload))
        return int(last.id)
    return _add(tx, conversation.id, "post", conversation=conversation.id, key=tag, payload=dict(payload))


def ephemeral(tx: Tx, conversation: Conversation, user: str, payload: Mapping[str, Any]) -> int:
    """Say something to one user only."""
    return _add(tx, conversation.id, "ephemeral", conversation=conversation.id, payload={**payload, "user": user})


def file(tx: Tx, conversation: Conversation, payload: Mapping[str, Any]) -> int:
    """Share a text as a file: `filename`, `title`, `content`, `comment`."""
    return _add(tx, conversation.id, "file", conversation=conversation.id, payload=dict(payload))


def lock(tx: Tx, thread: str) -> None:
    """Let one transaction at a time add to a thread: the order of the numbers is the order of what happened."""
    if tx.postgres:
        tx.conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": thread})


def _mark(tx: Tx, thread: str, kind: ItemKind, keys: Sequence[str], conversation: str | None, delay_ms: int) -> None:
    lock(tx, thread)
    if not _waiting(tx, keys, tx.now() + delay_ms):
        _add(tx, thread, kind, delay_ms, key=keys[0], conversation=conversation)


def _waiting(tx: Tx, keys: Sequence[str], due: int) -> set[str]:
    """Return which messages will be brought up to date anyway, and let them wait no longer than this.

    The rows stay locked: whoever sends one of them reads what to show only after this transaction. It does not
    matter what else the thread says after such a row, because a message keeps its place and shows the newest.
    """
    rows = select(t.outbox.c.id, t.outbox.c.key, t.outbox.c.not_before, t.outbox.c.error)
    mine = (t.outbox.c.key.in_(keys)) & (t.outbox.c.state == "pending") & t.outbox.c.kind.in_(("message", "home"))
    found = tx.conn.execute(rows.where(mine).order_by(t.outbox.c.id).with_for_update()).all()
    for row in found:
        if row.error is None and row.not_before > due:  # one that was put back waits for its time
            _change(tx, row.id, not_before=due)
    return {row.key for row in found}


def _unsent_last_word(tx: Tx, thread: str) -> Row[Any] | None:
    words = (t.outbox.c.thread == thread) & (t.outbox.c.kind == "post")
    newest = select(t.outbox).where(words).order_by(t.outbox.c.seq.desc()).limit(1).with_for_update()
    row = tx.conn.execute(newest).first()
    return row if row is not None and row.state == "pending" else None


def _add(tx: Tx, thread: str, kind: ItemKind, delay_ms: int = 0, **values: Any) -> int:
    lock(tx, thread)
    newest = tx.conn.scalar(select(func.max(t.outbox.c.seq)).where(t.outbox.c.thread == thread)) or 0
    now = tx.now()
    facts = {"thread": thread, "seq": newest + 1, "kind": kind, "state": "pending", "created_at": now}
    row = insert(t.outbox).values(**facts, not_before=now + delay_ms, **values).returning(t.outbox.c.id)
    return int(tx.conn.execute(row).scalar_one())


def known(conn: Connection, key: str) -> bool:
    """Tell whether a message was ever posted, or is going to be."""
    rows = exists().where(t.message.c.key == key), exists().where(t.outbox.c.key == key)
    return bool(conn.scalar(select(rows[0] | rows[1])))


def told(conn: Connection, tag: str) -> Item | None:
    """Return what was said under a tag last."""
    rows = select(t.outbox).where(t.outbox.c.key == tag).order_by(t.outbox.c.id.desc()).limit(1)
    row = conn.execute(rows).first()
    return _item(row) if row else None


# -- sending --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """The first unsent row of a thread with what must be known to send it.

    It is urgent when people are asked, or answered, further on in its thread: they see that only after this.
    """

    item: Item
    conversation: Conversation | None
    message: Message | None
    urgent: bool = False


def heads(conn: Connection, limit: int = MOST_HEADS, without: Collection[str] = ()) -> list[Head]:
    """Return the first unsent row of threads whose turn has come, the most urgent and then the oldest first.

    Of what waits for the same budget in one channel these are a few only, so that no channel hides another; of the
    workspaces in `without` there are none.
    """
    due = _due(Tx(conn).now(), without)
    mine = select(t.outbox, due.c.rank).join(due, due.c.id == t.outbox.c.id).where(due.c.place <= EACH_HEADS)
    order = (due.c.rank, due.c.place, t.outbox.c.created_at, t.outbox.c.id)
    rows = conn.execute(mine.order_by(*order).limit(limit)).all()
    items = [_item(row) for row in rows]
    talks = {one.id: one for one in _conversations(conn, {item.conversation for item in items if item.conversation})}
    stand = {one.key: one for one in _messages(conn, {item.key for item in items if item.key})}
    return [
        Head(item, talks.get(item.conversation or ""), stand.get(item.key or ""), urgent=row.rank == _URGENT)
        for row, item in zip(rows, items, strict=True)
    ]


def _due(now: int, without: Collection[str] = ()) -> Subquery:
    """Select the first unsent row of every thread that is due, with its rank and its place in its channel."""
    asks = func.max(case((t.outbox.c.key.like(_ASKS), 1), else_=0)).label("asks")
    unsent = select(t.outbox.c.thread, func.min(t.outbox.c.seq).label("seq"), asks)
    first = unsent.where(t.outbox.c.finished_at.is_(None)).group_by(t.outbox.c.thread).subquery()
    stands = t.message.c.key.is_not(None)
    begun = stands | t.conversation.c.root.is_not(None) | (t.outbox.c.kind == "home")
    rank = case((first.c.asks == 1, _URGENT), (begun, _URGENT + 1), else_=_URGENT + 2)
    budget = (t.outbox.c.state, t.outbox.c.kind, stands, t.outbox.c.key.like("plan:%"))
    there = (t.conversation.c.team, t.conversation.c.channel)
    place = func.row_number().over(
        partition_by=(*there, *budget), order_by=(rank, t.outbox.c.created_at, t.outbox.c.id)
    )
    mine = (t.outbox.c.thread == first.c.thread) & (t.outbox.c.seq == first.c.seq)
    rows = select(t.outbox.c.id, rank.label("rank"), place.label("place")).join(first, mine)
    rows = rows.outerjoin(t.conversation, t.conversation.c.id == t.outbox.c.conversation)
    rows = rows.outerjoin(t.message, t.message.c.key == t.outbox.c.key)
    for team in without:
        here = (t.conversation.c.team == team) | t.outbox.c.thread.like(f"home:{team}.%")
        rows = rows.where(func.coalesce(here, false()).is_(False))
    return rows.where(t.outbox.c.not_before <= now).subquery()


def _conversations(conn: Connection, ids: Iterable[str]) -> list[Conversation]:
    rows = conn.execute(select(t.conversation).where(t.conversation.c.id.in_(list(ids))))
    return [Conversation(**{name: getattr(row, name) for name in Conversation.__dataclass_fields__}) for row in rows]


def _messages(conn: Connection, keys: Iterable[str]) -> list[Message]:
    return [_as_message(row) for row in conn.execute(select(t.message).where(t.message.c.key.in_(list(keys))))]


def head(conn: Connection, id: int) -> Head:
    """Return a row with what must be known to send it."""
    item = _item(conn.execute(select(t.outbox).where(t.outbox.c.id == id)).one())
    talk = _conversations(conn, [item.conversation] if item.conversation else [])
    return Head(item, talk[0] if talk else None, message(conn, item.key) if item.key else None)


def next_due(conn: Connection) -> int | None:
    """Return when the next row that is not due yet falls due, in milliseconds; None if none waits."""
    waits = t.outbox.c.state.in_(OPEN) & (t.outbox.c.not_before > Tx(conn).now())
    found: int | None = conn.scalar(select(func.min(t.outbox.c.not_before)).where(waits))
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


def absent(tx: Tx, id: int, wait_ms: int, error: str, *, doubtful: bool) -> None:
    """Put a row back that cannot be told where it belongs; `doubtful` if some of it may have been told before.

    It does not count as an attempt: it says nothing about the row, and may go on for days.
    """
    state = "unknown" if doubtful else "pending"
    attempts = case((t.outbox.c.attempts > 0, t.outbox.c.attempts - 1), else_=0)
    _change(tx, id, state=state, attempts=attempts, not_before=tx.now() + wait_ms, error=f"{_ABSENT}{error}")


def waits_in(conn: Connection) -> list[str]:
    """Return the channels in which rows wait until we are brought there."""
    rows = select(t.conversation.c.channel).join(t.outbox, t.outbox.c.conversation == t.conversation.c.id).distinct()
    mine = t.outbox.c.state.in_(OPEN) & t.outbox.c.error.startswith(_ABSENT)
    return list(conn.scalars(rows.where(mine).order_by(t.conversation.c.channel)))


def doubt(tx: Tx, id: int, error: str, wait_ms: int = DOUBT_MS) -> None:
    """Note that a row may have been told: its thread waits until somebody has looked."""
    _change(tx, id, state="unknown", not_before=tx.now() + wait_ms, error=error)


def dead(tx: Tx, id: int, error: str) -> None:
    """Give a row up, with an audit entry that says so: its thread goes on without it."""
    if _change(tx, id, state="dead", error=error, finished_at=tx.now()):
        tx.audit("system", "outbox.dead", "service:slack", item=id, error=error)


def left_over(tx: Tx, wait_ms: int = DOUBT_MS) -> int:
    """Put every row into doubt that a sender took and did not finish; for a sender that has just begun."""
    rows = update(t.outbox).where(t.outbox.c.state == "sending")
    return int(tx.conn.execute(rows.values(state="unknown", not_before=tx.now() + wait_ms)).rowcount)


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
    after = t.outbox.alias()
    newer = exists().where((after.c.thread == t.outbox.c.thread) & (after.c.seq > t.outbox.c.seq))
    gone = and_(t.outbox.c.finished_at < tx.now() - KEEP_MS, newer)
    old: Sequence[int] = list(tx.conn.scalars(select(t.outbox.c.id).where(gone).limit(at_once)))
    return tx.conn.execute(delete(t.outbox).where(t.outbox.c.id.in_(old))).rowcount == at_once


def _change(tx: Tx, id: int, **values: Any) -> bool:
    """Change a row that has not come to its end; whoever knows it from before that changes nothing."""
    mine = (t.outbox.c.id == id) & t.outbox.c.state.in_(OPEN)
    return bool(tx.conn.execute(update(t.outbox).where(mine).values(**values)).rowcount)


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


def rooted(tx: Tx, conversation: str, team: str, ts: str) -> None:
    """Store where the first message of a conversation stands; its workspace may not have been known before."""
    mine = (t.conversation.c.id == conversation) & t.conversation.c.root.is_(None)
    tx.conn.execute(update(t.conversation).where(mine).values(team=team, root=ts))


def moved(tx: Tx, conversation: str, channel: str) -> None:
    """Let a conversation that has not begun anywhere begin in another channel."""
    mine = (t.conversation.c.id == conversation) & t.conversation.c.root.is_(None)
    tx.conn.execute(update(t.conversation).where(mine).values(channel=channel))


def open_stream(conn: Connection, conversation: str) -> Message | None:
    """Return the message of a conversation that is still being written, if there is one."""
    return _message(conn, (t.message.c.conversation == conversation) & t.message.c.open)


def save_message(tx: Tx, message: Message) -> None:
    """Store a message as it stands now."""
    facts = {name: getattr(message, name) for name in Message.__dataclass_fields__ if name != "key"}
    upsert(tx, t.message, {"key": message.key}, {**facts, "shown": dict(message.shown)})


def _message(conn: Connection, which: Any) -> Message | None:
    row = conn.execute(select(t.message).where(which)).first()
    return _as_message(row) if row else None


def _as_message(row: Row[Any]) -> Message:
    return Message(**{name: getattr(row, name) for name in Message.__dataclass_fields__})
