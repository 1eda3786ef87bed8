"""Reads: a few threads with a connection each on SQLite, the shared pool on PostgreSQL.

A *query* is a function of a synchronous `Connection` on both databases, run in one read transaction.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")
Query = Callable[[Connection], T]

THREADS = 8
LOOK_UP = 50_000
"""So many steps of SQLite's machine, some milliseconds, between two looks at whether anybody still waits."""


class SqliteReader:
    """Runs a whole query in one of its threads, so that a read is one hop however many statements it has.

    An asynchronous driver hops once for each statement and each fetch, and leaves a thread behind that still wants to
    answer an event loop which a cancelled read's owner has closed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sysop-reader")

    async def read(self, query: Query[T]) -> T:
        """Run a query; one whose caller is cancelled is soon broken off."""
        left = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, query, left)
        finally:
            left.set()

    def _run(self, query: Query[T], left: threading.Event) -> T:
        with self._engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.set_progress_handler(left.is_set, LOOK_UP)  # `interrupt` would not reach what begins after it
            try:
                return query(connection)
            finally:
                raw.set_progress_handler(None, 0)

    async def close(self) -> None:
        """Wait for the reads that run, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


class PostgresReader:
    """Runs queries on the connections that the writer uses, too."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def read(self, query: Query[T]) -> T:
        """Run a query. Raises SQLAlchemy's TimeoutError when no connection becomes free."""
        async with self.engine.connect() as connection:
            return await connection.run_sync(query)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
