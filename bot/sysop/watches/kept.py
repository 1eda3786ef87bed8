"""The open findings as the database has them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from sysop.model import Alert
from sysop.store import tables as t
from sysop.watches.findings import SOURCE


def firing(conn: Connection) -> list[Alert]:
    """Return every finding that has not ended."""
    rows = conn.execute(select(t.alert).where((t.alert.c.source == SOURCE) & t.alert.c.ends_at.is_(None)))
    return [
        Alert(row.source, row.fingerprint, row.starts_at, None, dict(row.labels), dict(row.annotations), row.url)
        for row in rows
    ]
