"""The open findings as the database has them."""

from __future__ import annotations

from sqlalchemy import Connection, literal, select

from sysop.model import Alert
from sysop.store import tables as t
from sysop.watches.findings import SOURCE

_OPEN = (t.alert.c.source == literal(SOURCE, literal_execute=True)) & t.alert.c.ends_at.is_(None)
"""Written out, so that an index of these few alone serves it in both databases, however many have ended."""


def firing(conn: Connection) -> list[Alert]:
    """Return every finding that has not ended."""
    alert = t.alert.c
    rows = conn.execute(
        select(alert.fingerprint, alert.starts_at, alert.labels, alert.annotations, alert.url).where(_OPEN)
    )
    return [
        Alert(SOURCE, row.fingerprint, row.starts_at, None, dict(row.labels), dict(row.annotations), row.url)
        for row in rows
    ]
