"""What happens to incidents, whoever makes it happen: one is added, moves on, gets a run that looks into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sysop.model import Actor, Incident, IncidentState, Origin, Request, Run, new_id
from sysop.store import conversations, runs
from sysop.store import incidents as rows
from sysop.store.writer import Tx

ALERTS: Final = Actor("service:alerts")
SEVERITIES: Final = ("none", "info", "warning", "error", "critical", "page")


def add(tx: Tx, title: str, severity: str, services: Sequence[str], actor: Actor, id: str | None = None) -> Incident:
    """Insert an open incident."""
    incident, now = id or new_id("inc"), tx.now()
    rows.add(
        tx,
        id=incident,
        state=IncidentState.OPEN,
        title=title,
        severity=severity,
        services=list(services),
        opened_at=now,
        changed_at=now,
        opened_by=None if actor is ALERTS else actor.id,
    )
    tx.audit(rows.chain(incident), "incident.opened", actor.id, title=title, severity=severity)
    return Incident(incident, IncidentState.OPEN, title, severity, tuple(services), now, None, None, None)


def move(tx: Tx, incident: str, to: IncidentState, reason: str, actor: Actor = ALERTS) -> None:
    """Bring an incident into a state and say why."""
    times: dict[IncidentState, dict[str, int | None]] = {
        IncidentState.OPEN: {"mitigated_at": None, "resolved_at": None},
        IncidentState.MITIGATED: {"mitigated_at": tx.now()},
        IncidentState.RESOLVED: {"resolved_at": tx.now()},
    }
    rows.change(tx, incident, state=to, **times[to])
    kind = "reopened" if to is IncidentState.OPEN else str(to)
    tx.audit(rows.chain(incident), f"incident.{kind}", actor.id, reason=reason)


def triage(
    tx: Tx,
    incident: str,
    actor: Actor,
    planner_of: Callable[[Request], str],
    *,
    again: bool = False,
    text: str = "",
    after_ms: int = 0,
    also: Sequence[str] = (),
) -> str:
    """Start the run of an incident, the newest main run of its conversation; returns its id.

    For alerts it begins a moment later, so that it sees those that come with the first. Whoever opened the incident
    chose its words, and whoever is in `also` wrote what it quotes: they are requesters, too.
    """
    origin = Origin.ALERT if actor is ALERTS else Origin.ASKED
    talk = conversations.of_incident(tx.conn, incident)
    request = Request(
        actor=actor,
        origin=origin,
        place=_place(incident),
        text=text,
        incident=incident,
        conversation=talk.id if talk else None,
    )
    run = runs.create(tx, request, planner_of(request))
    opened_by = rows.load(tx.conn, incident).opened_by
    authors = [who for who in (opened_by, *also) if who and who not in actor.ids]
    if authors:
        runs.join(tx, run, authors, text)
    if again:
        rows.change(tx, incident, run=run)
    else:
        rows.give_run(tx, incident, run)
    if talk:
        conversations.set_run(tx, talk.id, run)
    if origin is Origin.ALERT:
        runs.defer(tx, run, "alerts:settle", tx.now() + after_ms)
    tx.touch(rows.chain(incident))
    return run


def is_triage(run: Run) -> bool:
    """Tell whether a run was started to look into an incident; what people say in its thread starts others."""
    return run.incident is not None and run.place == _place(run.incident)


def _place(incident: str) -> str:
    return f"incident:{incident}"
