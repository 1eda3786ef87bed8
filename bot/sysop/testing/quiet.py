"""Tells whether a Sysop has anything left to do by itself, from its rows: then all that follows has happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from sysop.model import RunState
from sysop.store import alerts, conversations, inbox, incidents
from sysop.store import tables as t
from sysop.store.outbox import OPEN
from sysop.store.writer import Tx

SOON_MS: Final = 2_000
_PEOPLE: Final = ("approval:", "unknown:", "pause")
_OVER: Final = (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


def under_way(conn: Connection, quiet_ms: int) -> str:
    """Return what is still under way, in words; "" for nothing. `quiet_ms` is how long an incident stays mitigated."""
    now = Tx(conn).now()
    waiting = inbox.counts(conn)
    found = [
        *(f"{count} deliveries {state}" for state, count in waiting.items() if state in ("waiting", "working")),
        *(f"{one.alert.name} waits to be placed" for one in alerts.waiting(conn, limit=5)),
        *(f"{id} is not what its alerts say" for id in incidents.unsettled(conn)),
        *_runs(conn, now),
        *(f"something was said in {id} that nobody has taken up" for id in conversations.waiting(conn)),
        *_messages(conn, now),
        *_incidents(conn, now, quiet_ms),
    ]
    return "; ".join(found)


def _runs(conn: Connection, now: int) -> Sequence[str]:
    facts = (t.run.c.id, t.run.c.state, t.run.c.waiting_for, t.run.c.wake_at)
    rows = conn.execute(select(*facts).where(t.run.c.state.not_in(_OVER)))
    return [f"{row.id} is {row.state} {row.waiting_for or ''}" for row in rows if not _rests(row, now)]


def _rests(row: Any, now: int) -> bool:
    """Tell whether a run waits for people, with nothing else to do meanwhile."""
    reasons = (row.waiting_for or "").split()
    due = row.wake_at is not None and row.wake_at <= now
    return any(reason.startswith(_PEOPLE) for reason in reasons) and not due


def _messages(conn: Connection, now: int) -> Sequence[str]:
    """Return what is still to be told; a Home that is to be told of later may wait."""
    unsent = select(t.outbox.c.kind, t.outbox.c.key, t.outbox.c.state, t.outbox.c.not_before).where(
        t.outbox.c.state.in_(OPEN)
    )
    rows = [row for row in conn.execute(unsent) if row.kind != "home" or row.not_before <= now]
    return [f"{row.kind} {row.key or ''} is {row.state}" for row in rows]


def _incidents(conn: Connection, now: int, quiet_ms: int) -> Sequence[str]:
    left = [(id, since + quiet_ms - now) for id, since in incidents.mitigated(conn)]
    return [f"{id} is about to be resolved" for id, ms in left if ms < SOON_MS]
