"""What a run can be told of the runs before it, and what a run that is stopped leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from sysop.extension import Earlier, OpenApproval, OpenIncident, Standing
from sysop.model import Approval, EffectState, Incident, Risk, Run
from sysop.store import approvals, conversations, effects, incidents, runs
from sysop.store.effects import Effect

LISTED = 20
FURTHER, LATEST = 200, 3

_ENDS = {
    EffectState.INTENT: "not begun",
    EffectState.EXECUTING: "under way",
    EffectState.DONE: "done",
    EffectState.FAILED: "not done",
    EffectState.UNKNOWN: "nobody can tell yet whether it happened",
}


def earlier(conn: Connection, run: Run) -> list[Earlier]:
    """Return the concluded runs of a run's conversation, oldest first, and for one that looks the run beside it."""
    if run.conversation is None:
        return []
    found = conversations.concluded(conn, run.conversation, run.created_at)
    if found and all(map(_is_reply, found)):  # many questions must not make us forget what they are about
        further = conversations.concluded(conn, run.conversation, run.created_at, FURTHER)
        found = [*[one for one in further if not _is_reply(one)][-LATEST:], *found]
    if run.read_only:
        found += _beside(conn, run, {one.id for one in found})
    return [_earlier(conn, one) for one in found if one.id != run.id]


def _is_reply(run: Run) -> bool:
    return bool(_plan(run).get("reply"))


def _plan(run: Run) -> Mapping[str, Any]:
    plan: Mapping[str, Any] = run.plan.get("fallback") or run.plan
    return plan


def _beside(conn: Connection, run: Run, known: set[str]) -> list[Run]:
    assert run.conversation is not None
    everything = conversations.runs_of(conn, run.conversation)
    return [r for r in everything if not r.read_only and r.created_at <= run.created_at and r.id not in known]


def _earlier(conn: Connection, run: Run) -> Earlier:
    ending = run.conclusion or {"summary": _so_far(conn, run), "resolved": False}
    return Earlier(
        run=run.id,
        state=run.state,
        requesters=run.requesters,
        text=run.text,
        summary=str(ending["summary"]),
        cause=str(ending.get("cause") or "undetermined"),
        resolved=bool(ending["resolved"]),
        at=run.finished_at or run.created_at,
        changes=changes(effects.of_run(conn, run.id)),
        runbook=_plan(run).get("runbook"),
        reply=_is_reply(run),
    )


def _so_far(conn: Connection, run: Run) -> str:
    reasons = [reason.partition(":") for reason in (run.waiting_for or "").split()]
    asked = [approvals.load(conn, id) for kind, _, id in reasons if kind == "approval"]
    return "; ".join(f"waits until people decide on {wish(a)} ({a.reason or 'no reason given'})" for a in asked) or (
        f"it has not ended, it is {run.state}"
    )


def standing(conn: Connection) -> Standing:
    """Return what is open now: incidents with the run that works on each, and what people are asked to approve."""
    found = incidents.listed(conn, open_only=True, limit=LISTED)
    asked = approvals.listed(conn, pending_only=True, limit=LISTED)
    return Standing(
        tuple(_open(conn, incident) for incident in found),
        tuple(OpenApproval(a.id, a.action, a.target, a.reason or "", a.run) for a in asked),
    )


def _open(conn: Connection, incident: Incident) -> OpenIncident:
    talk = conversations.of_incident(conn, incident.id)
    working = (runs.load(conn, id) for id in (talk.run if talk else None, incident.run) if id)
    return OpenIncident(
        id=incident.id,
        title=incident.title,
        severity=incident.severity,
        state=str(incident.state),
        services=incident.services,
        firing=sum(alert.firing for alert in incident.alerts),
        run=next((run.id for run in working if not run.over), None),
    )


def wish(approval: Approval) -> str:
    """Return what people are asked to approve, on one line."""
    return f"{approval.action} on {approval.target}"


def changes(rows: Sequence[Effect]) -> tuple[str, ...]:
    """Return a sentence for each change of a run: what became of it."""
    return tuple(f"{row.action} on {row.target}: {_end(row)}" for row in rows if row.risk is not Risk.READ)


def _end(row: Effect) -> str:
    if row.state is EffectState.DONE and row.verified is False:
        return "done, but it did not help"
    return f"{_ENDS[row.state]} ({row.error})" if row.error else _ENDS[row.state]


def account(rows: Sequence[Effect], asked: Sequence[Approval]) -> str:
    """Return what a run that is stopped has done and what it has not, from the ledger and not from a planner.

    `asked` is what people were still deciding on.
    """
    changing = [row for row in rows if row.risk is not Risk.READ]
    done = [row for row in changing if row.state is EffectState.DONE]
    doubt = [row for row in changing if row.state in (EffectState.EXECUTING, EffectState.UNKNOWN)]
    begun = {row.approval for row in changing if row.approval}
    left = [*changes([row for row in changing if row not in done and row not in doubt])]
    left += [f"{wish(approval)} (people were asked)" for approval in asked if approval.id not in begun]
    parts = {"Done": changes(done), "In doubt": changes(doubt), "Not done": left}
    told = " ".join(f"{word}: {'; '.join(lines)}." for word, lines in parts.items() if lines)
    return told or "Nothing was changed."
