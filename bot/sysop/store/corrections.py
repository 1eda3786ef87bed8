"""What people taught correlation by merging, splitting and moving: which symptoms belong together, which do not."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, insert, select

from sysop.store import tables as t
from sysop.store.writer import Tx

Symptom = tuple[str, str]
"""An alert rule's name and a service."""
MOST = 10_000


def add(tx: Tx, pairs: Iterable[tuple[Symptom, Symptom]], *, together: bool, actor: str) -> None:
    """Store that alerts with these symptoms belong together, or not."""
    now = tx.now()
    values = [
        {"at": now, "one": list(one), "other": list(other), "together": together, "actor": actor}
        for one, other in pairs
    ]
    if values:
        tx.conn.execute(insert(t.correction), values)


def count(conn: Connection) -> int:
    """Return how many there are; they are never removed."""
    return conn.scalar(select(func.count()).select_from(t.correction)) or 0


def listed(conn: Connection) -> list[tuple[int, Symptom, Symptom, bool]]:
    """Return the newest as (milliseconds, symptom, symptom, together), the earliest first."""
    rows = conn.execute(select(t.correction).order_by(t.correction.c.id.desc()).limit(MOST)).all()
    return [(row.at, tuple(row.one), tuple(row.other), row.together) for row in reversed(rows)]
