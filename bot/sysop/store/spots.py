"""Where alerts are, read without what they say: all that most decisions of a round need, of thousands at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from sysop.store import tables as t
from sysop.store.alerts import Key, pieces


@dataclass(frozen=True, slots=True)
class Spot:
    """Which incident an alert is in, and what keeps it there.

    `quiet` is one that a silence covers, `waits` one that nobody has placed yet.
    """

    incident: str | None
    by_hand: bool
    quiet: bool
    waits: bool


_SPOT = (
    t.alert.c.source,
    t.alert.c.fingerprint,
    t.alert.c.starts_at,
    t.alert.c.incident,
    t.alert.c.pinned_by.is_not(None),
    t.alert.c.silence.is_not(None),
    t.alert.c.placed.is_(None),
)


def spots(conn: Connection, keys: Iterable[Key]) -> dict[Key, Spot]:
    """Return where these occurrences are, without reading what they say."""
    wanted = set(keys)
    found: dict[Key, Spot] = {}
    for near in _near(wanted):
        for source, fingerprint, starts_at, *spot in conn.execute(select(*_SPOT).where(near)).all():
            if (key := (source, fingerprint, starts_at)) in wanted:
                found[key] = Spot(*spot)
    return found


def _near(keys: Iterable[Key]) -> Iterator[Any]:
    """Yield conditions that these occurrences meet and few others do; long lists of tuples cost more."""
    by_source: dict[str, list[Key]] = {}
    for key in sorted(keys):
        by_source.setdefault(key[0], []).append(key)
    for source, mine in by_source.items():
        for piece in pieces(mine):
            starts = [key[2] for key in piece]
            fits = (t.alert.c.source == source) & t.alert.c.fingerprint.in_(sorted({key[1] for key in piece}))
            yield fits & t.alert.c.starts_at.between(min(starts), max(starts))
