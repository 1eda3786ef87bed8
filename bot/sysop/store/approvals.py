"""Approvals and votes as rows. Every arrow of the life cycle is one compare-and-set; the rules live in the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from sysop.errors import NoSuch
from sysop.model import Approval, ApprovalState, Risk, Vote
from sysop.store import tables as t
from sysop.store.rows import insert_all_new, insert_new
from sysop.store.writer import Tx

OPEN = (ApprovalState.PENDING, ApprovalState.APPROVED)
KEEP_DELIVERIES_MS = 30 * 24 * 3_600_000
"""Far longer than an approval can be open (28 h), and than anybody sends a message again."""
DENIAL_HOLDS_MS = 3_600_000
"""So long a no keeps alerts alone from having the same asked again."""
FORGET_AT_ONCE = 1000  # so that a vote gets between


def chain(approval: str) -> str:
    """Return the audit chain of an approval, so that a vote never competes with its run."""
    return f"approval:{approval}"


def add(tx: Tx, **values: Any) -> None:
    """Insert a pending approval."""
    tx.conn.execute(insert(t.approval).values(state=ApprovalState.PENDING, **values))


def load(conn: Connection, approval: str) -> Approval:
    """Return an approval with its votes. Raises NoSuch for an unknown id."""
    row = conn.execute(select(t.approval).where(t.approval.c.id == approval)).first()
    if row is None:
        raise NoSuch("approval", approval)
    return _approval(conn, row)


def lock(tx: Tx, approval: str) -> Approval:
    """Return an approval and keep others from changing it until this transaction ends."""
    tx.conn.execute(select(t.approval.c.id).where(t.approval.c.id == approval).with_for_update())
    return load(tx.conn, approval)


def newest_for(conn: Connection, run: str, call: str) -> Approval | None:
    """Return the latest approval asked for a call; an earlier one is void. A clock that stands still mixes up none."""
    mine = (t.approval.c.run == run) & (t.approval.c.call == call)
    latest = (t.approval.c.state == ApprovalState.VOID, t.approval.c.created_at.desc())
    row = conn.execute(select(t.approval).where(mine).order_by(*latest).limit(1)).first()
    return _approval(conn, row) if row else None


def listed(conn: Connection, *, pending_only: bool, limit: int = 50) -> list[Approval]:
    """Return approvals, newest first."""
    query = select(t.approval).order_by(t.approval.c.created_at.desc()).limit(limit)
    if pending_only:
        query = query.where(t.approval.c.state == ApprovalState.PENDING)
    return [_approval(conn, row) for row in conn.execute(query)]


def undecided(conn: Connection, limit: int = 200) -> list[Approval]:
    """Return approvals that still wait for people and have time left, the one that runs out first at the head."""
    now = Tx(conn).now()
    return sorted(
        (one for one in listed(conn, pending_only=True, limit=limit) if one.approve_by > now),
        key=lambda one: (one.approve_by, one.id),
    )


def unused(conn: Connection, limit: int) -> list[Approval]:
    """Return approvals that people have given and no effect has used yet, newest first."""
    given = select(t.approval).where(t.approval.c.state == ApprovalState.APPROVED)
    return [_approval(conn, row) for row in conn.execute(given.order_by(t.approval.c.created_at.desc()).limit(limit))]


def denial(conn: Connection, incident: str, since: int, call: Mapping[str, str] | None = None) -> Vote | None:
    """Return the no that is people's last word on changes of an incident, or on one `call` of its runs, if it is one.

    `call` has values of `action`, `args`, `target` and `environment`. A word before `since` counts no more.
    """
    said = t.vote.join(t.approval, t.approval.c.id == t.vote.c.approval).join(t.run, t.run.c.id == t.approval.c.run)
    where = [t.run.c.incident == incident, t.vote.c.at >= since]
    where += [t.approval.c[name] == value for name, value in (call or {}).items()]
    last = select(t.vote).select_from(said).where(*where).order_by(t.vote.c.at.desc(), t.vote.c.approve).limit(1)
    row = conn.execute(last).first()
    return None if row is None or row.approve else Vote(row.approver, row.approve, row.reason, row.at)


def open_of_run(conn: Connection, run: str) -> list[Approval]:
    """Return a run's approvals that can still lead to an effect; no vote changes them until this transaction ends."""
    mine = select(t.approval).where(t.approval.c.run == run, t.approval.c.state.in_(OPEN)).order_by(t.approval.c.id)
    return [_approval(conn, row) for row in conn.execute(mine.with_for_update()).all()]


def move(tx: Tx, approval: str, was: ApprovalState, to: ApprovalState, **values: Any) -> bool:
    """Change the state by compare-and-set; False when somebody was faster."""
    row = (t.approval.c.id == approval) & (t.approval.c.state == was)
    return bool(tx.conn.execute(update(t.approval).where(row).values(state=to, **values)).rowcount)


def add_vote(tx: Tx, approval: str, approver: str, approve: bool, reason: str, at: int) -> bool:
    """Insert a vote; False when this person has voted already."""
    values = {"approval": approval, "approver": approver, "approve": approve, "reason": reason, "at": at}
    return insert_new(tx, t.vote, values)


def first_delivery(tx: Tx, key: str) -> bool:
    """Write a delivery key into the replay ledger; False when it was there."""
    return insert_new(tx, t.delivery, {"key": key, "at": tx.now()})


def first_deliveries(tx: Tx, keys: Iterable[str], now: int) -> set[str]:
    """Write delivery keys into the replay ledger; return those that were not there."""
    return insert_all_new(tx, t.delivery, [{"key": key, "at": now} for key in sorted(set(keys))])


def forget_deliveries(tx: Tx) -> bool:
    """Take some delivery keys that decide nothing any more out of the replay ledger; True while there may be more."""
    old = select(t.delivery.c.key).where(t.delivery.c.at < tx.now() - KEEP_DELIVERIES_MS).limit(FORGET_AT_ONCE)
    return tx.conn.execute(delete(t.delivery).where(t.delivery.c.key.in_(old))).rowcount == FORGET_AT_ONCE


def waiting(conn: Connection) -> int:
    """Count the approvals nobody has answered."""
    rows = select(func.count()).select_from(t.approval).where(t.approval.c.state == ApprovalState.PENDING)
    return conn.scalar(rows) or 0


def _approval(conn: Connection, row: Row[Any]) -> Approval:
    votes = conn.execute(select(t.vote).where(t.vote.c.approval == row.id).order_by(t.vote.c.at, t.vote.c.approver))
    return Approval(
        id=row.id,
        run=row.run,
        call=row.call,
        state=ApprovalState(row.state),
        digest=row.digest,
        action=row.action,
        risk=Risk(row.risk),
        args=row.args,
        target=row.target,
        environment=row.environment,
        requesters=tuple(row.requesters),
        roles=tuple(row.roles),
        count=row._mapping["count"],
        preview=row.preview,
        precondition=row.precondition,
        reason=row.reason,
        approve_by=row.approve_by,
        execute_by=row.execute_by,
        execute_within=row.execute_within,
        created_at=row.created_at,
        votes=tuple(Vote(v.approver, v.approve, v.reason, v.at) for v in votes),
        closed_reason=row.closed_reason,
    )
