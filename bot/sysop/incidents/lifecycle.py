"""Incidents over time: opened by an alert, joined by others, mitigated when none fires, resolved after quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sysop.errors import InvalidRequest
from sysop.incidents.correlate import CallPathCorrelator, Correlator
from sysop.inventory import Inventory, nearest
from sysop.model import Actor, Alert, Incident, IncidentState, Origin, Request, new_id
from sysop.settings import IncidentSettings
from sysop.store import approvals, conversations, runs
from sysop.store import incidents as rows
from sysop.store.store import Store
from sysop.store.writer import Tx

ALERTS = Actor("service:alerts")
CHUNK = 50
TURN_S = 0.05
"""So long one piece of a storm should keep the writer, which votes and the pause switch wait for."""
SEVERITIES = ("none", "info", "warning", "error", "critical", "page")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery: occurrences seen for the first time, ended, and known already."""

    new: int = 0
    ended: int = 0
    known: int = 0


class Lifecycle:
    """Takes alerts in and moves incidents on. The final state does not depend on order or repetition of deliveries."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        settings: IncidentSettings,
        planner_of: Callable[[Request], str],
        correlator: Correlator | None = None,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._settings = settings
        self._planner_of = planner_of
        self._correlator = correlator or CallPathCorrelator(inventory, settings.join_within_seconds)

    async def take(self, alerts: Iterable[Alert]) -> Taken:
        """Store a delivery and everything that follows from it; durable on return."""
        left, size = tuple(alerts), CHUNK
        done: list[str] = []
        while left:
            piece, left, began = left[:size], left[size:], time.monotonic()
            done += await self._store.write(partial(self._take_some, alerts=piece))
            took = max(time.monotonic() - began, 0.001)
            size = max(1, min(CHUNK, int(len(piece) * TURN_S / took)))
        return Taken(done.count("new"), done.count("ended"), done.count("known"))

    def _take_some(self, tx: Tx, alerts: Sequence[Alert]) -> list[str]:
        rows.lock(tx)
        incidents = {incident.id: incident for incident in rows.unresolved(tx.conn)}
        return [self._take_one(tx, alert, incidents) for alert in alerts]

    async def tick(self) -> None:
        """Resolve what has been quiet long enough."""
        quiet_ms = self._settings.quiet_seconds * 1000
        if not await self._store.read(rows.mitigated):
            return

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            for incident, since in rows.mitigated(tx.conn):
                if tx.now() - since >= quiet_ms:
                    _move(tx, incident, IncidentState.RESOLVED, f"no alert fired for {quiet_ms // 1000} s")

        await self._store.write(unit)

    async def open_by_hand(
        self,
        actor: Actor,
        title: str,
        severity: str,
        services: Sequence[str],
        *,
        delivery: str,
        triage: bool = False,
        note: str = "",
    ) -> str:
        """Open an incident because a person says so, and return its id. Raises InvalidRequest for a wrong field."""
        unknown = [name for name in services if name not in self._inventory.services]
        if unknown and self._inventory.services:
            hint = nearest(unknown[0], self._inventory.services)
            raise InvalidRequest(f"services: there is no service {unknown[0]!r}{hint}")
        if severity not in SEVERITIES:
            raise InvalidRequest(f"severity: {severity!r} is none of {', '.join(SEVERITIES)}")
        if not title.strip():
            raise InvalidRequest("title: say in a few words what is wrong")

        def unit(tx: Tx) -> str | None:
            if not approvals.first_delivery(tx, delivery):
                return None
            rows.lock(tx)
            incident = self._add(tx, title.strip(), severity, services, actor)
            if note:
                tx.audit(rows.chain(incident.id), "incident.noted", actor.id, text=note)
            if triage:
                self._triage(tx, incident.id, actor, text=f"{incident.title}\n{note}".strip())
            return incident.id

        incident = await self._store.write(unit)
        if incident is None:
            raise InvalidRequest("this was handled already")
        return incident

    async def acknowledge(self, incident: str, actor: Actor) -> None:
        """Note that a person looks after an incident; the newest one counts. Raises InvalidRequest once it is over."""

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            found = self._unresolved(tx, incident)
            if found.acknowledged_by != actor.id:
                rows.change(tx, incident, acknowledged_by=actor.id, acknowledged_at=tx.now())
                tx.audit(rows.chain(incident), "incident.acknowledged", actor.id)

        await self._store.write(unit)

    async def resolve(self, incident: str, actor: Actor, reason: str = "") -> None:
        """Close an incident because a person says so. An alert that fires again opens it again."""

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            self._unresolved(tx, incident)
            _move(tx, incident, IncidentState.RESOLVED, reason or "closed by a person", actor)

        await self._store.write(unit)

    async def triage(self, incident: str, actor: Actor) -> str:
        """Start a run that looks into an incident, and return its id; there is one at a time."""

        def unit(tx: Tx) -> str:
            rows.lock(tx)
            found = self._unresolved(tx, incident)
            if found.run is not None and not runs.lock(tx, found.run).over:
                raise InvalidRequest(f"run {found.run} is looking into {incident} already")
            return self._triage(tx, incident, actor, again=True, text="" if found.alerts else found.title)

        return await self._store.write(unit)

    def _unresolved(self, tx: Tx, incident: str) -> Incident:
        found = rows.load(tx.conn, incident)
        if found.state is IncidentState.RESOLVED:
            raise InvalidRequest(f"incident {incident} is resolved already")
        return found

    def _take_one(self, tx: Tx, alert: Alert, incidents: dict[str, Incident]) -> str:
        """Take one alert; `incidents` are those not resolved, kept up to date."""
        known = rows.find_alert(tx.conn, alert)
        if known is None:
            self._join(tx, alert, incidents)
            return "new"
        stored, incident = known
        if alert.ends_at is None or alert.ends_at == stored.ends_at:
            return "known"  # a firing that arrives after its end changes nothing
        rows.end_alert(tx, alert)
        whole = incidents.get(incident) or rows.load(tx.conn, incident)
        members = tuple(replace(one, ends_at=alert.ends_at) if _same(one, alert) else one for one in whole.alerts)
        incidents[incident] = _settle(tx, replace(whole, alerts=members))
        return "ended"

    def _join(self, tx: Tx, alert: Alert, incidents: dict[str, Incident]) -> None:
        live = [incident for incident in incidents.values() if incident.state is not IncidentState.RESOLVED]
        placed = self._correlator.place(alert, live)
        whole = incidents[placed.incident] if placed.incident else self._open(tx, alert)
        rows.add_alert(tx, alert, whole.id, placed.reason)
        tx.audit(
            rows.chain(whole.id),
            "incident.joined",
            ALERTS.id,
            reason=placed.reason,
            alert=alert.name,
            service=alert.service,
            fingerprint=alert.fingerprint,
        )
        added = (alert.service,) if alert.service and alert.service not in whole.services else ()
        whole = replace(
            whole,
            severity=max((whole.severity, _severity(alert)), key=_rank),
            services=whole.services + added,
            alerts=(*whole.alerts, alert),
            reasons=(*whole.reasons, placed.reason),
        )
        rows.change(tx, whole.id, services=list(whole.services), severity=whole.severity)
        if alert.firing and whole.run is None and self._settings.triage:
            whole = replace(whole, run=self._triage(tx, whole.id))
        incidents[whole.id] = _settle(tx, whole)

    def _open(self, tx: Tx, alert: Alert) -> Incident:
        title = f"{alert.name} on {alert.service}" if alert.service else alert.name
        return self._add(tx, title, _severity(alert), (), ALERTS)

    def _add(self, tx: Tx, title: str, severity: str, services: Sequence[str], actor: Actor) -> Incident:
        incident, now = new_id("inc"), tx.now()
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

    def _triage(self, tx: Tx, incident: str, actor: Actor = ALERTS, *, again: bool = False, text: str = "") -> str:
        """Start the run of an incident; for alerts a moment later, so that it sees those that come with the first."""
        origin = Origin.ALERT if actor is ALERTS else Origin.ASKED
        talk = conversations.of_incident(tx.conn, incident)
        request = Request(
            actor=actor,
            origin=origin,
            place=f"incident:{incident}",
            text=text,
            incident=incident,
            conversation=talk.id if talk else None,
        )
        run = runs.create(tx, request, self._planner_of(request))
        if again:
            rows.change(tx, incident, run=run)
        else:
            rows.give_run(tx, incident, run)
        if talk:
            conversations.set_run(tx, talk.id, run)
        if origin is Origin.ALERT:
            runs.defer(tx, run, "alerts:settle", tx.now() + int(self._settings.triage_after_seconds * 1000))
        tx.touch(rows.chain(incident))
        return run


def _same(one: Alert, other: Alert) -> bool:
    return (one.starts_at, one.fingerprint, one.source) == (other.starts_at, other.fingerprint, other.source)


def _settle(tx: Tx, incident: Incident) -> Incident:
    """Move an incident to the state its alerts say, and return it so."""
    firing = any(alert.firing for alert in incident.alerts)
    if firing and incident.state is not IncidentState.OPEN:
        _move(tx, incident.id, IncidentState.OPEN, "an alert fires again")
        return replace(incident, state=IncidentState.OPEN, mitigated_at=None, resolved_at=None)
    if not firing and incident.state is IncidentState.OPEN:
        _move(tx, incident.id, IncidentState.MITIGATED, "no alert fires any more")
        return replace(incident, state=IncidentState.MITIGATED, mitigated_at=tx.now())
    return incident


def _move(tx: Tx, incident: str, to: IncidentState, reason: str, actor: Actor = ALERTS) -> None:
    times: dict[IncidentState, dict[str, int | None]] = {
        IncidentState.OPEN: {"mitigated_at": None, "resolved_at": None},
        IncidentState.MITIGATED: {"mitigated_at": tx.now()},
        IncidentState.RESOLVED: {"resolved_at": tx.now()},
    }
    rows.change(tx, incident, state=to, **times[to])
    kind = "reopened" if to is IncidentState.OPEN else str(to)
    tx.audit(rows.chain(incident), f"incident.{kind}", actor.id, reason=reason)


def _severity(alert: Alert) -> str:
    return alert.labels.get("severity", "warning")


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else SEVERITIES.index("warning")
