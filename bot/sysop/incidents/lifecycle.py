"""Incidents over time: opened by an alert, joined by others, mitigated when none fires, resolved after quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sysop.incidents.by_hand import ByHand
from sysop.incidents.correlate import CallPathCorrelator, Correlator
from sysop.incidents.moves import ALERTS, SEVERITIES, add, move, triage
from sysop.inventory import Inventory
from sysop.model import Alert, Incident, IncidentState, Request
from sysop.sections import IncidentSettings
from sysop.store import incidents as rows
from sysop.store.store import Store
from sysop.store.writer import Tx

CHUNK = 50
TURN_S = 0.05
"""So long one piece of a storm should keep the writer, which votes and the pause switch wait for."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery: occurrences seen for the first time, ended, and known already."""

    new: int = 0
    ended: int = 0
    known: int = 0


class Lifecycle(ByHand):
    """Takes alerts in and moves incidents on, beside what people do by hand.

    The final state does not depend on order or repetition of deliveries.
    """

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        settings: IncidentSettings,
        planner_of: Callable[[Request], str],
        correlator: Correlator | None = None,
    ) -> None:
        super().__init__(store, inventory, planner_of)
        self._settings = settings
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
                    move(tx, incident, IncidentState.RESOLVED, f"no alert fired for {quiet_ms // 1000} s")

        await self._store.write(unit)

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
        tx.touch(rows.chain(incident))  # also of one that is resolved: what is shown of it tells what fires still
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
            after_ms = int(self._settings.triage_after_seconds * 1000)
            whole = replace(whole, run=triage(tx, whole.id, ALERTS, self._planner_of, after_ms=after_ms))
        incidents[whole.id] = _settle(tx, whole)

    def _open(self, tx: Tx, alert: Alert) -> Incident:
        title = f"{alert.name} on {alert.service}" if alert.service else alert.name
        return add(tx, title, _severity(alert), (), ALERTS)


def _same(one: Alert, other: Alert) -> bool:
    return (one.starts_at, one.fingerprint, one.source) == (other.starts_at, other.fingerprint, other.source)


def _settle(tx: Tx, incident: Incident) -> Incident:
    """Move an incident to the state its alerts say, and return it so; one that is resolved stays so."""
    if incident.firing and incident.state is IncidentState.MITIGATED:
        move(tx, incident.id, IncidentState.OPEN, "an alert fires again")
        return replace(incident, state=IncidentState.OPEN, mitigated_at=None, resolved_at=None)
    if not incident.firing and incident.state is IncidentState.OPEN:
        move(tx, incident.id, IncidentState.MITIGATED, "no alert fires any more")
        return replace(incident, state=IncidentState.MITIGATED, mitigated_at=tx.now())
    return incident


def _severity(alert: Alert) -> str:
    return alert.labels.get("severity", "warning")


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else SEVERITIES.index("warning")
