"""What a demo run came to, for people and machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from sysop.app import App
from sysop.demo.company.scenario import Scenario
from sysop.model import Approval, ApprovalState, Incident
from sysop.store import approvals, audit, effects, incidents, runs
from sysop.store import tables as t
from sysop.store.recalled import is_told


@dataclass(frozen=True)
class Moments:
    """When things happened, on the conductor's clock in seconds; None for what did not."""

    broken: float
    alerted: float | None = None
    proposed: float | None = None
    decided: float | None = None
    executed: float | None = None
    recovered: float | None = None


@dataclass(frozen=True)
class Result:
    """A demo's end. `recovered` is the load generator's word; `correct` compares with the scenario's known answer."""

    recovered: bool
    correct: bool
    facts: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return everything for machines."""
        return {"recovered": self.recovered, "correct": self.correct, **self.facts}


async def make(
    app: App,
    scenario: Scenario,
    live: Mapping[str, str],
    moments: Moments,
    *,
    folder: str,
    recovered: bool,
    since: int = 0,
) -> Result:
    """Read the result from the database and compare it with the scenario; what was before `since` is not part of it."""
    facts = await app.store.read(partial(_facts, since=since))
    verified = await app.store.read(audit.verify)
    expected = {**scenario.initial, **{d.service: d.version for d in scenario.deploys}}
    expected[scenario.guilty_service] = scenario.good_version
    return Result(
        recovered=recovered,
        correct=dict(live) == expected,
        facts={
            "seed": scenario.seed,
            "scenario": {
                "service": scenario.guilty_service,
                "bad_version": scenario.bad_version,
                "good_version": scenario.good_version,
                "fault": {k: v for k, v in asdict(scenario.fault).items() if v},
                "deploys": [f"{d.service} {d.version}" for d in scenario.deploys],
            },
            **facts,
            "live_versions": dict(live),
            "seconds": _seconds(moments),
            "audit_verified": verified.ok,
            "audit_entries": verified.entries,
            "folder": folder,
        },
    )


def _seconds(moments: Moments) -> dict[str, float | None]:
    def since(moment: float | None) -> float | None:
        return None if moment is None else round(moment - moments.broken, 1)

    names = {"alert": moments.alerted, "propose": moments.proposed, "decide": moments.decided}
    return {k: since(v) for k, v in {**names, "execute": moments.executed, "recover": moments.recovered}.items()}


def _facts(conn: Connection, since: int) -> dict[str, Any]:
    found = [one for one in incidents.listed(conn) if one.opened_at >= since]
    first = found[-1] if found else None
    every = [one for one in approvals.listed(conn, pending_only=False) if one.created_at >= since]
    asked = [one for one in every if one.state is not ApprovalState.VOID]
    return {
        "incident": _incident(first),
        "recalled": _recalled(conn, first),
        "alerts_in": conn.scalar(select(func.count()).where(t.alert.c.received_at >= since)),
        "incidents_out": len(found),
        "runbook": _runbook(conn, first),
        "calls": _calls(conn, first),
        "approval": _approval(asked[0]) if asked else None,
        "conclusion": (runs.load(conn, first.run).conclusion or {}).get("summary") if first and first.run else None,
    }


def _incident(incident: Incident | None) -> dict[str, Any] | None:
    if incident is None:
        return None
    return {"id": incident.id, "state": incident.state, "title": incident.title, "services": list(incident.services)}


def _recalled(conn: Connection, incident: Incident | None) -> list[str]:
    """Return what the run about an incident has told of past ones."""
    if incident is None or incident.run is None:
        return []
    return [text for id, text, _ in runs.said(conn, incident.run) if is_told(id)]


def _runbook(conn: Connection, incident: Incident | None) -> str | None:
    if incident is None or incident.run is None:
        return None
    plan = runs.load(conn, incident.run).plan
    return str(plan["runbook"]) if plan.get("runbook") else None


def _calls(conn: Connection, incident: Incident | None) -> Sequence[dict[str, Any]]:
    if incident is None or incident.run is None:
        return []
    return [
        {
            "id": row.call,
            "action": row.action,
            "risk": row.risk,
            "target": row.target,
            "arguments": json.loads(row.args),
            "outcome": row.state,
            "verified": row.verified,
        }
        for row in effects.of_run(conn, incident.run)
        if "." not in row.call  # what an action read for itself is evidence under the call, not a call of the plan
    ]


def _approval(approval: Approval) -> dict[str, Any]:
    return {
        "id": approval.id,
        "state": approval.state,
        "action": approval.action,
        "requester": list(approval.requesters),
        "approver": [vote.approver for vote in approval.votes if vote.approve],
        "digest": approval.digest,
    }
