"""Alerts that are held back: in no incident, by a silence or because correlation found that they say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import JSON, Connection, case, func, literal, select, type_coerce

from sysop.store import tables as t

SILENCED: Final = "silenced"


def counts(conn: Connection, since: int) -> Mapping[str, int]:
    """Return how many of the alerts that started at this time or later are held back, by the kind of the reason.

    Kinds are those of correlation's first reason, such as `noise`, beside `silenced`; the most frequent comes first.
    """
    first: Any = type_coerce(t.alert.c.why, JSON)[(0, "kind")].as_string()
    kind = case((t.alert.c.silence.is_not(None), literal(SILENCED)), else_=func.coalesce(first, "other")).label("kind")
    settled = t.alert.c.placed.is_not(None) | t.alert.c.silence.is_not(None)
    mine = (t.alert.c.starts_at >= since) & t.alert.c.incident.is_(None) & settled
    inner = select(kind).where(mine).subquery()
    rows = conn.execute(select(inner.c.kind, func.count()).group_by(inner.c.kind)).all()
    return dict(sorted(((row[0], row[1]) for row in rows), key=lambda one: (-one[1], one[0])))
