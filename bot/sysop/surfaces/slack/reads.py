"""What the documents read that is kept for other ends: the audit log of one chain, and all approvals of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from sysop.model import Approval, ApprovalState
from sysop.store import approvals
from sysop.store import tables as t

_ENDS = ("approval.approved", "approval.denied", "approval.expired", "approval.revoked", "approval.void")


@dataclass(frozen=True, slots=True)
class Fact:
    """An audit entry that is read, not proven."""

    kind: str
    actor: str
    at: int
    body: Mapping[str, Any]


def facts(conn: Connection, chain: str, kinds: Sequence[str], limit: int = 20) -> list[Fact]:
    """Return the newest entries of these kinds in a chain, oldest of them first."""
    mine = (t.audit.c.chain == chain) & t.audit.c.kind.in_(kinds)
    rows = conn.execute(select(t.audit).where(mine).order_by(t.audit.c.seq.desc()).limit(limit)).all()
    return [Fact(row.kind, row.actor, row.ts, json.loads(row.body)) for row in reversed(rows)]


def of_run(conn: Connection, run: str) -> list[Approval]:
    """Return all approvals of a run in the order they were asked for."""
    mine = select(t.approval.c.id).where(t.approval.c.run == run).order_by(t.approval.c.created_at, t.approval.c.id)
    return [approvals.load(conn, id) for id in conn.scalars(mine).all()]


def decided(conn: Connection, approval: Approval) -> Fact | None:
    """Return how an approval stopped waiting for people; None while it waits."""
    if approval.state is ApprovalState.PENDING:
        return None
    ends = facts(conn, approvals.chain(approval.id), _ENDS, 5)
    return ends[0] if ends else None


def closed(conn: Connection, approval: Approval) -> Fact | None:
    """Return the newest word on an approval: one that was approved may be withdrawn or run out of time later."""
    ends = facts(conn, approvals.chain(approval.id), _ENDS, 5)
    return ends[-1] if ends else None


def rule(conn: Connection, approval: Approval) -> str:
    """Return the policy rule that asked for an approval."""
    judged = facts(conn, approval.run, ("call.judged",), 200)
    return next((str(fact.body.get("rule") or "") for fact in judged if fact.body.get("approval") == approval.id), "")
