"""Create and check the database schema."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from sysop.errors import SchemaOutdated, StoreUnavailable
from sysop.paths import data, private_folder
from sysop.store.engine import is_sqlite, migration_engine, place, sqlite_file, what_to_do

HEAD = "0005"  # alembic's head; named here so that a start need not import alembic

_LOCK = 0x5359_534F  # "SYSO": one upgrade at a time on PostgreSQL


def revision(connection: Connection) -> str | None:
    """Return the revision the database is at, None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def check(connection: Connection) -> None:
    """Refuse a database that is not at our revision, with the command to run."""
    found = revision(connection)
    if found == HEAD:
        return
    if found is None:
        raise SchemaOutdated("the database is empty; create the tables with: sysop db upgrade")
    if found > HEAD:
        raise SchemaOutdated(f"the database is at revision {found}, this Sysop knows {HEAD}; install the newer version")
    raise SchemaOutdated(f"the database is at revision {found}, this Sysop needs {HEAD}; run: sysop db upgrade")


def ensure(url: URL) -> None:
    """Create or upgrade the embedded database, without loading alembic when it is at our revision already."""
    if sqlite_file(url).exists():
        try:
            with migration_engine(url, writing=False).connect() as connection:
                if revision(connection) == HEAD:
                    return
        except DBAPIError as bad:
            raise _unavailable(bad, url, "read") from bad
    upgrade(url)


def _unavailable(bad: DBAPIError, url: URL, what: str) -> StoreUnavailable:
    return StoreUnavailable(f"the database {place(url)} cannot be {what}: {bad.orig}; {what_to_do(bad, url)}")


def upgrade(url: URL) -> str:
    """Bring the database to our revision and return it. Safe to run twice or from two machines at once."""
    from alembic import command  # alembic costs as much as the rest of a start
    from alembic.config import Config

    if is_sqlite(url):
        private_folder(sqlite_file(url).parent)
    config = Config()
    config.set_main_option("script_location", str(data("migrations")).replace("%", "%%"))
    try:
        with migration_engine(url).begin() as connection:
            if not is_sqlite(url):
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            found = revision(connection)
            if found is not None and found > HEAD:
                check(connection)
            if found != HEAD:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except DBAPIError as bad:
        raise _unavailable(bad, url, "upgraded") from bad
    return HEAD


def grant(url: URL, role: str) -> None:
    """Let a PostgreSQL role run Sysop without owning the schema: it can append to the audit log, and only that.

    INSERT on `audit` is granted by column: with a table-wide grant the role could forge `xid` and hide a row
    from readers that follow commit order.
    """
    if is_sqlite(url):
        raise SchemaOutdated("grants exist on PostgreSQL only; whoever can write the SQLite file is trusted")
    try:
        _grant(url, role)
    except DBAPIError as bad:
        raise StoreUnavailable(f"the rights cannot be given: {bad.orig}") from bad


def _grant(url: URL, role: str) -> None:
    with migration_engine(url).begin() as connection:
        quoted = connection.dialect.identifier_preparer.quote(role)
        found = inspect(connection)
        numbers = ", ".join(connection.dialect.identifier_preparer.quote(n) for n in found.get_sequence_names())
        names = [t for t in found.get_table_names() if t not in ("audit", "alembic_version")]
        tables = ", ".join(connection.dialect.identifier_preparer.quote(t) for t in names)
        for statement in (
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {quoted}",
            f"GRANT SELECT ON audit, alembic_version TO {quoted}",
            f"GRANT INSERT (body, prev, hash) ON audit TO {quoted}",
            f"GRANT USAGE ON SEQUENCE {numbers} TO {quoted}",
        ):
            connection.exec_driver_sql(statement)
