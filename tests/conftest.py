"""Fixtures: both databases, and a Sysop that tests talk to."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import bench
import postgres
from absent import missing
from sysop.store.store import Store

NOT_RUN = pytest.StashKey[set[str]]()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    try:
        with postgres.server(durable=False) as url:
            yield url
    except LookupError as absent:
        missing(str(absent))


_count = iter(range(1_000_000))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty, migrated SQLite database, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "sysop.db"
    bench.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_database(postgres_server: str) -> str:
    """Return the name of an empty, migrated PostgreSQL database, to be copied."""
    name = f"sysop_{os.getpid()}_migrated"
    bench.upgrade(postgres.fresh_database(postgres_server, name))
    return name


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty, migrated database of each kind."""
    if request.param == "sqlite":
        file = tmp_path / "sysop.db"
        shutil.copy(request.getfixturevalue("migrated_file"), file)
        yield f"sqlite:///{file}"
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("migrated_database")
    name = f"sysop_{os.getpid()}_{next(_count)}"
    yield postgres.fresh_database(server, name, template)
    postgres.drop_database(server, name)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = Store.open(url)
    yield opened
    await opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with the list of services that were not there."""
    skipped = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr}
    terminalreporter.write_line("")
    if skipped:
        terminalreporter.write_line("Not run on this machine:")
        for reason in sorted(skipped):
            terminalreporter.write_line(f"  - {reason.removeprefix('Skipped: ')}")
    else:
        terminalreporter.write_line("Every service was there: nothing was skipped.")
