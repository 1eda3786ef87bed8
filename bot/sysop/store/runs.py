"""Runs: create, claim with a fence, park, finish. `hold` opens every transaction of a worker."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, literal, or_, select, text, update

from sysop.errors import LeaseLost, NoSuch, RunCancelled
from sysop.model import ApprovalState, EffectState, Origin, Request, Run, RunState, new_id
from sysop.store import mode
from sysop.store import tables as t
from sysop.store.writer import Tx

LEASE_MS = 30_000
CRASHES = 12
"""So often in a row a process may die over a run, without any step forward, before the run is given up."""
_PATIENCE = 5
_LONGEST_MS = 60_000
FINAL = (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


def chain(run: str) -> str:
    """Return the audit chain of a run: its id."""
    return run


def create(tx: Tx, request: Request, planner: str) -> str:
    """Insert a queued run and its first audit entry; returns its id."""
    run = new_id("run")
    tx.conn.execute(
        insert(t.run).values(
            id=run,
            state=RunState.QUEUED,
            origin=request.origin,
            place=request.place,
            text=request.text,
            requesters=list(request.actor.ids),
            roles=sorted(request.actor.roles),
            incident=request.incident,
            planner=planner,
            request=_wish(request),
            conversation=request.conversation,
            plan={},
            usage={},
            created_at=tx.now(),
        )
    )
    tx.audit(
        chain(run),
        "run.started",
        request.actor.id,
        origin=request.origin,
        place=request.place,
        text=request.text,
        incident=request.incident,
        planner=planner,
        action=request.action,
        conversation=request.conversation,
        read_only=request.read_only,
    )
    return run


def _wish(request: Request) -> dict[str, Any]:
    wish = {"action": request.action, "args": dict(request.args), "runbook": request.runbook}
    return {**wish, "read_only": True} if request.read_only else wish


def load(conn: Connection, run: str) -> Run:
    """Return a run. Raises NoSuch for an unknown id."""
    row = conn.execute(select(t.run).where(t.run.c.id == run)).first()
    if row is None:
        raise NoSuch("run", run)
    return _run(row)


def lock(tx: Tx, run: str) -> Run:
    """Return a run and keep others from changing it until this transaction ends."""
    tx.conn.execute(select(t.run.c.id).where(t.run.c.id == run).with_for_update(key_share=True))
    return load(tx.conn, run)


def newest(conn: Connection, limit: int = 50) -> list[Run]:
    """Return the newest runs first."""
    rows = conn.execute(select(t.run).order_by(t.run.c.created_at.desc(), t.run.c.id).limit(limit))
    return [_run(row) for row in rows]


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        state=RunState(row.state),
        origin=Origin(row.origin),
        place=row.place,
        text=row.text,
        requesters=tuple(row.requesters),
        roles=tuple(row.roles),
        incident=row.incident,
        planner=row.planner,
        request=row.request,
        fence=row.fence,
        attempt=row.attempt,
        waiting_for=row.waiting_for,
        wake_at=row.wake_at,
        plan=row.plan,
        conclusion=row.conclusion,
        created_at=row.created_at,
        finished_at=row.finished_at,
        conversation=row.conversation,
    )


def defer(tx: Tx, run: str, waiting_for: str, wake_at: int) -> None:
    """Let a run that nobody holds yet begin later."""
    waits = {"state": RunState.WAITING, "waiting_for": waiting_for, "wake_at": wake_at}
    tx.conn.execute(update(t.run).where(t.run.c.id == run, t.run.c.state == RunState.QUEUED).values(**waits))


def snapshot(tx: Tx, run: str, fence: int, incident: Mapping[str, Any]) -> None:
    """Store the incident as the run first saw it: a replay must see the same, while the incident goes on changing."""
    hold(tx, run, fence)
    request = {**load(tx.conn, run).request, "incident": dict(incident)}
    tx.conn.execute(update(t.run).where(t.run.c.id == run).values(request=request))


def _due(now: int) -> Any:
    return or_(
        t.run.c.state == RunState.QUEUED,
        and_(t.run.c.state == RunState.WAITING, t.run.c.wake_at <= now),
        and_(t.run.c.state == RunState.RUNNING, t.run.c.lease_until < now),
    )


def due(conn: Connection, limit: int = 64) -> tuple[list[str], int | None]:
    """Return the runs to advance now, and when the next one falls due (milliseconds, None if none waits).

    Of runs over which processes have died, one at a time: whichever kills the next shall not take another along.
    """
    now = Tx(conn).now()
    query = select(t.run.c.id, t.run.c.attempt).where(_due(now)).order_by(t.run.c.attempt, t.run.c.created_at)
    rows = conn.execute(query.limit(limit)).all()
    ids = [row.id for row in rows if row.attempt <= _PATIENCE]
    suspects = [row.id for row in rows if row.attempt > _PATIENCE]
    if suspects and not _suspect_runs(conn, now):
        ids.append(suspects[0])
    waits = select(t.run.c.wake_at).where(t.run.c.state == RunState.WAITING, t.run.c.wake_at > now)
    return ids, conn.scalar(waits.order_by(t.run.c.wake_at).limit(1))


def _suspect_runs(conn: Connection, now: int) -> bool:
    """Tell whether somebody living works on such a run; one whose lease is over may be taken from its holder."""
    held = and_(t.run.c.state == RunState.RUNNING, t.run.c.lease_until >= now, t.run.c.attempt > _PATIENCE)
    return conn.scalar(select(t.run.c.id).where(held).limit(1)) is not None


def claim(tx: Tx, run: str, worker: str) -> Run | None:
    """Take a due run: the fence grows, so whoever held it before can write nothing more. None if it is not due."""
    now = tx.now()
    took = tx.conn.execute(
        update(t.run)
        .where(t.run.c.id == run, _due(now))
        .values(
            state=RunState.RUNNING,
            fence=t.run.c.fence + 1,
            attempt=t.run.c.attempt + 1,
            worker=worker,
            lease_until=now + LEASE_MS,
            waiting_for=None,
            wake_at=None,
        )
    )
    return load(tx.conn, run) if took.rowcount else None


def hold(tx: Tx, run: str, fence: int, *, even_if_cancelled: bool = False) -> None:
    """Prove that the run is still ours and renew the lease. The first statement of every worker transaction.

    Raises LeaseLost when another worker has claimed it, RunCancelled when a person has stopped it.
    """
    mine = and_(t.run.c.id == run, t.run.c.fence == fence, t.run.c.state == RunState.RUNNING)
    held = tx.conn.execute(update(t.run).where(mine).values(lease_until=tx.now() + LEASE_MS))
    if not held.rowcount:
        raise LeaseLost(f"run {run} was claimed by another worker")
    if not even_if_cancelled and tx.conn.scalar(select(t.run.c.cancelled_by).where(t.run.c.id == run)):
        raise RunCancelled(f"run {run} was cancelled")


def park(tx: Tx, run: str, fence: int, waiting_for: str, wake_at: int | None) -> None:
    """Let go of a run that waits; it is due at once if what it waits for came while it was still running."""
    hold(tx, run, fence)
    reasons = waiting_for.split()
    if all(reason.startswith("settle:") for reason in reasons):
        _no_step(tx, run)
    else:
        progressed(tx, run)
    if _happened(tx, run, reasons):
        _let_go(tx, run, state=RunState.QUEUED)
    else:
        _let_go(tx, run, state=RunState.WAITING, waiting_for=waiting_for, wake_at=wake_at)


def _happened(tx: Tx, run: str, reasons: Sequence[str]) -> bool:
    """Tell whether a decision came before anybody could be woken by it. The rows stay locked, so none comes between."""
    asked = [reason.removeprefix("approval:") for reason in reasons if reason.startswith("approval:")]
    votes = select(t.approval.c.state).where(t.approval.c.id.in_(asked)).order_by(t.approval.c.id).with_for_update()
    if asked and any(state != ApprovalState.PENDING for state in tx.conn.scalars(votes)):
        return True
    calls = [reason.removeprefix("unknown:") for reason in reasons if reason.startswith("unknown:")]
    rows = select(t.effect.c.state).where(t.effect.c.run == run, t.effect.c.call.in_(calls)).with_for_update()
    if calls and any(state != EffectState.UNKNOWN for state in tx.conn.scalars(rows)):
        return True
    return "pause" in reasons and not mode.read_locked(tx).paused


def requeue(tx: Tx, run: str, worker: str) -> None:
    """Let go of a run in the middle so that it is claimed again at once, if this worker still has it."""
    mine = and_(t.run.c.id == run, t.run.c.worker == worker, t.run.c.state == RunState.RUNNING)
    values = {"state": RunState.QUEUED, "worker": None, "lease_until": None, "attempt": 0}
    tx.conn.execute(update(t.run).where(mine).values(values))


def progressed(tx: Tx, run: str) -> None:
    """Note a step forward: `attempt` counts the claims since the last one, all but one of which ended in a crash."""
    tx.conn.execute(update(t.run).where(t.run.c.id == run).values(attempt=0))


def _no_step(tx: Tx, run: str) -> None:
    """Note a claim that ended well and moved nothing: it waits to find out what the process died over."""
    counted = (t.run.c.id == run) & (t.run.c.attempt > 0)
    tx.conn.execute(update(t.run).where(counted).values(attempt=t.run.c.attempt - 1))


def end(tx: Tx, run: str, state: RunState, conclusion: Mapping[str, Any], actor: str) -> None:
    """End a run that nobody holds, or that the caller has proved to hold."""
    _let_go(tx, run, state=state, conclusion=dict(conclusion), finished_at=tx.now())
    tx.audit(chain(run), "run.finished", actor, state=state, conclusion=dict(conclusion))


def _let_go(tx: Tx, run: str, **values: Any) -> None:
    tx.conn.execute(update(t.run).where(t.run.c.id == run).values(worker=None, lease_until=None, **values))


def wake(tx: Tx, run: str, waiting_for: str) -> None:
    """Queue a run that waits for this, alone or among others; nothing happens otherwise."""
    tx.conn.execute(
        update(t.run)
        .where(t.run.c.id == run, _waits_for(waiting_for))
        .values(state=RunState.QUEUED, waiting_for=None, wake_at=None)
    )


def _waits_for(reason: str) -> ColumnElement[bool]:
    reasons = literal(" ").concat(t.run.c.waiting_for).concat(" ")
    return and_(t.run.c.state == RunState.WAITING, reasons.contains(f" {reason} ", autoescape=True))


def wake_paused(tx: Tx) -> None:
    """Queue every run that was parked by the pause switch."""
    wake_all(tx, "pause")


def wake_all(tx: Tx, waiting_for: str) -> None:
    """Queue every run that waits for this, alone or among others."""
    tx.conn.execute(
        update(t.run).where(_waits_for(waiting_for)).values(state=RunState.QUEUED, waiting_for=None, wake_at=None)
    )


def release_all(tx: Tx) -> Sequence[str]:
    """Queue every run a dead process held. Only for the holder of the SQLite lock file, who knows it is alone."""
    return _release(tx, t.run.c.state == RunState.RUNNING)


def release_dead(tx: Tx) -> Sequence[str]:
    """Queue every run whose worker is gone, on PostgreSQL: a living one holds an advisory lock on its name."""
    held = tx.conn.scalars(select(t.run.c.worker).where(t.run.c.state == RunState.RUNNING).distinct())
    free = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:worker, 0))")
    dead = [worker for worker in held if worker and tx.conn.scalar(free, {"worker": worker})]
    return _release(tx, (t.run.c.state == RunState.RUNNING) & t.run.c.worker.in_(dead)) if dead else []


def _release(tx: Tx, which: ColumnElement[bool]) -> Sequence[str]:
    left = {row.id: row.attempt for row in tx.conn.execute(select(t.run.c.id, t.run.c.attempt).where(which))}
    tx.conn.execute(update(t.run).where(which).values(state=RunState.QUEUED))
    for run, attempt in left.items():
        if attempt > _PATIENCE:
            delay = min(_LONGEST_MS, 1000 * 2 ** (attempt - _PATIENCE - 1))
            defer(tx, run, "restart", tx.now() + int(delay * random.uniform(0.5, 1)))  # noqa: S311 (jitter)
    return list(left)


def remember(tx: Tx, run: str, fence: int, plan: Mapping[str, Any]) -> None:
    """Store the planner's plan before it acts on it."""
    hold(tx, run, fence)
    tx.conn.execute(update(t.run).where(t.run.c.id == run).values(plan=dict(plan)))


def history(conn: Connection, run: str) -> tuple[bytes | None, int, Mapping[str, Any]]:
    """Return the stored messages, how many model answers they hold over all attempts, and the usage so far."""
    row = conn.execute(select(t.run.c.history, t.run.c.answers, t.run.c.usage).where(t.run.c.id == run)).one()
    return (bytes(row.history) if row.history is not None else None), row.answers, dict(row.usage)


def save_history(tx: Tx, run: str, fence: int, messages: bytes, answers: int, usage: Mapping[str, Any]) -> None:
    """Store the messages and count the answers before any call of the newest one runs."""
    hold(tx, run, fence)
    values = {"history": messages, "answers": answers, "usage": dict(usage)}
    tx.conn.execute(update(t.run).where(t.run.c.id == run).values(**values, attempt=0))


def say(tx: Tx, run: str, fence: int, id: str, text: str) -> None:
    """Store a message to people once per id."""
    hold(tx, run, fence)
    if not tx.conn.scalar(select(t.said.c.id).where(t.said.c.run == run, t.said.c.id == id)):
        tx.conn.execute(insert(t.said).values(run=run, id=id, text=text, at=tx.now()))
        tx.touch(chain(run))


def join(tx: Tx, run: str, actors: Sequence[str], text: str) -> None:
    """Make more people requesters of a run: their words, this text, are about to enter its history."""
    have = load(tx.conn, run).requesters
    everybody = list(dict.fromkeys((*have, *actors)))
    tx.conn.execute(update(t.run).where(t.run.c.id == run).values(requesters=everybody))
    tx.audit(chain(run), "run.heard", actors[0], text=text, requesters=everybody)


def said(conn: Connection, run: str, after: int = 0) -> list[tuple[str, str, int]]:
    """Return what a run told people as (id, text, time), oldest first."""
    rows = conn.execute(select(t.said).where(t.said.c.run == run, t.said.c.at >= after).order_by(t.said.c.at))
    return [(row.id, row.text, row.at) for row in rows]


def ask_to_stop(tx: Tx, run: str, actor: str) -> bool:
    """Note that a person wants a running run to stop, for its worker's next transaction. False if none runs."""
    running = and_(t.run.c.id == run, t.run.c.state == RunState.RUNNING)
    return bool(tx.conn.execute(update(t.run).where(running).values(cancelled_by=actor)).rowcount)


def asked_to_stop(conn: Connection, run: str) -> bool:
    """Tell whether a person has asked for a run to stop."""
    return conn.scalar(select(t.run.c.cancelled_by).where(t.run.c.id == run)) is not None


def awaited(conn: Connection, run: str) -> list[str]:
    """Return the approvals of a run that people have not decided on; they are not locked, so no vote waits for this."""
    mine = (t.approval.c.run == run) & (t.approval.c.state == ApprovalState.PENDING)
    return list(conn.scalars(select(t.approval.c.id).where(mine).order_by(t.approval.c.created_at, t.approval.c.id)))
