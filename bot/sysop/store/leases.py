"""A duty that one process at a time has, on either database. The fence grows with every new holder."""

from __future__ import annotations

from sqlalchemy import select, update

from sysop.errors import LeaseLost
from sysop.store import tables as t
from sysop.store.rows import insert_new
from sysop.store.writer import Tx


def take(tx: Tx, name: str, worker: str, ttl_ms: int) -> int | None:
    """Take a duty that nobody has, or has let run out, and return its fence; None while somebody else has it."""
    now = tx.now()
    row = tx.conn.execute(select(t.lease).where(t.lease.c.name == name).with_for_update()).first()
    if row is None:
        fresh = {"name": name, "worker": worker, "fence": 1, "until": now + ttl_ms}
        return 1 if insert_new(tx, t.lease, fresh) else None
    if row.until > now and row.worker != worker:
        return None
    fence = int(row.fence) + 1
    _change(tx, name, row.fence, worker=worker, fence=fence, until=now + ttl_ms)
    return fence


def hold(tx: Tx, name: str, fence: int, ttl_ms: int) -> None:
    """Prove that the duty is still ours and renew it. Raises LeaseLost."""
    if not _change(tx, name, fence, until=tx.now() + ttl_ms):
        raise LeaseLost(f"the lease {name} was taken by another worker")


def drop(tx: Tx, name: str, fence: int) -> None:
    """Let go of a duty, so that the next one need not wait."""
    _change(tx, name, fence, until=0)


def free(tx: Tx, name: str) -> None:
    """Let go of a duty whoever has it, for a caller who knows that its holder is dead."""
    tx.conn.execute(update(t.lease).where(t.lease.c.name == name).values(until=0))


def _change(tx: Tx, name: str, was: int, **values: object) -> bool:
    mine = (t.lease.c.name == name) & (t.lease.c.fence == was)
    return bool(tx.conn.execute(update(t.lease).where(mine).values(**values)).rowcount)
