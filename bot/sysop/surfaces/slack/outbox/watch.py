"""Notices commits of other processes, so that what they want to say is said within a fifth of a second."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Final

from sysop.store.engine import sqlite_file
from sysop.store.store import Store

POLL_S: Final = 0.1
POLL_SERVER_S: Final = 0.2


async def watch(store: Store, changed: Callable[[], None]) -> None:
    """Call back after commits. SQLite's data_version costs microseconds; on PostgreSQL the caller looks again."""
    if not store.embedded:
        while True:
            await asyncio.sleep(POLL_SERVER_S)
            changed()
    connection = sqlite3.connect(sqlite_file(store.url), check_same_thread=False)
    try:
        seen = None
        while True:
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != seen:
                seen = version
                changed()
            await asyncio.sleep(POLL_S)
    finally:
        connection.close()
