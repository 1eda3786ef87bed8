"""Engines for SQLite (the embedded default) and PostgreSQL (by URL)."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from sysop.errors import SettingsError

BUSY_TIMEOUT_MS = 5_000
BUSY_SLEEP_S = 0.0005
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def parse_url(url: str) -> URL:
    """Return the URL with the driver we use. Raises SettingsError for anything but SQLite and PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError as bad:
        raise SettingsError(f"database.url: {bad}; write sqlite:///FILE or postgresql://USER@HOST/NAME") from bad
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise SettingsError("database.url: an in-memory database cannot prove anything; name a file")
        return parsed.set(drivername="sqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise SettingsError(f"database.url: {backend} is not supported; use sqlite:///FILE or postgresql://USER@HOST/NAME")


def is_sqlite(url: URL) -> bool:
    """Tell whether the URL names an SQLite file."""
    return url.get_backend_name() == "sqlite"


def sqlite_file(url: URL) -> Path:
    """Return the path of the SQLite file."""
    return Path(url.database or "")


def place(url: URL) -> str:
    """Return where the data is, without a password, for showing to people."""
    return str(sqlite_file(url)) if is_sqlite(url) else url.render_as_string(hide_password=True)


def what_to_do(error: DBAPIError, url: URL) -> str:
    """Return what an operator can do about a database that fails."""
    if not is_sqlite(url):
        return "check that the server can be reached and has disk space"
    file = sqlite_file(url).absolute()
    match getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "is another process holding a long transaction?"
        case sqlite3.SQLITE_FULL:
            return f"free space at {file.parent}"
        case sqlite3.SQLITE_IOERR:
            return f"look at the disk that {file.parent} is on: free space, quota, the kernel's log"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"let user {os.getuid()} write {file} and the folder it is in"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return f"put {file} aside and bring back a backup"
    return "check disk space and access"


def _sqlite_connect(connection: Any, _record: Any, *, timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; the driver's own begin breaks SAVEPOINT
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA busy_timeout={timeout_ms}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def writer_engine(url: URL, clock: Callable[[], int]) -> Engine:
    """Return the synchronous SQLite engine of the one writer thread: every transaction starts IMMEDIATE."""
    engine = create_engine(
        url, poolclass=StaticPool, connect_args={"check_same_thread": False}, execution_options={"clock": clock}
    )
    event.listen(engine, "connect", partial(_sqlite_connect, timeout_ms=0))
    event.listen(engine, "begin", begin_immediate)
    return engine


def begin_immediate(connection: Connection) -> None:
    """Begin a writing transaction, waiting for another process by our own short sleeps.

    SQLite's busy handler sleeps up to 100 ms at a time and so misses the gaps that a busy writer leaves: measured
    beside 5,000 commits a second, p99 was 539 ms with it and a tenth of that with this. Connections that write
    therefore have no busy timeout: with the lock in hand nothing else waits.
    """
    raw = connection.connection.cursor()
    end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as busy:
            if busy.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > end:
                raise OperationalError("BEGIN IMMEDIATE", None, busy) from busy
            time.sleep(BUSY_SLEEP_S)
        else:
            return


def reader_engine(url: URL, clock: Callable[[], int], connections: int) -> Engine:
    """Return the SQLite engine for reads; its connections refuse to write."""
    engine = create_engine(url, pool_size=connections, max_overflow=0, execution_options={"clock": clock})
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "connect", lambda c, _r: c.execute("PRAGMA query_only=ON").close())
    event.listen(engine, "begin", _begin_reading)
    return engine


def postgres_engine(url: URL, pool_size: int = 16) -> AsyncEngine:
    """Return the PostgreSQL engine, for reads and writes, at READ COMMITTED as the consume transaction needs."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={"options": "-c idle_in_transaction_session_timeout=60000", "connect_timeout": 10},
    )


def migration_engine(url: URL, *, writing: bool = True) -> Engine:
    """Return a synchronous engine for the schema, one connection, closed after use."""
    engine = create_engine(url, poolclass=NullPool)
    if is_sqlite(url):
        event.listen(engine, "connect", partial(_sqlite_connect, timeout_ms=0 if writing else BUSY_TIMEOUT_MS))
        event.listen(engine, "begin", begin_immediate if writing else _begin_reading)
    return engine


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
