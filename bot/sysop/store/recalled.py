"""Which past incidents runs have told people of: each is what a run said, under an id that names the incident."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, or_, select

from sysop.extension import RECALLED
from sysop.store import tables as t

_BEHIND: Final = f"fallback.{RECALLED}"
"""How what a planner says is called that works in place of a model."""


def is_told(said: str) -> bool:
    """Tell whether something that a run said is what a past incident teaches."""
    return said.startswith((RECALLED, _BEHIND))


def told(conn: Connection, incident: str, run: str | None = None) -> list[str]:
    """Return the past incidents that runs about an incident, other than `run`, have told people of, in that order."""
    return _told(conn, (t.run.c.incident == incident) & (t.run.c.id != (run or "")))


def told_by(conn: Connection, run: str) -> list[str]:
    """Return the past incidents that a run has told people of, in that order."""
    return _told(conn, t.run.c.id == run)


def _told(conn: Connection, which: ColumnElement[bool]) -> list[str]:
    ours = or_(t.said.c.id.startswith(RECALLED, autoescape=True), t.said.c.id.startswith(_BEHIND, autoescape=True))
    query = select(t.said.c.id).join_from(t.said, t.run, t.run.c.id == t.said.c.run).where(which, ours)
    rows = conn.scalars(query.order_by(t.said.c.at, t.said.c.run, t.said.c.id))
    return list(dict.fromkeys(id.removeprefix(_BEHIND).removeprefix(RECALLED) for id in rows))
