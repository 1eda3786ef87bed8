"""The pause switch and the rows that budgets lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql

from sysop.store import tables as t
from sysop.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Mode:
    """Whether changes are paused, since when, by whom and why."""

    paused: bool
    by: str
    reason: str
    at: int


def read(conn: Connection) -> Mode:
    """Return the mode, for showing. An effect must use `read_locked`."""
    row = conn.execute(select(t.mode).where(t.mode.c.id == 1)).one()
    return Mode(row.paused, row.by, row.reason, row.at)


def read_locked(tx: Tx) -> Mode:
    """Return the mode and keep it so until this transaction ends: a plain read lets effects slip past a pause."""
    tx.conn.execute(select(t.mode.c.id).where(t.mode.c.id == 1).with_for_update(read=True))
    return read(tx.conn)


def write(tx: Tx, *, paused: bool, by: str, reason: str) -> None:
    """Set the switch, with its audit entry."""
    values = {"paused": paused, "by": by, "reason": reason, "at": tx.now()}
    tx.conn.execute(update(t.mode).where(t.mode.c.id == 1).values(**values))
    tx.audit("system", "mode.paused" if paused else "mode.resumed", by, reason=reason)


def lock_budgets(tx: Tx, keys: Iterable[str]) -> None:
    """Let one transaction at a time count under these keys, locked in sorted order so that no two wait for each other.

    On SQLite the transaction itself is exclusive.
    """
    if not tx.postgres:
        return
    for key in sorted(keys):
        tx.conn.execute(postgresql.insert(t.budget).values(key=key).on_conflict_do_nothing())
        tx.conn.execute(select(t.budget.c.key).where(t.budget.c.key == key).with_for_update())
