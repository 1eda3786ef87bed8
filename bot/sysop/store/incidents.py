"""Incidents and their alerts as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from sysop.errors import NoSuch
from sysop.model import Alert, Incident, IncidentState
from sysop.store import tables as t
from sysop.store.writer import Tx

_PLACING = 0x5359_0001


def chain(incident: str) -> str:
    """Return the audit chain of an incident."""
    return f"incident:{incident}"


def lock(tx: Tx) -> None:
    """Let one transaction at a time place alerts: two at once would each open an incident for the other's."""
    if tx.postgres:
        tx.conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PLACING})


def load(conn: Connection, incident: str) -> Incident:
    """Return an incident with its alerts. Raises NoSuch for an unknown id."""
    found = find(conn, incident)
    if found is None:
        raise NoSuch("incident", incident)
    return found


def find(conn: Connection, incident: str) -> Incident | None:
    """Return an incident with its alerts, if there is one of this id."""
    row = conn.execute(select(t.incident).where(t.incident.c.id == incident)).first()
    return _incident(conn, row) if row else None


def listed(conn: Connection, *, open_only: bool = False, limit: int = 50) -> list[Incident]:
    """Return incidents, newest first, for showing; what decides uses `unresolved`."""
    query = select(t.incident).order_by(t.incident.c.opened_at.desc()).limit(limit)
    if open_only:
        query = query.where(t.incident.c.state != IncidentState.RESOLVED)
    return [_incident(conn, row) for row in conn.execute(query)]


def unresolved(conn: Connection) -> list[Incident]:
    """Return every incident that is not resolved, oldest first, in two queries however many there are."""
    live = t.incident.c.state != IncidentState.RESOLVED
    rows = conn.execute(select(t.incident).where(live).order_by(t.incident.c.opened_at, t.incident.c.id)).all()
    members: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    mine = select(t.alert).join(t.incident, t.alert.c.incident == t.incident.c.id).where(live)
    for member in conn.execute(mine.order_by(t.alert.c.starts_at)):
        members[member.incident].append(member)
    return [_assemble(row, members[row.id]) for row in rows]


def mitigated(conn: Connection) -> list[tuple[str, int]]:
    """Return (incident, since when) of those without a firing alert."""
    query = select(t.incident.c.id, t.incident.c.mitigated_at).where(t.incident.c.state == IncidentState.MITIGATED)
    return [(row.id, row.mitigated_at) for row in conn.execute(query)]


def alerts(conn: Connection, *, firing_only: bool = False, limit: int = 200) -> list[tuple[Alert, str, str]]:
    """Return (alert, incident, reason), newest first."""
    query = select(t.alert).order_by(t.alert.c.starts_at.desc()).limit(limit)
    if firing_only:
        query = query.where(t.alert.c.ends_at.is_(None))
    return [(_alert(row), row.incident, row.reason) for row in conn.execute(query)]


def find_alert(conn: Connection, alert: Alert) -> tuple[Alert, str] | None:
    """Return the stored occurrence of an alert and its incident."""
    row = conn.execute(select(t.alert).where(_is(alert))).first()
    return (_alert(row), row.incident) if row else None


def add_alert(tx: Tx, alert: Alert, incident: str, reason: str) -> None:
    """Insert an occurrence as a member of an incident."""
    tx.conn.execute(
        insert(t.alert).values(
            source=alert.source,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at,
            ends_at=alert.ends_at,
            labels=dict(alert.labels),
            annotations=dict(alert.annotations),
            url=alert.url,
            incident=incident,
            reason=reason,
            received_at=tx.now(),
        )
    )


def end_alert(tx: Tx, alert: Alert) -> None:
    """Store when an occurrence ended."""
    tx.conn.execute(update(t.alert).where(_is(alert)).values(ends_at=alert.ends_at))


def _is(alert: Alert) -> Any:
    mine = (t.alert.c.source == alert.source) & (t.alert.c.fingerprint == alert.fingerprint)
    return mine & (t.alert.c.starts_at == alert.starts_at)


def add(tx: Tx, **values: Any) -> None:
    """Insert an incident."""
    tx.conn.execute(insert(t.incident).values(**values))


def change(tx: Tx, incident: str, **values: Any) -> None:
    """Change an incident's columns."""
    tx.conn.execute(update(t.incident).where(t.incident.c.id == incident).values(changed_at=tx.now(), **values))


def give_run(tx: Tx, incident: str, run: str) -> bool:
    """Make a run the one triage run of an incident; False if it has one."""
    free = (t.incident.c.id == incident) & t.incident.c.run.is_(None)
    return bool(tx.conn.execute(update(t.incident).where(free).values(run=run)).rowcount)


def _incident(conn: Connection, row: Row[Any]) -> Incident:
    members = conn.execute(select(t.alert).where(t.alert.c.incident == row.id).order_by(t.alert.c.starts_at)).all()
    return _assemble(row, members)


def _assemble(row: Row[Any], members: Sequence[Row[Any]]) -> Incident:
    return Incident(
        id=row.id,
        state=IncidentState(row.state),
        title=row.title,
        severity=row.severity,
        services=tuple(row.services),
        opened_at=row.opened_at,
        mitigated_at=row.mitigated_at,
        resolved_at=row.resolved_at,
        run=row.run,
        alerts=tuple(_alert(member) for member in members),
        reasons=tuple(member.reason for member in members),
        opened_by=row.opened_by,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
    )


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        row.source, row.fingerprint, row.starts_at, row.ends_at, dict(row.labels), dict(row.annotations), row.url
    )


def as_json(incident: Incident) -> Mapping[str, Any]:
    """Return an incident as planners and expressions see it."""
    return {
        "id": incident.id,
        "state": str(incident.state),
        "title": incident.title,
        "severity": incident.severity,
        "service": incident.services[0] if incident.services else "",
        "services": list(incident.services),
        "opened_at": incident.opened_at,
        "alerts": [
            {
                "name": alert.name,
                "service": alert.service or "",
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "firing": alert.firing,
                "starts_at": alert.starts_at,
            }
            for alert in incident.alerts
        ],
    }
