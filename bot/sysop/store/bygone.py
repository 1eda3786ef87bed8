"""Incidents that are over, read as a whole: their alerts, what runs found and changed, what people wrote of them.

Read for thousands at once: a fixed number of statements for every few hundred, however much each of them went through.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import JSON, ColumnElement, Connection, Row, func, select, type_coerce

from sysop.model import EffectState, IncidentState, Risk
from sysop.store import notes, ratings
from sysop.store import tables as t
from sysop.store.notes import Notes, pieces
from sysop.store.ratings import Rated

MOST_ALERTS: Final = 50
MOST_RUNS: Final = 20
MOST_CHANGES: Final = 50
_OVER: Final = (IncidentState.MITIGATED, IncidentState.RESOLVED)
_LABELS: Any = type_coerce(t.alert.c.labels, JSON)
_NAME = func.coalesce(_LABELS["alertname"].as_string(), "alert")
_SERVICE = func.coalesce(_LABELS["service"].as_string(), "")
_ENVIRONMENT = func.coalesce(_LABELS["environment"].as_string(), "")


@dataclass(frozen=True, slots=True)
class Fired:
    """A kind of alert that an incident had. `service` and `environment` are empty where its labels name none."""

    name: str
    service: str
    environment: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A changing call of a run, with what became of it; `at` is when that was known, in milliseconds."""

    action: str
    target: str
    args: Mapping[str, Any]
    state: EffectState
    error: str
    verified: bool | None
    verification: str
    at: int


@dataclass(frozen=True, slots=True)
class Bygone:
    """An incident without a firing alert, with all that memory is made of. `found` are the conclusions of its runs."""

    id: str
    state: IncidentState
    title: str
    severity: str
    services: tuple[str, ...]
    opened_at: int
    mitigated_at: int | None
    resolved_at: int | None
    alerts: tuple[Fired, ...]
    found: tuple[Mapping[str, Any], ...]
    tried: tuple[Tried, ...]
    notes: Notes
    rated: Rated

    @property
    def over_at(self) -> int:
        """Return when its last alert had ended, or where none told so, when it was closed, in milliseconds."""
        return self.mitigated_at or self.resolved_at or self.opened_at


def shown_as(incident: str) -> str:
    """Return how a past incident is cited where it is shown."""
    return f"incident/{incident}"


def load(conn: Connection, limit: int) -> list[Bygone]:
    """Return the newest, newest first. Those that are part of another, or forgotten, are left out."""
    return _whole(conn, conn.execute(_over(None).limit(limit)).all())


def load_these(conn: Connection, ids: Iterable[str]) -> list[Bygone]:
    """Return those of these incidents that are over and not forgotten, newest first."""
    found = [row for piece in pieces(ids) for row in conn.execute(_over(t.incident.c.id.in_(piece)))]
    return _whole(conn, sorted(found, key=lambda row: (-row.opened_at, row.id)))


def ranked(conn: Connection, after: int, limit: int) -> list[tuple[int, str]]:
    """Return (when it was opened, id) of the incidents that come next after so many of the newest."""
    return [(row.opened_at, row.id) for row in conn.execute(_over(None).offset(after).limit(limit))]


def touched(conn: Connection, incidents: Iterable[str], runs: Iterable[str]) -> list[str]:
    """Return the ids of these incidents, of those that the runs are about, and of those that one of them is part of."""
    found = set(incidents)
    about = select(t.run.c.incident, t.conversation.c.incident.label("talk"))
    about = about.join_from(t.run, t.conversation, t.conversation.c.id == t.run.c.conversation, isouter=True)
    for piece in pieces(runs):
        for row in conn.execute(about.where(t.run.c.id.in_(piece))):
            found.update(filter(None, (row.incident, row.talk)))
    level = sorted(found)
    while level:
        above = select(t.incident.c.merged_into).where(t.incident.c.merged_into.is_not(None))
        into = {id for piece in pieces(level) for id in conn.scalars(above.where(t.incident.c.id.in_(piece)))}
        level = sorted(into - found)
        found |= into
    return sorted(found)


def _over(which: ColumnElement[bool] | None) -> Any:
    """Return the query of incidents that are over; one whose alerts were all held back after all is none."""
    c = t.incident.c
    real = c.opened_by.is_not(None) | select(t.alert.c.incident).where(t.alert.c.incident == c.id).exists()
    mine = c.state.in_(_OVER) & c.merged_into.is_(None) & c.id.not_in(notes.forgotten()) & real
    columns = (c.id, c.state, c.title, c.severity, c.services, c.opened_at, c.mitigated_at, c.resolved_at)
    return select(*columns).where(mine if which is None else mine & which).order_by(c.opened_at.desc(), c.id)


def _whole(conn: Connection, rows: Sequence[Row[Any]]) -> list[Bygone]:
    parts = notes.wholes(conn, [row.id for row in rows])
    said = notes.of_each(conn, parts)
    alerts = _alerts(conn, [row.id for row in rows])
    runs, found = _runs(conn, parts)
    tried = _tried(conn, runs)
    rated = ratings.counted(conn, [shown_as(row.id) for row in rows])
    return [
        Bygone(
            id=row.id,
            state=IncidentState(row.state),
            title=row.title,
            severity=row.severity,
            services=tuple(row.services),
            opened_at=row.opened_at,
            mitigated_at=row.mitigated_at,
            resolved_at=row.resolved_at,
            alerts=tuple(alerts[row.id][:MOST_ALERTS]),
            found=tuple(found[row.id][-MOST_RUNS:]),
            tried=tuple(sorted(tried[row.id], key=lambda one: one.at)[-MOST_CHANGES:]),
            notes=said[row.id],
            rated=rated.get(shown_as(row.id), Rated()),
        )
        for row in rows
        if said[row.id].forgotten is None
    ]


def _alerts(conn: Connection, ids: Sequence[str]) -> dict[str, list[Fired]]:
    """Return the kinds of alerts of each incident, the first first."""
    found: dict[str, list[Fired]] = defaultdict(list)
    parts = (_NAME.label("name"), _SERVICE.label("service"), _ENVIRONMENT.label("environment"))
    first = func.min(t.alert.c.starts_at)
    for piece in pieces(ids):
        rows = select(t.alert.c.incident, *parts).where(t.alert.c.incident.in_(piece))
        grouped = rows.group_by(t.alert.c.incident, *parts).order_by(first, *parts)
        for id, *fired in conn.execute(grouped):
            found[id].append(Fired(*fired))
    return found


def _runs(conn: Connection, parts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, list[Mapping[str, Any]]]]:
    """Return the incident of each run that may change something, and the conclusions of each incident's in order."""
    talks = _talks(conn, parts)
    runs: dict[str, str] = {}
    found: dict[str, list[tuple[int, str, Mapping[str, Any]]]] = defaultdict(list)
    c = t.run.c
    columns = (c.id, c.incident, c.conversation, c.request, c.conclusion, c.created_at)
    for piece, column in [*((p, c.incident) for p in pieces(parts)), *((p, c.conversation) for p in pieces(talks))]:
        for row in conn.execute(select(*columns).where(column.in_(piece))):
            if row.id in runs or row.request.get("read_only"):
                continue
            runs[row.id] = id = parts[row.incident] if row.incident in parts else talks[row.conversation]
            if row.conclusion:
                found[id].append((row.created_at, row.id, row.conclusion))
    told = {id: [one[2] for one in sorted(some, key=lambda one: one[:2])] for id, some in found.items()}
    return runs, defaultdict(list, told)


def _talks(conn: Connection, parts: Mapping[str, str]) -> dict[str, str]:
    """Return the incident of each conversation about one of these."""
    c = t.conversation.c
    found: dict[str, str] = {}
    for piece in pieces(parts):
        for row in conn.execute(select(c.id, c.incident).where(c.incident.in_(piece))):
            found[row.id] = parts[row.incident]
    return found


def _tried(conn: Connection, runs: Mapping[str, str]) -> dict[str, list[Tried]]:
    """Return the changing calls of each incident's runs that have begun."""
    e = t.effect.c
    found: dict[str, list[Tried]] = defaultdict(list)
    columns = (e.run, e.action, e.target, e.args, e.state, e.error, e.verified, e.verification)
    at = func.coalesce(e.finished_at, e.started_at, e.created_at).label("at")
    for piece in pieces(runs):
        mine = (e.risk != Risk.READ) & (e.state != EffectState.INTENT) & e.run.in_(piece)
        for row in conn.execute(select(*columns, at).where(mine).order_by(at, e.call)):
            found[runs[row.run]].append(_call(row))
    return found


def _call(row: Any) -> Tried:
    return Tried(
        action=row.action,
        target=row.target,
        args=json.loads(row.args),
        state=EffectState(row.state),
        error=row.error or "",
        verified=row.verified,
        verification=row.verification or "",
        at=row.at,
    )
