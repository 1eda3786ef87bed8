"""What is written down about an incident, read to tell its story. Every read is bounded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from sysop.model import Approval, Run
from sysop.store import approvals, conversations, runs
from sysop.store import tables as t
from sysop.store.conversations import Turn

MOST_RUNS = 50
MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit entry that is read, not proven."""

    id: int
    chain: str
    kind: str
    actor: str
    at: int
    body: Mapping[str, Any]

    @property
    def evidence(self) -> str:
        """Return the id under which the entry can be looked up: `sysop audit show` has the number."""
        return f"audit:{self.id}"


def entries(
    conn: Connection,
    chain: str,
    limit: int,
    *,
    kinds: Sequence[str] = (),
    without: Sequence[str] = (),
) -> list[Entry]:
    """Return the newest entries of a chain in their order, of these kinds or of all but some."""
    found = select(t.audit).where(_mine(chain, kinds, without)).order_by(t.audit.c.seq.desc()).limit(limit)
    rows = conn.execute(found).all()
    return [Entry(row.id, row.chain, row.kind, row.actor, row.ts, json.loads(row.body)) for row in reversed(rows)]


def count(conn: Connection, chain: str, *, kinds: Sequence[str] = (), without: Sequence[str] = ()) -> int:
    """Count what `entries` would return without a limit."""
    return conn.scalar(select(func.count()).select_from(t.audit).where(_mine(chain, kinds, without))) or 0


def _mine(chain: str, kinds: Sequence[str], without: Sequence[str]) -> ColumnElement[bool]:
    mine = [t.audit.c.chain == chain]
    if kinds:
        mine.append(t.audit.c.kind.in_(kinds))
    if without:
        mine.append(t.audit.c.kind.not_in(without))
    return and_(*mine)


def messages_of(conn: Connection, incident: str, limit: int) -> tuple[list[Turn], int]:
    """Return the newest messages of people in an incident's thread, oldest of them first, and how many there are."""
    talk = conversations.of_incident(conn, incident)
    if talk is None:
        return [], 0
    every = select(func.count()).select_from(t.turn).where(t.turn.c.conversation == talk.id)
    return conversations.turns(conn, talk.id, limit), conn.scalar(every) or 0


def parts_of(conn: Connection, incident: str) -> list[str]:
    """Return the incidents that were merged into one, also by way of another, the earliest first."""
    c = t.incident.c
    opened: dict[str, int] = {}
    level = [incident]
    while level and len(opened) < MOST_PARTS:
        rows = conn.execute(select(c.id, c.opened_at).where(c.merged_into.in_(level)).limit(MOST_PARTS)).all()
        level = [row.id for row in rows if row.id not in opened and row.id != incident]
        opened.update((row.id, row.opened_at) for row in rows if row.id in level)
    return sorted(opened, key=lambda id: (opened[id], id))[:MOST_PARTS]


def runs_of(conn: Connection, incidents: Sequence[str]) -> list[Run]:
    """Return the newest runs about incidents, oldest of them first: those that look into them or answer in a thread."""
    talks = [talk.id for id in incidents if (talk := conversations.of_incident(conn, id)) is not None]
    mine = or_(t.run.c.incident.in_(incidents), t.run.c.conversation.in_(talks))
    newest = select(t.run.c.id).where(mine).order_by(t.run.c.created_at.desc(), t.run.c.id.desc()).limit(MOST_RUNS)
    return [runs.load(conn, id) for id in reversed(conn.scalars(newest).all())]


def approvals_of(conn: Connection, run_ids: Iterable[str]) -> list[Approval]:
    """Return all approvals that runs asked for, in the order they were asked for."""
    mine = select(t.approval.c.id).where(t.approval.c.run.in_(list(run_ids)))
    ids = conn.scalars(mine.order_by(t.approval.c.created_at, t.approval.c.id)).all()
    return [approvals.load(conn, id) for id in ids]
