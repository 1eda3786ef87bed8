"""The database as the rest of Sysop sees it: `read` a query, `write` a unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from sysop.errors import SchemaOutdated, StoreUnavailable
from sysop.model import AuditEntry
from sysop.store import schema
from sysop.store.engine import (
    is_sqlite,
    parse_url,
    place,
    postgres_engine,
    reader_engine,
    sqlite_file,
    what_to_do,
    writer_engine,
)
from sysop.store.reader import THREADS, PostgresReader, Query, SqliteReader
from sysop.store.writer import PostgresWriter, Projector, SqliteWriter, Tx, Unit, exhausted, host_clock

T = TypeVar("T")
Observer = Callable[[AuditEntry], None]


class Store:
    """One database. Build it with `Store.open`, close it with `close`."""

    def __init__(self, url: URL, reader: SqliteReader | PostgresReader, writer: SqliteWriter | PostgresWriter) -> None:
        self.url = url
        self._reader = reader
        self._writer = writer
        self._observers: list[Observer] = []

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], int] = host_clock, pool_size: int = 16) -> Store:
        """Open a database by URL; nothing is read yet. `clock` replaces the host's clock on SQLite, for drills."""
        parsed = parse_url(url)
        if is_sqlite(parsed):
            reader = SqliteReader(reader_engine(parsed, clock, THREADS))
            return cls(parsed, reader, SqliteWriter(writer_engine(parsed, clock)))
        engine = postgres_engine(parsed, pool_size)
        return cls(parsed, PostgresReader(engine), PostgresWriter(engine))

    @property
    def embedded(self) -> bool:
        """Tell whether this is the embedded default, SQLite."""
        return is_sqlite(self.url)

    @property
    def place(self) -> str:
        """Return where the data is, without a password, for showing to people."""
        return place(self.url)

    def observe(self, observers: Iterable[Observer]) -> None:
        """Tell these of every entry committed through this store from now on."""
        self._observers.extend(observers)

    def project(self, projector: Projector) -> None:
        """Let every unit that touches something end with this, in its transaction."""
        self._writer.projectors.append(projector)

    async def read(self, query: Query[T]) -> T:
        """Run a query in a read transaction. Raises StoreUnavailable."""
        try:
            return await self._reader.read(query)
        except DBAPIError as broken:
            fix = what_to_do(broken, self.url)
            raise StoreUnavailable(f"the database {self.place} cannot be read ({broken.orig}); {fix}") from broken
        except TimeoutError as busy:
            raise exhausted() from busy

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit; returns once it is durable. Raises what the unit raises, or StoreUnavailable."""
        value, entries = await self._writer.write(unit)
        for observer in self._observers:
            for entry in entries:
                observer(entry)
        return value

    async def claim_name(self, name: str, held: AsyncConnection | None = None) -> AsyncConnection | None:
        """Hold an advisory lock on a name, on PostgreSQL only, until `drop_name`; `held` is kept while it works.

        The server frees it the moment this process dies, which is how others see that its runs are nobody's.
        """
        if isinstance(self._reader, SqliteReader):
            return None
        if held is not None:
            try:
                await held.execute(text("SELECT 1"))
            except DBAPIError:
                await self.drop_name(held)
            else:
                return held
        connection = await self._reader.engine.connect()
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": name})
        return connection

    async def drop_name(self, held: AsyncConnection) -> None:
        """Let go of a name: the connection is closed for good, since a pooled one would keep the lock."""
        await held.invalidate()
        await held.close()

    async def now(self) -> int:
        """Return the database's time in milliseconds."""
        return await self.read(lambda connection: Tx(connection).now())

    async def check(self) -> None:
        """Refuse a schema that is not ours. Raises SchemaOutdated with the command to run."""
        if self.embedded and not sqlite_file(self.url).exists():
            raise SchemaOutdated(f"there is no database at {self.place} yet; start one with: sysop serve")
        await self.read(schema.check)

    async def close(self) -> None:
        """Commit what waits and close all connections."""
        await self._writer.close()
        await self._reader.close()
