"""Silences as rows: while one holds, alerts that it matches open no incident. A maintenance window is one ahead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2
from sqlalchemy import Connection, Row, func, insert, literal, select, update

from sysop.errors import NoSuch
from sysop.model import Alert, EffectState
from sysop.store import tables as t
from sysop.store.alerts import Key, alert_of, hush, key_of
from sysop.store.writer import Tx

OPERATORS = ("=", "!=", "=~", "!~")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label, as Alertmanager has it: a missing label is the empty text, patterns are anchored."""

    name: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet the condition."""
        found = labels.get(self.name, "")
        same = found == self.value if "~" not in self.operator else bool(_pattern(self.value).fullmatch(found))
        return same is not self.operator.startswith("!")

    def __str__(self) -> str:
        """Return the condition as people write it."""
        return f'{self.name}{self.operator}"{self.value}"'


@dataclass(frozen=True, slots=True)
class Silence:
    """Who wants which alerts quiet, from when to when, and why. `run` is the run that tells Alertmanager so."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: int
    ends_at: int
    comment: str
    created_by: str
    created_at: int
    ended_by: str | None = None
    run: str | None = None

    def covers(self, alert: Alert) -> bool:
        """Tell whether an alert meets every condition."""
        return all(matcher.matches(alert.labels) for matcher in self.matchers)

    def state(self, now: int) -> str:
        """Return `ahead`, `holds` or `over`."""
        if self.ends_at <= now:
            return "over"
        return "holds" if self.starts_at <= now else "ahead"


@lru_cache(maxsize=512)
def _pattern(text: str) -> Any:
    return re2.compile(text)


def chain(silence: str) -> str:
    """Return the audit chain of a silence."""
    return f"silence:{silence}"


def add(tx: Tx, silence: Silence, run: str | None = None) -> None:
    """Insert a silence; `run` is the one that sets it elsewhere."""
    values = {
        "id": silence.id,
        "matchers": [[one.name, one.operator, one.value] for one in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "comment": silence.comment,
        "created_by": silence.created_by,
        "created_at": silence.created_at,
        "run": run,
    }
    tx.conn.execute(insert(t.silence).values(**values))


def change(tx: Tx, silence: str, **values: Any) -> None:
    """Change a silence's columns."""
    tx.conn.execute(update(t.silence).where(t.silence.c.id == silence).values(**values))


def load(conn: Connection, silence: str) -> Silence:
    """Return a silence. Raises NoSuch for an unknown id."""
    found = find(conn, silence)
    if found is None:
        raise NoSuch("silence", silence)
    return found


def find(conn: Connection, silence: str) -> Silence | None:
    """Return a silence, if there is one of this id."""
    row = conn.execute(select(t.silence).where(t.silence.c.id == silence)).first()
    return _silence(row) if row else None


def listed(conn: Connection, *, now: int | None = None, limit: int = 100) -> list[Silence]:
    """Return silences, the newest first; with `now` only those that hold then or later."""
    query = select(t.silence).order_by(t.silence.c.created_at.desc(), t.silence.c.id).limit(limit)
    if now is not None:
        query = query.where(t.silence.c.ends_at > now)
    return [_silence(row) for row in conn.execute(query)]


def covering(tx: Tx, alerts: Iterable[Alert]) -> dict[Key, str]:
    """Return, for each of these alerts that a silence covers at this moment, which; of several the longest."""
    now = tx.now()
    holds = (t.silence.c.starts_at <= now) & (t.silence.c.ends_at > now)
    rows = tx.conn.execute(select(t.silence).where(holds).order_by(t.silence.c.ends_at.desc(), t.silence.c.id))
    holding = [_silence(row) for row in rows]
    covered: dict[Key, str] = {}
    for alert in alerts if holding else ():
        first = next((one.id for one in holding if one.covers(alert)), None)
        if first is not None:
            covered[key_of(alert)] = first
    return covered


def covered(conn: Connection, silences: Iterable[str]) -> dict[str, int]:
    """Return how many alerts each of these silences holds back or has held back until they ended."""
    mine = (t.alert.c.silence.in_(list(silences))) & t.alert.c.incident.is_(None)
    rows = conn.execute(select(t.alert.c.silence, func.count()).where(mine).group_by(t.alert.c.silence))
    return {row[0]: row[1] for row in rows}


def over(conn: Connection) -> list[str]:
    """Return the silences that hold no more and still cover an alert that fires."""
    still = t.alert.c.silence.is_not(None) & t.alert.c.ends_at.is_(None)  # few: what has ended stays covered for good
    covering = select(t.alert.c.silence).where(still).distinct()
    ended = (t.silence.c.ends_at <= Tx(conn).now()) & t.silence.c.id.in_(covering)
    return list(conn.scalars(select(t.silence.c.id).where(ended).order_by(t.silence.c.id)))


def left_behind(conn: Connection, call: str, limit: int) -> list[Silence]:
    """Return silences that a person ended and that were set elsewhere all the same, by this call of their run."""
    ours = t.run.c.place == literal("silence:") + t.silence.c.id
    set_there = (t.effect.c.call == call) & (t.effect.c.state == EffectState.DONE)
    done = set_there & t.silence.c.ended_by.is_not(None) & ours
    joined = t.silence.join(t.run, t.run.c.id == t.silence.c.run).join(t.effect, t.effect.c.run == t.run.c.id)
    rows = conn.execute(select(t.silence).select_from(joined).where(done).order_by(t.silence.c.id).limit(limit))
    return [_silence(row) for row in rows]


def release(tx: Tx, silence: str) -> int:
    """Let what an ended silence covered and what fires still be placed, but for what another one covers.

    Returns how many alerts that are.
    """
    mine = (t.alert.c.silence == silence) & t.alert.c.ends_at.is_(None)
    firing = [alert_of(row) for row in tx.conn.execute(select(t.alert).where(mine))]
    others = covering(tx, firing)
    hush(tx, others)
    tx.conn.execute(update(t.alert).where(mine).values(silence=None, reason=""))
    return len(firing) - len(others)


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        matchers=tuple(Matcher(*one) for one in row.matchers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        comment=row.comment,
        created_by=row.created_by,
        created_at=row.created_at,
        ended_by=row.ended_by,
        run=row.run,
    )
