"""Incidents and their alerts as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, exists, func, insert, select, text, update

from sysop.errors import NoSuch
from sysop.model import Incident, IncidentState
from sysop.store import alerts
from sysop.store import tables as t
from sysop.store.writer import Tx

_PLACING = 0x5359_0001


@dataclass(frozen=True, slots=True)
class Brief:
    """An incident without its alerts, and how many there are and fire."""

    incident: Incident
    alerts: int = 0
    firing: int = 0


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


def head(conn: Connection, incident: str) -> Incident:
    """Return an incident without its alerts. Raises NoSuch for an unknown id."""
    found = heads(conn, [incident]).get(incident)
    if found is None:
        raise NoSuch("incident", incident)
    return found


def standing(conn: Connection, incident: str) -> str:
    """Return the incident that this one is part of by now, itself where it is part of none."""
    found = head(conn, incident)
    while found.merged_into is not None:
        found = head(conn, found.merged_into)
    return found.id


def open_heads(conn: Connection) -> list[Incident]:
    """Return every incident that is not resolved, oldest first, without their alerts."""
    live = t.incident.c.state != IncidentState.RESOLVED
    rows = conn.execute(select(t.incident).where(live).order_by(t.incident.c.opened_at, t.incident.c.id))
    return [_assemble(row, ()) for row in rows]


def briefs(conn: Connection, limit: int) -> tuple[list[Brief], int]:
    """Return the newest of the incidents that are not resolved, and how many there are in all."""
    every = open_heads(conn)
    newest = every[: -limit - 1 : -1]
    mine = t.alert.c.incident.in_([one.id for one in newest])
    fires = func.count().filter(t.alert.c.ends_at.is_(None))
    query = select(t.alert.c.incident, func.count(), fires).where(mine).group_by(t.alert.c.incident)
    counts = {row[0]: (row[1], row[2]) for row in conn.execute(query)} if newest else {}
    return [Brief(one, *counts.get(one.id, ())) for one in newest], len(every)


def listed(conn: Connection, *, open_only: bool = False, limit: int = 50) -> list[Incident]:
    """Return incidents, newest first, for showing; what decides uses `unresolved`."""
    query = select(t.incident).order_by(t.incident.c.opened_at.desc(), t.incident.c.id).limit(limit)
    if open_only:
        query = query.where(t.incident.c.state != IncidentState.RESOLVED)
    return _whole(conn, conn.execute(query).all())


def unresolved(conn: Connection) -> list[Incident]:
    """Return every incident that is not resolved, oldest first, in two queries however many there are."""
    live = t.incident.c.state != IncidentState.RESOLVED
    rows = conn.execute(select(t.incident).where(live).order_by(t.incident.c.opened_at, t.incident.c.id)).all()
    return _whole(conn, rows)


def heads(conn: Connection, incidents: Iterable[str]) -> dict[str, Incident]:
    """Return these incidents by their ids, without their alerts."""
    wanted = list(dict.fromkeys(incidents))
    rows = conn.execute(select(t.incident).where(t.incident.c.id.in_(wanted))).all() if wanted else []
    return {row.id: _assemble(row, ()) for row in rows}


def _whole(conn: Connection, rows: Sequence[Row[Any]]) -> list[Incident]:
    members = alerts.of_incidents(conn, [row.id for row in rows])
    return [_assemble(row, members[row.id]) for row in rows]


def mitigated(conn: Connection) -> list[tuple[str, int]]:
    """Return (incident, since when) of those without a firing alert."""
    query = select(t.incident.c.id, t.incident.c.mitigated_at).where(t.incident.c.state == IncidentState.MITIGATED)
    return [(row.id, row.mitigated_at) for row in conn.execute(query)]


def unsettled(conn: Connection) -> set[str]:
    """Return the incidents whose state is not what their alerts say."""
    mine = t.alert.c.incident == t.incident.c.id
    fires = exists().where(mine, t.alert.c.ends_at.is_(None))
    quiet = (t.incident.c.state == IncidentState.OPEN) & exists().where(mine) & ~fires
    again = (t.incident.c.state == IncidentState.MITIGATED) & fires
    return set(conn.scalars(select(t.incident.c.id).where(quiet | again)))


def add(tx: Tx, **values: Any) -> None:
    """Insert an incident."""
    tx.conn.execute(insert(t.incident).values(**values))


def change(tx: Tx, incident: str, **values: Any) -> None:
    """Change an incident's columns."""
    tx.conn.execute(update(t.incident).where(t.incident.c.id == incident).values(changed_at=tx.now(), **values))


def authors(conn: Connection, incident: str, place: str) -> list[str]:
    """Return whose words an incident quotes, and who asked with words of their own for it to be looked into."""
    quoted = conn.scalar(select(t.incident.c.quoted).where(t.incident.c.id == incident)) or []
    mine = (t.run.c.incident == incident) & (t.run.c.place == place) & (t.run.c.text != "")
    return [*quoted, *(who for some in conn.scalars(select(t.run.c.requesters).where(mine)) for who in some)]


def give_run(tx: Tx, incident: str, run: str) -> bool:
    """Make a run the one triage run of an incident; False if it has one."""
    free = (t.incident.c.id == incident) & t.incident.c.run.is_(None)
    return bool(tx.conn.execute(update(t.incident).where(free).values(run=run)).rowcount)


def _incident(conn: Connection, row: Row[Any]) -> Incident:
    return _assemble(row, alerts.of_incidents(conn, [row.id])[row.id])


def _assemble(row: Row[Any], members: Sequence[alerts.Placed]) -> Incident:
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
        alerts=tuple(member.alert for member in members),
        reasons=tuple(member.reason for member in members),
        opened_by=row.opened_by,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        merged_into=row.merged_into,
        of_alerts=row.of_alerts,
        origins=tuple(row.origins),
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
