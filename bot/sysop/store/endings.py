"""Endings as rows: word that an alert ended, from sources that do not say which occurrence of it did.

They are kept, so that an occurrence that comes later than the word of its end has ended all the same. What a source
says of one occurrence counts for more, whichever came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, tuple_

from sysop.model import Alert
from sysop.store import tables as t
from sysop.store.alerts import Key, key_of
from sysop.store.writer import Tx

KEPT_MS = 3 * 24 * 3_600_000
"""So long senders may try again to tell of an alert: GitHub lets people do so for three days."""

Named = tuple[str, str]
"""Source and fingerprint."""


def add(tx: Tx, endings: Sequence[Alert]) -> list[Alert]:
    """Store endings, and return the stored occurrences that they end, each as it has ended by now.

    None whose end its source has told by itself.
    """
    if not endings:
        return []
    wanted = {_row(ending) for ending in endings}
    mine = _named_so((ending.source, ending.fingerprint) for ending in endings) & tuple_(*_COLUMNS).in_(wanted)
    known = {tuple(row) for row in tx.conn.execute(select(*_COLUMNS).where(mine))}
    now = tx.now()
    if new := wanted - known:
        tx.conn.execute(insert(t.ending), [{**_named(row), "received_at": now} for row in sorted(new)])
        tx.conn.execute(delete(t.ending).where(t.ending.c.received_at < now - KEPT_MS))
    return _ended(tx.conn, endings)


def applied(conn: Connection, alerts: Mapping[Key, Alert]) -> dict[Key, Alert]:
    """Return those of the occurrences that fire and whose end was told before they came, with that end."""
    firing = {(alert.source, alert.fingerprint) for alert in alerts.values() if alert.firing}
    told: dict[Named, list[tuple[int, int]]] = {}
    if firing:
        for row in conn.execute(select(*_COLUMNS).where(_named_so(firing))):
            told.setdefault((row.source, row.fingerprint), []).append((row.starts_at, row.ends_at))
    ends = {key: _end(alert, told.get((alert.source, alert.fingerprint), ())) for key, alert in alerts.items()}
    return {key: replace(alerts[key], ends_at=end) for key, end in ends.items() if end is not None}


def _end(alert: Alert, told: Iterable[tuple[int, int]]) -> int | None:
    return min((end for start, end in told if start >= alert.starts_at), default=None) if alert.firing else None


def _ended(conn: Connection, endings: Iterable[Alert]) -> list[Alert]:
    """Return stored occurrences whose end is now known, or known to have been earlier."""
    found: dict[Key, Alert] = {}
    for ending in endings:
        assert ending.ends_at is not None
        fits = and_(
            t.alert.c.source == ending.source,
            t.alert.c.fingerprint == ending.fingerprint,
            t.alert.c.starts_at <= ending.starts_at,
            or_(t.alert.c.ends_at.is_(None), t.alert.c.end_implied & (t.alert.c.ends_at > ending.ends_at)),
        )
        for row in conn.execute(select(t.alert.c.starts_at).where(fits)):
            ended = replace(ending, starts_at=row.starts_at, ending=False)
            earlier = found.get(key_of(ended))
            if earlier is None or earlier.ends_at is None or ending.ends_at < earlier.ends_at:
                found[key_of(ended)] = ended
    return list(found.values())


_COLUMNS = (t.ending.c.source, t.ending.c.fingerprint, t.ending.c.starts_at, t.ending.c.ends_at)


def _named_so(names: Iterable[Named]) -> Any:
    """Return a condition that endings of these meet, and few others do: one that SQLite has an index for."""
    wanted = set(names)
    sources, fingerprints = sorted({name[0] for name in wanted}), sorted({name[1] for name in wanted})
    return t.ending.c.source.in_(sources) & t.ending.c.fingerprint.in_(fingerprints)


def _row(ending: Alert) -> tuple[str, str, int, int]:
    assert ending.ends_at is not None
    return ending.source, ending.fingerprint, ending.starts_at, ending.ends_at


def _named(row: tuple[str, str, int, int]) -> dict[str, Any]:
    return {column.name: value for column, value in zip(_COLUMNS, row, strict=True)}
