"""What Sysop's own database says of a drill: its incidents, runs, approvals, and the ledger of its changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sysop.demo.drilling.record import Approved
from sysop.demo.drilling.verdict import Ended
from sysop.model import Approval, ApprovalState, EffectState, Incident, IncidentState, Risk, Run
from sysop.store import approvals, effects, incidents, runs

MANY = 200
_SAID = 80


@dataclass(frozen=True)
class Seen:
    """One look."""

    incidents: Sequence[Incident]
    runs: Sequence[Run]
    pending: Sequence[Approval]
    said: str

    @property
    def unresolved(self) -> int:
        """Return how many incidents are not resolved yet."""
        return sum(one.state is not IncidentState.RESOLVED for one in self.incidents)

    @property
    def ended(self) -> list[Ended]:
        """Return how each run ended, or that it has not."""
        return [_ended(run) for run in self.runs]

    @property
    def idle(self) -> bool:
        """Say whether nobody is at work: there was an incident, and every one that is open has had its run."""
        waits = any(one.run is None and one.state is not IncidentState.RESOLVED for one in self.incidents)
        return bool(self.incidents) and not waits and all(run.over for run in self.ended)


def look(conn: Connection) -> Seen:
    """Return what there is now."""
    started = runs.newest(conn, MANY)
    said = [text for run in started[:1] for _, text, _ in runs.said(conn, run.id)]
    return Seen(
        incidents=incidents.listed(conn, limit=MANY),
        runs=started,
        pending=approvals.listed(conn, pending_only=True, limit=MANY),
        said=said[-1][:_SAID] if said else "",
    )


def _ended(run: Run) -> Ended:
    found = run.conclusion or {}
    return Ended(
        run=run.id,
        over=run.finished_at is not None,
        resolved=bool(found.get("resolved")),
        handed_over=bool(found.get("escalate")),
        summary=str(found.get("summary", "")),
    )


@dataclass(frozen=True)
class Ledger:
    """What was done, and what people were asked to approve."""

    changes: Sequence[Approved]
    asked: Sequence[Approval]

    @property
    def told(self) -> list[str]:
        """Return each change in a few words, and those that people denied."""
        done = [f"{row.effect.action} {_name(row.effect.target)}{_fate(row)}" for row in self.changes]
        denied = [one for one in self.asked if one.state is ApprovalState.DENIED]
        return [*done, *(f"{one.action} {_name(one.target)} (denied)" for one in denied)]


def ledger(conn: Connection) -> Ledger:
    """Return every change of every run, the oldest first."""
    rows = [row for run in reversed(runs.newest(conn, MANY)) for row in effects.of_run(conn, run.id)]
    found = [Approved(row, _state(conn, row)) for row in rows if row.risk is not Risk.READ]
    every = approvals.listed(conn, pending_only=False, limit=MANY)
    return Ledger(found, [one for one in every if one.state is not ApprovalState.VOID])


def _state(conn: Connection, row: effects.Effect) -> ApprovalState | None:
    return approvals.load(conn, row.approval).state if row.approval else None


def _name(target: str) -> str:
    return target.partition(":")[2] or target


def _fate(row: Approved) -> str:
    if row.effect.state is not EffectState.DONE:
        return f" ({row.effect.state})"
    return " (did not help)" if row.effect.verified is False else ""
