"""Incidents looked back on: which there were, which alerts they had, what helped, how long they took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import JSON, Connection, case, func, select, type_coerce

from sysop.model import EffectState, IncidentState, Risk
from sysop.store import incidents, notes
from sysop.store import tables as t

MOST = 10_000
MOST_SIGHTINGS = 100_000
MOST_FIRED = 20_000
MOST_CALLS = 200
PIECE = 500
T = TypeVar("T")

_LABELS: Any = type_coerce(t.alert.c.labels, JSON)
_NAME = func.coalesce(_LABELS["alertname"].as_string(), "alert")
_SERVICE = func.coalesce(_LABELS["service"].as_string(), "")
_ENVIRONMENT = func.coalesce(_LABELS["environment"].as_string(), "")
_ORIGINS: Any = type_coerce(t.incident.c.origins, JSON)


@dataclass(frozen=True, slots=True)
class Past:
    """An incident that was opened before another. `origin` is the service of its likeliest origin, if one was found."""

    id: str
    state: IncidentState
    title: str
    opened_at: int
    mitigated_at: int | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert of an incident that is over. `service` and `environment` are empty where its labels name none."""

    name: str
    service: str
    environment: str
    starts_at: int
    over_at: int


@dataclass(frozen=True, slots=True)
class Helped:
    """A changing call that was done and whose post-check says that it helped."""

    incident: str
    run: str
    call: str
    action: str
    target: str
    verification: str
    at: int

    @property
    def evidence(self) -> str:
        """Return the id by which the call is cited."""
        return f"{self.run}:{self.call}"


@dataclass(frozen=True, slots=True)
class Span:
    """How long an incident took, in milliseconds since the epoch, with all that was merged into it.

    `began_at` is when the first of them was opened, `acknowledged_at` when somebody first looked after one of them,
    `mitigated_at` when the last of its alerts ended.
    """

    id: str
    severity: str
    services: tuple[str, ...]
    by_hand: bool
    opened_at: int
    acknowledged_at: int | None
    mitigated_at: int | None
    resolved_at: int | None
    began_at: int
    alerts: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """An incident that was merged into another."""

    id: str
    opened_at: int
    acknowledged_at: int | None


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many alerts started in a time, and how many of them were held back, silenced or wait to be placed."""

    alerts: int
    held: int
    silenced: int
    waiting: int


def before(conn: Connection, incident: str, opened_at: int, limit: int = MOST) -> list[Past]:
    """Return the newest incidents that were opened before one, without those that became part of another.

    One that somebody said to forget is left out, too.
    """
    c = t.incident.c
    origin = _ORIGINS[(0, "service")].as_string().label("origin")
    mine = (c.opened_at <= opened_at) & (c.id != incident) & c.merged_into.is_(None) & c.id.not_in(notes.forgotten())
    rows = select(c.id, c.state, c.title, c.opened_at, c.mitigated_at, origin).where(mine)
    found = conn.execute(rows.order_by(c.opened_at.desc(), c.id).limit(limit))
    return [
        Past(row.id, IncidentState(row.state), row.title, row.opened_at, row.mitigated_at, row.origin) for row in found
    ]


def sightings(
    conn: Connection, names: Sequence[str], since: int, limit: int = MOST_SIGHTINGS
) -> list[tuple[str, str, str]]:
    """Return (incident, alert name, service) once each, the newest first, for alerts of these names since a time."""
    mine = t.alert.c.incident.is_not(None) & (t.alert.c.starts_at >= since) & _NAME.in_(names)
    name, service = _NAME.label("name"), _SERVICE.label("service")
    newest = func.max(t.alert.c.starts_at).label("newest")
    rows = select(t.alert.c.incident, name, service, newest).where(mine).group_by(t.alert.c.incident, name, service)
    found = conn.execute(rows.order_by(newest.desc(), t.alert.c.incident, name, service).limit(limit))
    return [(row[0], row[1], row[2]) for row in found]


def firings(conn: Connection, since: int, until: int, limit: int = MOST_FIRED) -> list[Fired]:
    """Return the newest alerts that started at a time or later, of incidents that were over before another time."""
    a, over_at = t.alert.c, t.incident.c.resolved_at
    mine = (a.starts_at >= since) & (over_at < until)
    rows = select(_NAME, _SERVICE, _ENVIRONMENT, a.starts_at, over_at)
    rows = rows.join_from(t.alert, t.incident, a.incident == t.incident.c.id).where(mine)
    newest = rows.order_by(a.starts_at.desc(), a.fingerprint, a.source).limit(limit)
    return [Fired(*row) for row in conn.execute(newest)]


def widths(conn: Connection, chosen: Sequence[str]) -> dict[str, int]:
    """Return how many different alerts, by name and service, each of these incidents had."""
    seen = dict.fromkeys(chosen, 0)
    for piece in _pieces(chosen):
        rows = select(t.alert.c.incident, _NAME, _SERVICE).where(t.alert.c.incident.in_(piece)).distinct()
        for row in conn.execute(rows):
            seen[row[0]] += 1
    return seen


def helped(conn: Connection, chosen: Sequence[str]) -> dict[str, list[Helped]]:
    """Return the calls that helped in each of these incidents, oldest first."""
    found: dict[str, list[Helped]] = {id: [] for id in chosen}
    e, r = t.effect.c, t.run.c
    mine = r.incident.in_(chosen) & (e.risk != Risk.READ) & (e.state == EffectState.DONE) & e.verified.is_(True)
    columns = (r.incident, e.run, e.call, e.action, e.target, e.verification, e.finished_at, e.created_at)
    rows = select(*columns).join_from(t.run, t.effect, e.run == r.id).where(mine).order_by(e.finished_at, e.call)
    for row in conn.execute(rows.limit(MOST_CALLS)):
        at = row.finished_at or row.created_at
        found[row.incident].append(
            Helped(row.incident, row.run, row.call, row.action, row.target, row.verification or "", at)
        )
    return found


def held_between(conn: Connection, since: int, until: int) -> int:
    """Count the alerts that started in a time and were held back; silenced ones are no such."""
    mine = t.alert.c.incident.is_(None) & t.alert.c.placed.is_not(None) & t.alert.c.silence.is_(None)
    mine = mine & (t.alert.c.starts_at >= since) & (t.alert.c.starts_at <= until)
    return conn.scalar(select(func.count()).select_from(t.alert).where(mine)) or 0


def taken_in(conn: Connection, since: int, until: int) -> TakenIn:
    """Count the alerts that started in a time, by what became of them."""
    c = t.alert.c
    alone = c.incident.is_(None)
    silenced = alone & c.silence.is_not(None)
    held = alone & c.silence.is_(None) & c.placed.is_not(None)
    waiting = alone & c.silence.is_(None) & c.placed.is_(None)
    counts = [func.coalesce(func.sum(case((which, 1), else_=0)), 0) for which in (held, silenced, waiting)]
    row = conn.execute(select(func.count(), *counts).where(c.starts_at >= since, c.starts_at < until)).one()
    return TakenIn(*map(int, row))


def spans(conn: Connection, since: int, until: int, limit: int = MOST) -> tuple[list[Span], int]:
    """Return the newest incidents opened in a time, oldest of them first, and how many more there were.

    Those that became part of another are left out, and those that were opened for alerts which were held back after
    all.
    """
    c = t.incident.c
    mine = (c.opened_at >= since) & (c.opened_at < until) & c.merged_into.is_(None)
    mine = mine & (c.opened_by.is_not(None) | select(t.alert.c.incident).where(t.alert.c.incident == c.id).exists())
    every = conn.scalar(select(func.count()).select_from(t.incident).where(mine)) or 0
    wanted = (c.id, c.severity, c.services, c.opened_by, c.opened_at, c.acknowledged_at, c.mitigated_at, c.resolved_at)
    rows = conn.execute(select(*wanted).where(mine).order_by(c.opened_at.desc(), c.id).limit(limit)).all()
    found = [
        Span(
            id=row.id,
            severity=row.severity,
            services=tuple(row.services),
            by_hand=row.opened_by is not None,
            opened_at=row.opened_at,
            acknowledged_at=row.acknowledged_at,
            mitigated_at=row.mitigated_at,
            resolved_at=row.resolved_at,
            began_at=row.opened_at,
        )
        for row in reversed(rows)
    ]
    return _counted(conn, found), every - len(found)


def _counted(conn: Connection, found: Sequence[Span]) -> list[Span]:
    sizes = _sizes(conn, [one.id for one in found])
    parts = _parts(conn, [one.id for one in found])
    every: list[Span | _Part] = [*found, *(part for some in parts.values() for part in some)]
    first = _first_acknowledged(conn, [one.id for one in every if one.acknowledged_at is not None])
    return [_with_parts(one, parts.get(one.id, ()), sizes.get(one.id, 0), first) for one in found]


def _with_parts(one: Span, parts: Sequence[_Part], alerts: int, first: Mapping[str, int]) -> Span:
    every: list[Span | _Part] = [one, *parts]
    looked = [first.get(each.id, each.acknowledged_at) for each in every]
    return replace(
        one,
        alerts=alerts,
        began_at=min([one.opened_at, *(part.opened_at for part in parts)]),
        acknowledged_at=min((at for at in looked if at is not None), default=None),
    )


def _parts(conn: Connection, chosen: Sequence[str]) -> dict[str, list[_Part]]:
    """Return what was merged into each of these incidents, also by way of another."""
    c = t.incident.c
    found: dict[str, list[_Part]] = {}
    whole = {id: id for id in chosen}
    level = list(chosen)
    while level:
        below: list[str] = []
        for piece in _pieces(level):
            rows = select(c.id, c.merged_into, c.opened_at, c.acknowledged_at).where(c.merged_into.in_(piece))
            for row in conn.execute(rows):
                if row.id not in whole:
                    whole[row.id] = whole[row.merged_into]
                    part = _Part(row.id, row.opened_at, row.acknowledged_at)
                    found.setdefault(whole[row.id], []).append(part)
                    below.append(row.id)
        level = below
    return found


def _sizes(conn: Connection, chosen: Sequence[str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for piece in _pieces(chosen):
        rows = select(t.alert.c.incident, func.count()).where(t.alert.c.incident.in_(piece))
        sizes.update({row[0]: row[1] for row in conn.execute(rows.group_by(t.alert.c.incident))})
    return sizes


def _first_acknowledged(conn: Connection, chosen: Sequence[str]) -> dict[str, int]:
    """Return when somebody first looked after each incident: its row has only who does so now, and since when."""
    times: dict[str, int] = {}
    for piece in _pieces(chosen):
        chains = {incidents.chain(id): id for id in piece}
        mine = t.audit.c.chain.in_(list(chains)) & (t.audit.c.kind == "incident.acknowledged")
        rows = select(t.audit.c.chain, func.min(t.audit.c.ts)).where(mine).group_by(t.audit.c.chain)
        times.update({chains[row[0]]: row[1] for row in conn.execute(rows)})
    return times


def _pieces(chosen: Iterable[T]) -> Iterator[Sequence[T]]:
    every = list(chosen)
    for start in range(0, len(every), PIECE):
        yield every[start : start + PIECE]
