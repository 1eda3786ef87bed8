"""What happens to incidents, whoever makes it happen: one is added, moves on, gets a run that looks into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sysop.model import Actor, Alert, Incident, IncidentState, Origin, Request, Run, new_id
from sysop.sections import IncidentSettings
from sysop.store import alerts, conversations, runs
from sysop.store import incidents as rows
from sysop.store.alerts import Digest
from sysop.store.writer import Tx

ALERTS: Final = Actor("service:alerts")
UNSAID: Final = "warning"
SEVERITIES: Final = ("none", "info", "warning", "error", "critical", "page")


def add(
    tx: Tx,
    title: str,
    severity: str,
    services: Sequence[str],
    actor: Actor,
    id: str | None = None,
    *,
    of_alerts: bool = False,
) -> Incident:
    """Insert an open incident; `of_alerts` where a person makes it of alerts that are there."""
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
        of_alerts=of_alerts,
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


def refresh(tx: Tx, incident: Incident) -> Digest:
    """Bring an incident in line with its alerts, and return what they come to; one that is resolved stays so."""
    found = alerts.digest(tx.conn, incident.id)
    in_words = incident.in_words
    services = tuple(dict.fromkeys((*incident.services, *found.services))) if in_words else found.services
    severities = [severity or UNSAID for severity in found.severities]
    severity = max((*severities, *((incident.severity,) if in_words or not severities else ())), key=rank)
    if (services, severity) != (incident.services, incident.severity):
        rows.change(tx, incident.id, services=list(services), severity=severity)
    tx.touch(rows.chain(incident.id))
    _settle(tx, incident, found)
    return found


def _settle(tx: Tx, incident: Incident, found: Digest) -> None:
    if not found.alerts:  # it was opened in words, or whoever took its last alert away ends it
        return
    if found.firing and incident.state is IncidentState.MITIGATED:
        move(tx, incident.id, IncidentState.OPEN, "an alert fires again")
    elif not found.firing and incident.state is IncidentState.OPEN:
        move(tx, incident.id, IncidentState.MITIGATED, "no alert fires any more")


def severity_of(alert: Alert) -> str:
    """Return how bad an alert is; one that does not say so is taken for a warning."""
    return alert.labels.get("severity", UNSAID)


def rank(severity: str) -> int:
    """Return the place of a severity among all; one that nobody knows stands with the warnings."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else SEVERITIES.index(UNSAID)


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
    chose its words, and whoever is in `also` wrote what it quotes: they are requesters, too, of every later run.
    """
    origin = Origin.ALERT if actor is ALERTS else Origin.ASKED
    talk = conversations.of_incident(tx.conn, incident)
    request = Request(
        actor=actor,
        origin=origin,
        place=place_of(incident),
        text=text,
        incident=incident,
        conversation=talk.id if talk else None,
    )
    run = runs.create(tx, request, planner_of(request))
    opened_by = rows.heads(tx.conn, [incident])[incident].opened_by
    quoted = [*also, *rows.authors(tx.conn, incident, place_of(incident))] if opened_by else also
    authors = list(dict.fromkeys(who for who in (opened_by, *quoted) if who and who not in actor.ids))
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


def look_into(
    tx: Tx,
    incident: Incident,
    found: Digest,
    settings: IncidentSettings,
    planner_of: Callable[[Request], str],
    also: Sequence[str] = (),
) -> None:
    """Start the one run of an incident that alerts ask for, where one fires and people have begun none.

    `also` are the ids of who put an alert into it: they are requesters, too.
    """
    if found.firing and incident.run is None and settings.triage and idle(tx, incident.id):
        after_ms = int(settings.triage_after_seconds * 1000)
        triage(tx, incident.id, ALERTS, planner_of, after_ms=after_ms, also=also)


def idle(tx: Tx, incident: str) -> bool:
    """Tell whether no run that may change something is under way in an incident's thread; none begins until we end."""
    talk = conversations.of_incident(tx.conn, incident)
    if talk is None:
        return True
    main = conversations.lock(tx, talk.id).run
    return main is None or runs.load(tx.conn, main).over


def is_triage(run: Run) -> bool:
    """Tell whether a run was started to look into an incident; what people say in its thread starts others."""
    return run.incident is not None and run.place == place_of(run.incident)


def place_of(incident: str) -> str:
    """Return the place of the runs that look into an incident."""
    return f"incident:{incident}"
