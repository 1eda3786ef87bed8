"""Transactions: group commit by one writer thread on SQLite, concurrent transactions on PostgreSQL.

A *unit* is a function of a `Tx`: some statements plus their audit entries, all or nothing. Units are synchronous on
both databases. They must not have effects of their own, since PostgreSQL runs one again after losing a race for an
audit chain's head.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    TimeoutError,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from sysop.errors import StoreUnavailable
from sysop.model import AuditEntry
from sysop.redact import redact_value
from sysop.store.engine import place, what_to_do

T = TypeVar("T")
Unit = Callable[["Tx"], T]
Projector = Callable[["Tx", frozenset[str]], None]
"""Writes what follows from touched nouns, in the transaction that touched them."""

GENESIS = bytes(32)
BATCH = 256
GAP_S = 0.002  # between batches under load, so that a second process gets SQLite's lock
_NEWEST = "SELECT ts FROM audit ORDER BY id DESC LIMIT 1"
_PG_CLOCK = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
_RETRIES = 50


def host_clock() -> int:
    """Return the host's time in milliseconds."""
    return time.time_ns() // 1_000_000


def entry_hash(prev: bytes, body: bytes) -> bytes:
    """Return the hash that links an audit entry to the one before it in its chain."""
    return hashlib.sha256(b"\x02" + prev + body).digest()


@dataclass(slots=True)
class Tx:
    """One unit's view of its transaction."""

    conn: Connection
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    entries: list[AuditEntry] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    floor: int | None = None

    @property
    def postgres(self) -> bool:
        """Tell whether this is PostgreSQL."""
        return self.conn.dialect.name == "postgresql"

    def now(self) -> int:
        """Return the database's time in milliseconds.

        On PostgreSQL the wall clock at this statement, not at the transaction's start: a unit may have waited for a
        lock past a deadline. On SQLite never before the newest stored time, so a clock set back revives nothing;
        the host's clock is an option of the engine, so that reads and writes agree.
        """
        if self.postgres:
            return int(self.conn.scalar(_PG_CLOCK) or 0)
        if self.floor is None:
            newest = driver_sql(self.conn, _NEWEST).fetchone()
            self.floor = int(newest[0]) if newest else 0
        clock: Callable[[], int] = self.conn.get_execution_options().get("clock", host_clock)
        self.floor = max(self.floor, clock())
        return self.floor

    def touch(self, noun: str) -> None:
        """Note that a run, an incident or an approval is not any more what it was, named as its audit chain is."""
        self.touched.add(noun)

    def audit(self, chain: str, kind: str, actor: str, *, ts: int | None = None, **facts: Any) -> AuditEntry:
        """Append one entry to a chain, redacted, linked and durable with the rest of the unit.

        `ts` is the time a deadline was checked at, where one was: what was decided in time is never stamped late.
        """
        seq, prev = self.heads.get(chain) or self._head(chain)
        ts = self.now() if ts is None else ts
        body = _body(chain, seq + 1, kind, actor, ts, facts)
        digest = entry_hash(prev, body.encode())
        key = self._append(body, prev, digest)
        self.heads[chain] = (seq + 1, digest)
        entry = AuditEntry(key, chain, seq + 1, kind, actor, ts, body, digest)
        self.entries.append(entry)
        self.touch(chain)
        return entry

    def _head(self, chain: str) -> tuple[int, bytes]:
        mark = "%s" if self.postgres else "?"
        newest = f"SELECT seq, hash FROM audit WHERE chain = {mark} ORDER BY seq DESC LIMIT 1"  # noqa: S608
        row = driver_sql(self.conn, newest, (chain,)).fetchone()
        return (int(row[0]), bytes(row[1])) if row else (0, GENESIS)

    def _append(self, body: str, prev: bytes, digest: bytes) -> int:
        if self.postgres:
            statement = "INSERT INTO audit (body, prev, hash) VALUES (%s, %s, %s) RETURNING id"
            return int(driver_sql(self.conn, statement, (body, prev, digest)).fetchone()[0])
        statement = "INSERT INTO audit (body, prev, hash) VALUES (?, ?, ?)"
        return int(driver_sql(self.conn, statement, (body, prev, digest)).lastrowid)


class Savepoint:
    """A point in a unit that it can go back to alone, as if what came after had not been."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._heads, self._entries, self._touched = dict(tx.heads), len(tx.entries), set(tx.touched)
        driver_sql(tx.conn, "SAVEPOINT apart")

    def undo(self) -> None:
        """Go back, after an error that has not ended the transaction."""
        driver_sql(self._tx.conn, "ROLLBACK TO SAVEPOINT apart")
        self.release()
        self._tx.heads, self._tx.touched = self._heads, self._touched
        del self._tx.entries[self._entries :]

    def release(self) -> None:
        """Keep what came after."""
        driver_sql(self._tx.conn, "RELEASE SAVEPOINT apart")


def refused(error: DBAPIError) -> bool:
    """Tell whether a statement was refused for what it says; after any other error there is nothing to go on with."""
    if _lost_race(error):
        return False
    if isinstance(error, (DataError, IntegrityError, NotSupportedError, ProgrammingError)):
        return True
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def driver_sql(connection: Connection, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
    """Run one of the few hot statements, past SQLAlchemy's execution layer, which costs more than the append itself.

    On PostgreSQL the layer stays: it is what drives the asynchronous driver. Returns something with `fetchone`.
    """
    if connection.dialect.name == "postgresql":
        return connection.exec_driver_sql(statement, parameters)
    cursor = connection.connection.cursor()
    try:
        return cursor.execute(statement, parameters)
    except sqlite3.IntegrityError as broken:
        raise IntegrityError(statement, None, broken) from broken
    except sqlite3.Error as broken:
        raise OperationalError(statement, None, broken) from broken


def _body(chain: str, seq: int, kind: str, actor: str, ts: int, facts: dict[str, Any]) -> str:
    entry = {**redact_value(facts), "chain": chain, "seq": seq, "kind": kind, "actor": actor, "ts": ts}
    return json.dumps(entry, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


@dataclass(slots=True)
class _Job:
    unit: Unit[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None
    entries: Sequence[AuditEntry] = ()

    def resolve(self) -> None:
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result((self.value, self.entries))


class SqliteWriter:
    """One thread, one connection: takes up to 256 waiting units and commits them together."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.projectors: list[Projector] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def write(self, unit: Unit[T]) -> tuple[T, Sequence[AuditEntry]]:
        """Run a unit and return once it is durable, with the audit entries it wrote."""
        if self._closed:
            raise StoreUnavailable("the database is closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sysop-writer", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        job = _Job(unit, loop, loop.create_future())
        job.future.add_done_callback(_seen)
        self._jobs.put(job)
        value, entries = await asyncio.shield(job.future)
        return value, entries

    async def close(self) -> None:
        """Commit what waits and stop the thread."""
        self._closed = True
        self._jobs.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        self._engine.dispose()

    def _work(self) -> None:
        while (batch := self._take()) is not None:
            self._commit(batch)
            busy = not self._jobs.empty()
            _resolve(batch)
            if busy:  # under load only: alone, every commit is already followed by a pause
                time.sleep(GAP_S)

    def _take(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch

    def _commit(self, batch: Sequence[_Job]) -> None:
        try:
            with self._engine.begin() as connection:
                tx = Tx(connection)
                for job in batch:
                    _run_in_savepoint(tx, job, self.projectors)
        except DBAPIError as broken:
            for job in batch:
                job.error = unavailable(broken, self._engine.url)


def _project(tx: Tx, projectors: Sequence[Projector]) -> None:
    touched = frozenset(tx.touched)
    for project in projectors if touched else ():
        project(tx, touched)


def _run_in_savepoint(tx: Tx, job: _Job, projectors: Sequence[Projector]) -> None:
    """Run one unit; a refused one is rolled back alone."""
    heads = dict(tx.heads)
    tx.entries, tx.touched = [], set()
    driver_sql(tx.conn, "SAVEPOINT unit")
    try:
        job.value = job.unit(tx)
        _project(tx, projectors)
        job.entries = tx.entries
        driver_sql(tx.conn, "RELEASE unit")
    except BaseException as error:
        if isinstance(error, OperationalError) and not _still_open(tx.conn):
            raise  # a full disk ends the whole transaction: nobody in this batch is durable
        driver_sql(tx.conn, "ROLLBACK TO unit")
        driver_sql(tx.conn, "RELEASE unit")
        tx.heads = heads
        job.error = _carried(error, tx.conn.engine.url)


def _carried(error: BaseException, url: URL) -> BaseException:
    """Return what the caller's future can carry; it refuses StopIteration, and everybody in the batch would hang."""
    if isinstance(error, OperationalError):
        return unavailable(error, url)
    return RuntimeError(f"the unit raised {error!r}") if isinstance(error, StopIteration) else error


def _still_open(connection: Connection) -> bool:
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", True))


def _seen(future: asyncio.Future[Any]) -> None:
    """Take note of an error: whoever was cancelled while they waited fetches none, and asyncio would log it as lost."""
    if not future.cancelled():
        future.exception()


def _resolve(batch: Sequence[_Job]) -> None:
    for loop in {id(job.loop): job.loop for job in batch}.values():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve_here, [job for job in batch if job.loop is loop])


def _resolve_here(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.resolve()


def unavailable(error: DBAPIError, url: URL) -> StoreUnavailable:
    """Return the error to show for a database that cannot take a write."""
    refused = f"the database {place(url)} refused a write ({error.orig})"
    return StoreUnavailable(f"{refused}; nothing was written; {what_to_do(error, url)}")


def exhausted() -> StoreUnavailable:
    """Return the error for a pool without a free connection: load, not a fault of whoever asked."""
    return StoreUnavailable("the database is too busy: no connection became free in time; nothing was written")


class PostgresWriter:
    """Runs units concurrently; one that loses the race for a chain's head runs again."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.projectors: list[Projector] = []

    async def write(self, unit: Unit[T]) -> tuple[T, Sequence[AuditEntry]]:
        """Run a unit and return once it is durable, with the audit entries it wrote."""
        for attempt in range(_RETRIES):
            try:
                return await self._once(unit)
            except DBAPIError as error:
                if not _lost_race(error) or attempt == _RETRIES - 1:
                    if isinstance(error, IntegrityError):
                        raise
                    raise unavailable(error, self._engine.url) from error
                await asyncio.sleep(random.uniform(0, 0.002 * (attempt + 1)))  # noqa: S311 (jitter)
            except TimeoutError as busy:
                raise exhausted() from busy
        raise AssertionError("unreachable")

    async def _once(self, unit: Unit[T]) -> tuple[T, Sequence[AuditEntry]]:
        async with self._engine.begin() as connection:

            def run(sync: Connection) -> tuple[T, Sequence[AuditEntry]]:
                tx = Tx(sync)
                value = unit(tx)
                _project(tx, self.projectors)
                return value, tx.entries

            return await connection.run_sync(run)

    async def close(self) -> None:
        """Let go; the engine is closed by its owner."""


def _lost_race(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if state in ("40001", "40P01"):
        return True
    return state == "23505" and "uq_audit_chain_seq" in str(error.orig)
