"""Alerts as rows: taken in, then placed in an incident or held back, each with the reason why."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, tuple_, update

from sysop.model import Alert
from sysop.store import tables as t
from sysop.store.writer import Tx

PIECE = 200
"""Keys in one statement."""
_INTAKE = 0x5359_0002

Key = tuple[str, str, int]
"""What tells occurrences apart: source, fingerprint, start in milliseconds."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An alert and where it is. Without an incident it is held back, or, while `placed` is None, waits its turn."""

    alert: Alert
    incident: str | None
    reason: str
    why: tuple[Mapping[str, Any], ...]
    placed: int | None
    pinned_by: str | None
    silence: str | None
    received_at: int
    end_implied: bool = False
    """Whether no more than an ending tells of its end: what its own source says of it counts for more."""

    @property
    def key(self) -> Key:
        """Return what tells this occurrence from every other one."""
        return key_of(self.alert)


@dataclass(frozen=True, slots=True)
class Put:
    """Where an alert goes, and why; `incident` None holds it back."""

    key: Key
    incident: str | None
    reason: str
    why: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Digest:
    """What the alerts of an incident come to: how many there are and fire, the services in order of their first."""

    alerts: int
    firing: int
    services: tuple[str, ...]
    severities: frozenset[str | None]


def key_of(alert: Alert) -> Key:
    """Return what tells an occurrence from every other one."""
    return alert.source, alert.fingerprint, alert.starts_at


def lock(tx: Tx) -> None:
    """Let one transaction at a time take alerts in: two at once would insert the same ones, and one be refused."""
    if tx.postgres:
        tx.conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _INTAKE})


def find(conn: Connection, keys: Iterable[Key]) -> dict[Key, Placed]:
    """Return what is stored of these occurrences."""
    found: dict[Key, Placed] = {}
    for piece in pieces(list(keys)):
        for row in conn.execute(select(t.alert).where(among(piece))):
            one = _placed(row)
            found[one.key] = one
    return found


def add(tx: Tx, alerts: Sequence[Alert], silences: Mapping[Key, str], implied: Container[Key] = ()) -> None:
    """Insert occurrences that wait to be placed; `silences` names the silence of each that falls under one.

    `implied` are those whose end is an ending's word.
    """
    now = tx.now()
    rows = [
        {
            "source": alert.source,
            "fingerprint": alert.fingerprint,
            "starts_at": alert.starts_at,
            "ends_at": alert.ends_at,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "url": alert.url,
            "reason": silenced_by(silences.get(key_of(alert))),
            "received_at": now,
            "silence": silences.get(key_of(alert)),
            "end_implied": key_of(alert) in implied,
        }
        for alert in alerts
    ]
    if rows:
        tx.conn.execute(insert(t.alert), rows)


def silenced_by(silence: str | None) -> str:
    """Return the reason why an occurrence that a silence covers is held back, "" where none does."""
    return f"silence {silence} covers it" if silence else ""


def end(tx: Tx, alert: Alert, *, implied: bool = False) -> None:
    """Store when an occurrence ended, and whether that is no more than an ending's word."""
    tx.conn.execute(update(t.alert).where(_is(key_of(alert))).values(ends_at=alert.ends_at, end_implied=implied))


def place(tx: Tx, key: Key, incident: str | None, reason: str, why: Sequence[Mapping[str, Any]], round: int) -> None:
    """Put an occurrence into an incident, or hold it back, and say why."""
    place_all(tx, [Put(key, incident, reason, why)], round)


_PLACE = (
    update(t.alert)
    .where(
        t.alert.c.source == bindparam("its_source"),
        t.alert.c.fingerprint == bindparam("its_fingerprint"),
        t.alert.c.starts_at == bindparam("its_start"),
    )
    .values(
        incident=bindparam("to"), reason=bindparam("because"), why=bindparam("grounds"), placed=bindparam("in_round")
    )
)


def place_all(tx: Tx, puts: Iterable[Put], round: int) -> None:
    """Put occurrences where they belong, by one statement for all, in order of their keys."""
    rows = [
        {
            "its_source": put.key[0],
            "its_fingerprint": put.key[1],
            "its_start": put.key[2],
            "to": put.incident,
            "because": put.reason,
            "grounds": list(put.why),
            "in_round": round,
        }
        for put in sorted(puts, key=lambda put: put.key)
    ]
    if rows:
        tx.conn.execute(_PLACE, rows)


def digest(conn: Connection, incident: str) -> Digest:
    """Return what the alerts of an incident come to, however many there are."""
    service, severity = t.alert.c.labels["service"].as_string(), t.alert.c.labels["severity"].as_string()
    facts = (
        service.label("service"),
        severity.label("severity"),
        func.count().label("alerts"),
        func.count().filter(t.alert.c.ends_at.is_(None)).label("firing"),
        func.min(t.alert.c.starts_at).label("first"),
    )
    query = select(*facts).where(t.alert.c.incident == incident).group_by(service, severity)
    rows = sorted(conn.execute(query), key=lambda row: (row.first, row.service or ""))
    return Digest(
        alerts=sum(row.alerts for row in rows),
        firing=sum(row.firing for row in rows),
        services=tuple(dict.fromkeys(row.service for row in rows if row.service)),
        severities=frozenset(row.severity for row in rows),
    )


def explain(tx: Tx, key: Key, reason: str, why: Sequence[Mapping[str, Any]]) -> None:
    """Say anew why an occurrence is where it is."""
    tx.conn.execute(update(t.alert).where(_is(key)).values(reason=reason, why=list(why)))


def pin(tx: Tx, keys: Iterable[Key], incident: str, by: str, reason: str) -> None:
    """Put occurrences into an incident because a person says so: neither correlation nor a silence holds them now."""
    for piece in pieces(list(keys)):
        mine = update(t.alert).where(among(piece))
        tx.conn.execute(mine.values(incident=incident, pinned_by=by, reason=reason, placed=tx.now(), silence=None))


def keep(tx: Tx, keys: Iterable[Key], by: str) -> None:
    """Leave occurrences where they are because a person says so; correlation moves them no more."""
    for piece in pieces(list(keys)):
        mine = among(piece) & t.alert.c.pinned_by.is_(None)
        tx.conn.execute(update(t.alert).where(mine).values(pinned_by=by))


def free(tx: Tx, key: Key) -> None:
    """Leave it to correlation again where an occurrence belongs: it waits to be placed, where it is."""
    tx.conn.execute(update(t.alert).where(_is(key)).values(pinned_by=None, placed=None))


def stay(tx: Tx, keys: Iterable[Key], round: int) -> None:
    """Note that occurrences which waited were placed where they are."""
    for piece in pieces(sorted(keys)):
        tx.conn.execute(update(t.alert).where(among(piece)).values(placed=round))


def hush(tx: Tx, silences: Mapping[Key, str]) -> None:
    """Put occurrences that are in no incident under the silences that cover them; they wait until those end."""
    for silence in sorted(set(silences.values())):
        for piece in pieces([key for key, covers in sorted(silences.items()) if covers == silence]):
            quiet: dict[str, Any] = {"silence": silence, "reason": silenced_by(silence), "why": [], "placed": None}
            tx.conn.execute(update(t.alert).where(among(piece)).values(**quiet))


def waiting(conn: Connection, limit: int) -> list[Placed]:
    """Return occurrences that nobody has placed yet and no silence covers, the earliest first."""
    mine = t.alert.c.placed.is_(None) & t.alert.c.silence.is_(None)
    rows = select(t.alert).where(mine).order_by(t.alert.c.starts_at, t.alert.c.fingerprint)
    return [_placed(row) for row in conn.execute(rows.limit(limit))]


def backlog(conn: Connection) -> tuple[int, int | None]:
    """Return how many occurrences wait to be placed, and since when the first of them does."""
    mine = t.alert.c.placed.is_(None) & t.alert.c.silence.is_(None)
    row = conn.execute(select(func.count(), func.min(t.alert.c.received_at)).where(mine)).one()
    return int(row[0]), row[1]


def placed_since(conn: Connection, since: int, limit: int) -> list[Placed]:
    """Return the newest occurrences that started at this time or later and were placed, in order of their start."""
    mine = t.alert.c.placed.is_not(None) & t.alert.c.silence.is_(None) & (t.alert.c.starts_at >= since)
    rows = conn.execute(select(t.alert).where(mine).order_by(t.alert.c.starts_at.desc()).limit(limit)).all()
    return [_placed(row) for row in reversed(rows)]


def listed(conn: Connection, *, firing_only: bool = False, held_only: bool = False, limit: int = 200) -> list[Placed]:
    """Return occurrences, newest first, for showing."""
    query = select(t.alert).order_by(t.alert.c.starts_at.desc(), t.alert.c.fingerprint).limit(limit)
    if firing_only:
        query = query.where(t.alert.c.ends_at.is_(None))
    if held_only:
        query = query.where(t.alert.c.incident.is_(None))
    return [_placed(row) for row in conn.execute(query)]


def newest_of(conn: Connection, fingerprint: str) -> Placed | None:
    """Return the newest occurrence with a fingerprint, of whichever source, if there is one."""
    mine = select(t.alert).where(t.alert.c.fingerprint == fingerprint)
    row = conn.execute(mine.order_by(t.alert.c.starts_at.desc(), t.alert.c.source).limit(1)).first()
    return _placed(row) if row else None


def of_incidents(conn: Connection, incidents: Iterable[str]) -> dict[str, list[Placed]]:
    """Return the members of incidents, in order of their start."""
    wanted = list(dict.fromkeys(incidents))
    members: dict[str, list[Placed]] = {incident: [] for incident in wanted}
    for start in range(0, len(wanted), PIECE):
        mine = select(t.alert).where(t.alert.c.incident.in_(wanted[start : start + PIECE]))
        for row in conn.execute(mine.order_by(t.alert.c.starts_at, t.alert.c.fingerprint)):
            members[row.incident].append(_placed(row))
    return members


def pieces(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Return keys in parts that one statement takes."""
    for start in range(0, len(keys), PIECE):
        yield keys[start : start + PIECE]


def among(keys: Iterable[Key]) -> Any:
    """Return the condition that an occurrence is one of these.

    Sources and fingerprints are named besides, since SQLite looks through the whole table for a list of tuples alone.
    """
    wanted = list(keys)
    sources, fingerprints = sorted({key[0] for key in wanted}), sorted({key[1] for key in wanted})
    near = t.alert.c.source.in_(sources) & t.alert.c.fingerprint.in_(fingerprints)
    return near & tuple_(t.alert.c.source, t.alert.c.fingerprint, t.alert.c.starts_at).in_(wanted)


def _is(key: Key) -> Any:
    source, fingerprint, starts_at = key
    mine = (t.alert.c.source == source) & (t.alert.c.fingerprint == fingerprint)
    return mine & (t.alert.c.starts_at == starts_at)


def _placed(row: Row[Any]) -> Placed:
    return Placed(
        alert=alert_of(row),
        incident=row.incident,
        reason=row.reason,
        why=tuple(row.why),
        placed=row.placed,
        pinned_by=row.pinned_by,
        silence=row.silence,
        received_at=row.received_at,
        end_implied=row.end_implied,
    )


def alert_of(row: Row[Any]) -> Alert:
    """Return the alert of a row."""
    return Alert(
        row.source, row.fingerprint, row.starts_at, row.ends_at, dict(row.labels), dict(row.annotations), row.url
    )
