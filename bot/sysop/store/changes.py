"""Changes as rows, one each however often and by whomever it is told; and news of what a post-check waits for.

What is told twice, or in another order, ends in the same row: how far a change is by the newest word of its end, and
what it is by whoever knows best.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from sysop.model import Change, ChangeKind, ChangeState
from sysop.redact import redact_value
from sysop.store import runs
from sysop.store import tables as t
from sysop.store.rows import insert_new, upsert
from sysop.store.writer import Tx

NEWS_KEPT_MS = 24 * 3_600_000
_LATEST = 253_402_300_799_999
MAX_ID = 200
_LATELY_MS = 60_000
"""No transaction takes so long from its write to its end."""
_LENGTHS: Mapping[str, int] = {
    "source": 64,
    "service": 200,
    "environment": 200,
    "before": 200,
    "after": 200,
    "by": 200,
    "title": 300,
    "url": 2000,
}
_TELLS = ("kind", "service", "environment", "before", "after", "by", "title", "url")
"""What a change is, in the order in which two who know it equally well are compared."""


class Told(IntEnum):
    """Who tells of a change: a webhook, a place that was asked, or the ledger of our own effects, which knows best."""

    DELIVERED = 0
    ASKED = 1
    OURS = 2


@dataclass(frozen=True, slots=True)
class _Stored:
    change: Change
    told: int


def faults(change: Change) -> Iterator[tuple[str, str]]:
    """Tell which fields of a change, made by a plugin, no row can hold: it would be a fault of every later look."""
    for field, shape in (("kind", ChangeKind), ("state", ChangeState)):
        if not isinstance(getattr(change, field), shape):
            yield field, f"must be a {shape.__name__}, not {getattr(change, field)!r}"
    for field in ("at", "began_at"):
        time = getattr(change, field)
        if not isinstance(time, int) or not 0 <= time <= _LATEST:
            yield field, "must be whole milliseconds since 1970, up to the year 9999"


def take(tx: Tx, changes: Iterable[Change], told: Told) -> int:
    """Store what was told of changes; return how many rows are new or not what they were."""
    wanted = sorted((_kept(change) for change in changes), key=lambda change: (change.source, change.id))
    return sum(_take_one(tx, _Stored(change, int(told))) for change in wanted)


def unknown(conn: Connection, changes: Iterable[Change], told: Told) -> list[Change]:
    """Return those that `take` would write: asking again and again must not cost a write each time."""
    found = [(change, _find(conn, _kept(change))) for change in changes]
    return [
        change for change, stored in found if stored is None or _merged(stored, _Stored(_kept(change), told)) != stored
    ]


def _take_one(tx: Tx, new: _Stored) -> bool:
    if insert_new(tx, t.change, {**_row(new), "noted_at": tx.now()}):
        return True
    stored = _find(tx.conn, new.change, lock=True)
    assert stored is not None
    merged = _merged(stored, new)
    if merged == stored:
        return False
    mine = (t.change.c.source == new.change.source) & (t.change.c.id == new.change.id)
    tx.conn.execute(update(t.change).where(mine).values(**_row(merged), noted_at=tx.now()))
    return True


def _merged(one: _Stored, other: _Stored) -> _Stored:
    """Return both as one. Neither order nor repetition matters: each part is the greater of the two."""
    what, how_far = max(one, other, key=_known), max(one.change, other.change, key=_progress)
    ours = one.change if one.change.run else other.change
    began_at = min(one.change.began_at, other.change.began_at)
    whole = replace(what.change, began_at=began_at, at=how_far.at, state=how_far.state, run=ours.run, call=ours.call)
    return _Stored(whole, what.told)


def _known(one: _Stored) -> tuple[int, tuple[str, ...]]:
    return one.told, tuple(str(getattr(one.change, name) or "") for name in _TELLS)


def _progress(change: Change) -> tuple[bool, int, str]:
    return change.state is not ChangeState.STARTED, change.at, change.state


def _kept(change: Change) -> Change:
    """Return a change as it is stored: without secrets, and no part of it longer than people read."""
    values = {name: str(redact_value(getattr(change, name) or ""))[:most] for name, most in _LENGTHS.items()}
    id = str(redact_value(change.id))
    if len(id) > MAX_ID or id != change.id:  # two ids with a secret in each are two changes still
        id = hashlib.sha256(change.id.encode("utf-8", "replace")).hexdigest()
    began_at = min(change.began_at or change.at, change.at)
    return replace(change, **{**values, "id": id, "service": values["service"] or None}, began_at=began_at)  # type: ignore[arg-type]


def _find(conn: Connection, change: Change, *, lock: bool = False) -> _Stored | None:
    query = select(t.change).where(t.change.c.source == change.source, t.change.c.id == change.id)
    row = conn.execute(query.with_for_update() if lock else query).first()
    return _Stored(_change(row), row.told) if row else None


def _row(one: _Stored) -> dict[str, Any]:
    return {**{name: getattr(one.change, name) for name in _COLUMNS}, "told": one.told}


_COLUMNS = tuple(field.name for field in fields(Change))


def _change(row: Row[Any]) -> Change:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Change(**{**values, "kind": ChangeKind(row.kind), "state": ChangeState(row.state)})


def between(
    conn: Connection, since: int, until: int, services: Collection[str] | None = None, limit: int = 100
) -> list[Change]:
    """Return what was done or under way in a time, both ends among it, the newest first; of services, or of all."""
    query = select(t.change).where(t.change.c.at >= since, t.change.c.began_at <= until)
    if services is not None:
        query = query.where(t.change.c.service.in_(sorted(services)))
    rows = conn.execute(query.order_by(t.change.c.at.desc(), t.change.c.source, t.change.c.id).limit(limit))
    return [_change(row) for row in rows]


def mark(conn: Connection) -> tuple[int, int]:
    """Return what is another pair once a change was stored or has moved on; cheap.

    The newest time alone would not tell of a transaction that began to write before another and ended after it.
    """
    newest = conn.scalar(select(func.max(t.change.c.noted_at))) or 0
    lately = conn.scalar(select(func.sum(t.change.c.noted_at)).where(t.change.c.noted_at > newest - _LATELY_MS))
    return newest, int(lately or 0)


def reason(key: str) -> str:
    """Return what a run waits for that waits for news of this: one word, whatever is in the key."""
    return f"news:{_digest(key)}"


def note(tx: Tx, keys: Iterable[str]) -> None:
    """Note that something is new of each, and wake the runs that wait for it."""
    digests = sorted({_digest(key) for key in keys})
    for digest in digests:
        upsert(tx, t.news, {"key": digest}, {"at": tx.now()})
        runs.wake_all(tx, f"news:{digest}")
    if digests:
        tx.conn.execute(delete(t.news).where(t.news.c.at < tx.now() - NEWS_KEPT_MS))


def newest(conn: Connection, keys: Sequence[str]) -> int | None:
    """Return when something new was last heard of any of these, None where it never was."""
    digests = [_digest(key) for key in keys]
    return conn.scalar(select(func.max(t.news.c.at)).where(t.news.c.key.in_(digests))) if digests else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:24]
