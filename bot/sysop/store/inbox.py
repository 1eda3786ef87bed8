"""What a chat surface delivered: written down before it is acknowledged, worked on afterwards, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from sysop.redact import redact_value
from sysop.store import approvals
from sysop.store import tables as t
from sysop.store.rows import insert_new
from sysop.store.writer import Tx

LEASE_MS = 60_000
KEEP_MS = 7 * 24 * 3_600_000
"""Far longer than anybody delivers the same thing again."""
_AS_IT_IS = ("response_url", "response_urls", "trigger_id")
"""Addresses of an answer: they look like secrets, live for half an hour and go with the body."""

Kind = Literal["event", "command", "action", "shortcut", "view"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to work on."""

    key: str
    kind: Kind
    body: Mapping[str, Any]
    attempts: int
    received_at: int


def put(tx: Tx, key: str, kind: Kind, body: Mapping[str, Any], signature: str | None = None) -> bool:
    """Store a delivery, without secrets; False when it came before, under its key or as the very same request."""
    if signature is not None and not approvals.first_delivery(tx, f"signature:{signature}"):
        return False
    now = tx.now()
    values = {"key": key, "kind": kind, "body": _clean(body), "state": "waiting", "not_before": now}
    return insert_new(tx, t.inbox, {**values, "received_at": now})


def _clean(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: body[name] for name in _AS_IT_IS if name in body}
    rest = {name: value for name, value in body.items() if name not in kept and name != "token"}
    return {**redact_value(rest), **kept}


def _due(now: int) -> Any:
    waits = and_(t.inbox.c.state == "waiting", t.inbox.c.not_before <= now)
    return or_(waits, and_(t.inbox.c.state == "working", t.inbox.c.not_before <= now))


def due(conn: Connection, limit: int = 64) -> list[str]:
    """Return what can be worked on now, oldest first; also what a process took and then died over."""
    rows = select(t.inbox.c.key).where(_due(Tx(conn).now())).order_by(t.inbox.c.received_at, t.inbox.c.key)
    return list(conn.scalars(rows.limit(limit)))


def claim(tx: Tx, key: str, worker: str) -> Delivery | None:
    """Take a delivery for a minute; None when somebody else has it or it is finished."""
    now = tx.now()
    values = {"state": "working", "worker": worker, "not_before": now + LEASE_MS, "attempts": t.inbox.c.attempts + 1}
    mine = (t.inbox.c.key == key) & _due(now)
    if not tx.conn.execute(update(t.inbox).where(mine).values(**values)).rowcount:
        return None
    row = tx.conn.execute(select(t.inbox).where(t.inbox.c.key == key)).one()
    return Delivery(row.key, row.kind, dict(row.body or {}), row.attempts, row.received_at)


def finish(tx: Tx, key: str) -> None:
    """Note that a delivery was worked on; what it said is forgotten, that it came is not."""
    _change(tx, key, state="done", body=None, error=None, finished_at=tx.now())


def retry(tx: Tx, key: str, error: str, not_before: int) -> None:
    """Put a delivery back for later."""
    _change(tx, key, state="waiting", error=error, not_before=not_before)


def bury(tx: Tx, key: str, error: str) -> None:
    """Give a delivery up, with an audit entry that says so."""
    _change(tx, key, state="dead", body=None, error=error, finished_at=tx.now())
    tx.audit("system", "inbox.dead", "service:slack", key=key, error=error)


def _change(tx: Tx, key: str, **values: Any) -> None:
    tx.conn.execute(update(t.inbox).where(t.inbox.c.key == key).values(worker=None, **values))


def counts(conn: Connection) -> dict[str, int]:
    """Count deliveries by state."""
    rows = conn.execute(select(t.inbox.c.state, func.count()).group_by(t.inbox.c.state))
    return {str(state): int(number) for state, number in rows}


def forget(tx: Tx, at_once: int = 1000) -> bool:
    """Remove some of what was finished long ago; True while there may be more."""
    old = select(t.inbox.c.key).where(t.inbox.c.finished_at < tx.now() - KEEP_MS).limit(at_once)
    return tx.conn.execute(delete(t.inbox).where(t.inbox.c.key.in_(old))).rowcount == at_once
