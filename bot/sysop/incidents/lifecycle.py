"""Incidents over time: opened by an alert, joined by others, mitigated when none fires, resolved after quiet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sysop.incidents.correlate import CallPathCorrelator, Correlator
from sysop.inventory import Inventory
from sysop.model import Actor, Alert, Incident, IncidentState, Origin, Request, new_id
from sysop.settings import IncidentSettings
from sysop.store import incidents as rows
from sysop.store import runs
from sysop.store.store import Store
from sysop.store.writer import Tx

ALERTS = Actor("service:alerts")
_SEVERITIES = ("none", "info", "warning", "error", "critical", "page")


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
        self._settings = settings
        self._planner_of = planner_of
        self._correlator = correlator or CallPathCorrelator(inventory, settings.join_within_seconds)

    async def take(self, alerts: Iterable[Alert]) -> Taken:
        """Store a delivery and everything that follows from it; durable on return."""
        given = tuple(alerts)

        def unit(tx: Tx) -> Taken:
            rows.lock(tx)
            done = [self._take_one(tx, alert) for alert in given]
            return Taken(done.count("new"), done.count("ended"), done.count("known"))

        return await self._store.write(unit)

    async def tick(self) -> None:
        """Resolve what has been quiet long enough."""
        quiet_ms = self._settings.quiet_seconds * 1000
        open_now = await self._store.read(lambda conn: rows.listed(conn, open_only=True))
        if not any(i.state is IncidentState.MITIGATED for i in open_now):
            return

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            for incident in rows.listed(tx.conn, open_only=True):
                since = incident.mitigated_at
                if incident.state is IncidentState.MITIGATED and since is not None and tx.now() - since >= quiet_ms:
                    _move(tx, incident, IncidentState.RESOLVED, f"no alert fired for {quiet_ms // 1000} s")

        await self._store.write(unit)

    def _take_one(self, tx: Tx, alert: Alert) -> str:
        known = rows.find_alert(tx.conn, alert)
        if known is None:
            self._join(tx, alert)
            return "new"
        stored, incident = known
        if alert.ends_at is None or alert.ends_at == stored.ends_at:
            return "known"  # a firing that arrives after its end changes nothing
        rows.end_alert(tx, alert)
        _settle(tx, rows.load(tx.conn, incident))
        return "ended"

    def _join(self, tx: Tx, alert: Alert) -> None:
        placed = self._correlator.place(alert, rows.listed(tx.conn, open_only=True))
        incident = placed.incident or self._open(tx, alert)
        rows.add_alert(tx, alert, incident, placed.reason)
        facts = {"alert": alert.name, "service": alert.service, "fingerprint": alert.fingerprint}
        tx.audit(rows.chain(incident), "incident.joined", ALERTS.id, reason=placed.reason, **facts)
        whole = rows.load(tx.conn, incident)
        severity = max((whole.severity, _severity(alert)), key=_rank)
        services = [
            *whole.services,
            *([alert.service] if alert.service and alert.service not in whole.services else []),
        ]
        rows.change(tx, incident, services=services, severity=severity)
        _settle(tx, rows.load(tx.conn, incident))
        if alert.firing and whole.run is None and self._settings.triage:
            self._triage(tx, incident)

    def _open(self, tx: Tx, alert: Alert) -> str:
        incident, now = new_id("inc"), tx.now()
        title = f"{alert.name} on {alert.service}" if alert.service else alert.name
        rows.add(
            tx,
            id=incident,
            state=IncidentState.OPEN,
            title=title,
            severity=_severity(alert),
            services=[],
            opened_at=now,
            changed_at=now,
        )
        tx.audit(rows.chain(incident), "incident.opened", ALERTS.id, title=title, severity=_severity(alert))
        return incident

    def _triage(self, tx: Tx, incident: str) -> None:
        """Start the one run of an incident, a moment later so that it sees the alerts that come with the first."""
        request = Request(actor=ALERTS, origin=Origin.ALERT, place=f"incident:{incident}", incident=incident)
        run = runs.create(tx, request, self._planner_of(request))
        if rows.give_run(tx, incident, run):
            runs.defer(tx, run, "alerts:settle", tx.now() + int(self._settings.triage_after_seconds * 1000))


def _settle(tx: Tx, incident: Incident) -> None:
    firing = any(alert.firing for alert in incident.alerts)
    if firing and incident.state is not IncidentState.OPEN:
        _move(tx, incident, IncidentState.OPEN, "an alert fires again")
    elif not firing and incident.state is IncidentState.OPEN:
        _move(tx, incident, IncidentState.MITIGATED, "no alert fires any more")


def _move(tx: Tx, incident: Incident, to: IncidentState, reason: str) -> None:
    times: dict[IncidentState, dict[str, int | None]] = {
        IncidentState.OPEN: {"mitigated_at": None, "resolved_at": None},
        IncidentState.MITIGATED: {"mitigated_at": tx.now()},
        IncidentState.RESOLVED: {"resolved_at": tx.now()},
    }
    rows.change(tx, incident.id, state=to, **times[to])
    kind = "reopened" if to is IncidentState.OPEN else str(to)
    tx.audit(rows.chain(incident.id), f"incident.{kind}", ALERTS.id, reason=reason)


def _severity(alert: Alert) -> str:
    return alert.labels.get("severity", "warning")


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else _SEVERITIES.index("warning")
