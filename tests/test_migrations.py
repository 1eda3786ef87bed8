"""The schema: what the migrations make is what the code expects, however often and from wherever they run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import postgres
from sysop.errors import SchemaOutdated, StoreUnavailable
from sysop.paths import data
from sysop.store import schema, tables
from sysop.store.engine import migration_engine, parse_url, sqlite_file
from sysop.store.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database without a single table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'sub' / 'sysop.db'}"
        return
    server, name = request.getfixturevalue("postgres_server"), f"empty_{tmp_path.name.lower()[-40:]}"
    yield postgres.fresh_database(server, name)
    postgres.drop_database(server, name)


def _at(url: str, revision: str) -> None:
    with migration_engine(parse_url(url)).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_the_migrations_make_exactly_the_tables_of_the_code(empty: str) -> None:
    assert schema.upgrade(parse_url(empty)) == schema.HEAD
    with migration_engine(parse_url(empty)).connect() as connection:
        options = {"include_name": lambda name, kind, _parents: not (kind == "table" and name == "audit")}
        context = MigrationContext.configure(connection, opts={"compare_type": True, **options})
        different = [one for one in compare_metadata(context, tables.metadata) if "audit" not in str(one)]
        assert different == []
        for column in tables.audit.columns:
            connection.execute(text(f"SELECT {column.name} FROM audit"))


def test_the_head_named_in_the_code_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(data("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_an_upgrade_twice_is_one(empty: str) -> None:
    schema.upgrade(parse_url(empty))
    schema.upgrade(parse_url(empty))
    with migration_engine(parse_url(empty)).connect() as connection:
        schema.check(connection)
        assert connection.scalar(text("SELECT count(*) FROM mode")) == 1


def _upgrade(url: str) -> None:
    schema.upgrade(parse_url(url))


def test_upgrades_from_many_processes_at_once_are_one(empty: str) -> None:
    context = multiprocessing.get_context("fork")
    several = [context.Process(target=_upgrade, args=(empty,)) for _ in range(4)]
    for process in several:
        process.start()
    for process in several:
        process.join(60)
    assert [process.exitcode for process in several] == [0] * 4
    with migration_engine(parse_url(empty)).connect() as connection:
        schema.check(connection)
        assert connection.scalar(text("SELECT count(*) FROM mode")) == 1


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("0000", f"the database is at revision 0000, this Sysop needs {schema.HEAD}; run: sysop db upgrade"),
        ("9999", f"the database is at revision 9999, this Sysop knows {schema.HEAD}; install the newer version"),
    ],
    ids=["older", "newer"],
)
async def test_another_schema_is_refused_with_what_to_do(url: str, revision: str, said: str) -> None:
    _at(url, revision)
    store = Store.open(url)
    with pytest.raises(SchemaOutdated) as refused:
        await store.check()
    assert str(refused.value) == said
    await store.close()


def test_a_newer_schema_is_never_upgraded(url: str) -> None:
    _at(url, "9999")
    with pytest.raises(SchemaOutdated, match="install the newer version"):
        schema.upgrade(parse_url(url))


async def test_an_empty_database_is_refused_with_what_to_do(empty: str) -> None:
    if empty.startswith("sqlite"):
        file = sqlite_file(parse_url(empty))
        store = Store.open(empty)
        with pytest.raises(SchemaOutdated, match=r"there is no database at .* yet; start one with: sysop serve"):
            await store.check()
        assert not file.exists(), "looking made a file"
        file.parent.mkdir()
        file.touch()
    else:
        store = Store.open(empty)
    with pytest.raises(SchemaOutdated, match="the database is empty; create the tables with: sysop db upgrade"):
        await store.check()
    await store.close()


def test_the_embedded_database_is_made_when_it_is_missing_and_left_alone_when_it_is_there(tmp_path: Path) -> None:
    url = parse_url(f"sqlite:///{tmp_path / 'deep' / 'down' / 'sysop.db'}")
    schema.ensure(url)
    before = sqlite_file(url).read_bytes()
    schema.ensure(url)
    assert sqlite_file(url).read_bytes() == before


def test_a_database_that_cannot_be_upgraded_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "sysop.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnavailable, match="cannot be upgraded: file is not a database"):
        schema.upgrade(parse_url(f"sqlite:///{tmp_path / 'sysop.db'}"))
