"""Which incidents are worth another look: what has changed since a run looked into them, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from sysop.incidents.moves import UNSAID, place_of, rank
from sysop.model import IncidentState
from sysop.store import approvals, conversations
from sysop.store import tables as t
from sysop.store.approvals import DENIAL_HOLDS_MS
from sysop.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Symptom:
    """What tells whether an alert says more than those before it."""

    name: str
    service: str
    severity: str


def changed(conn: Connection, after_ms: int, most: int) -> list[tuple[str, str]]:
    """Return (incident, why) of those that are not what their last run saw, which ended at least `after_ms` ago.

    None that was looked into `most` times, or that a run is looking into right now. What came while the last run was
    under way counts: a run goes by the incident as it saw it first, and may wait long for people.
    """
    old_enough = t.run.c.finished_at <= Tx(conn).now() - after_ms
    grown = t.incident.c.changed_at > t.run.c.created_at
    joined = t.incident.join(t.run, t.incident.c.run == t.run.c.id)
    rows = select(t.incident.c.id, t.incident.c.run, t.run.c.finished_at).select_from(joined)
    found = []
    for row in conn.execute(rows.where(t.incident.c.state == IncidentState.OPEN, old_enough, grown)):
        if _looks(conn, row.id) < most and not _busy(conn, row.id) and (why := _why(conn, *row)):
            found.append((row.id, why))
    return found


def material(seen: Collection[Symptom], firing: Iterable[Symptom], *, further_counts: bool = True) -> str | None:
    """Say what fires that makes another look worth while; None when it is more of what was seen.

    `further_counts` False where it is not news that the incident reaches more services.
    """
    worst = max((one.severity for one in seen), key=rank, default="none")
    known = {one.service for one in seen}
    further: dict[str, None] = {}
    for one in firing:
        if rank(one.severity) > rank(worst):
            return f"{one.name} is {one.severity}, and nothing was worse than {worst} before"
        if further_counts and one.service and one.service not in known:
            further[one.service] = None
    return f"it has reached {', '.join(further)}" if further else None


def _why(conn: Connection, incident: str, run: str, finished_at: int) -> str | None:
    firing = _symptoms(conn, incident, t.alert.c.ends_at.is_(None))
    if not firing:
        return None
    request = conn.scalar(select(t.run.c.request).where(t.run.c.id == run)) or {}
    # whoever has denied a change has taken the incident in hand: that it spreads meanwhile is what they know already
    spreads = approvals.denial(conn, incident, Tx(conn).now() - DENIAL_HOLDS_MS) is None
    if "incident" in request:
        return material([_seen(one) for one in request["incident"]["alerts"]], firing, further_counts=spreads)
    # it ended before it looked, by a person's word say: what was there by then is no reason for another one
    return material(_symptoms(conn, incident, t.alert.c.placed <= finished_at), firing, further_counts=spreads)


def _symptoms(conn: Connection, incident: str, which: Any) -> list[Symptom]:
    """Return what some alerts of an incident say, each once, in order of the first of its kind."""
    labels = (t.alert.c.labels[name].as_string() for name in ("alertname", "service", "severity"))
    name, service, severity = (label.label(as_) for label, as_ in zip(labels, ("name", "of", "how"), strict=True))
    query = select(name, service, severity, func.min(t.alert.c.starts_at).label("first"))
    rows = conn.execute(query.where(t.alert.c.incident == incident, which).group_by(name, service, severity))
    ordered = sorted(rows, key=lambda row: (row.first, row.name or ""))
    return [Symptom(row.name or "alert", row.of or "", row.how or UNSAID) for row in ordered]


def _seen(alert: Mapping[str, Any]) -> Symptom:
    """Return an alert as a run saw it."""
    return Symptom(alert["name"], alert["service"], alert["labels"].get("severity") or UNSAID)


def _looks(conn: Connection, incident: str) -> int:
    mine = (t.run.c.incident == incident) & (t.run.c.place == place_of(incident))
    return conn.scalar(select(func.count()).select_from(t.run).where(mine)) or 0


def _busy(conn: Connection, incident: str) -> bool:
    talk = conversations.of_incident(conn, incident)
    if talk is None or talk.run is None:
        return False
    return conn.scalar(select(t.run.c.finished_at).where(t.run.c.id == talk.run)) is None
