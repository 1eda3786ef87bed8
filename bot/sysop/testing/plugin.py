"""The pytest plugin: the fixture `bot`, and what it is made from, to be overridden. Unused, it loads nothing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sysop.testing.bot import Bot

if TYPE_CHECKING or importlib.util.find_spec("pytest_asyncio") is not None:
    from pytest_asyncio import fixture
else:
    fixture = pytest.fixture  # pytest says then that it cannot run an async fixture

BOT = "sysop.testing.bot"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be said on the command line."""
    group = parser.getgroup("sysop", "tests that use the fixture `bot`")
    group.addoption(
        "--sysop-database", metavar="URL", help="an empty database for the bot; default: SQLite, one a test"
    )
    group.addoption(
        "--sysop-transport", choices=["socket", "http"], default="socket", help="how the chat reaches the bot"
    )


@pytest.fixture
def bot_settings() -> Mapping[str, Any]:
    """Return settings to lay over those of the tests, as in sysop.yaml: `policy`, `people`, `inventory`, `plugins`."""
    return {}


@pytest.fixture
def bot_plugins() -> Any:
    """Return the plugins under test beside those installed: modules, a folder of files, or modules by name."""
    return ()


@pytest.fixture(scope="session")
def bot_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty, migrated SQLite database."""
    from sysop.testing.stage import template

    return template(tmp_path_factory.mktemp("sysop"))


@fixture
async def bot(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    bot_template: Path,
    bot_settings: Mapping[str, Any],
    bot_plugins: Any,
) -> AsyncIterator[Bot]:
    """Start a workspace and a whole Sysop with the plugins under test, for this test alone."""
    from sysop.testing.stage import Stage

    stage = Stage(
        tmp_path,
        bot_settings,
        bot_plugins,
        transport=request.config.getoption("--sysop-transport"),
        database=request.config.getoption("--sysop-database"),
        template=bot_template,
    )
    async with stage.up() as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Show what stood in the chat when a test failed."""
    report: Any = yield
    made = getattr(item, "funcargs", {}).get("bot")
    kit = sys.modules.get(BOT)
    if report.when == "call" and report.failed and kit is not None and isinstance(made, kit.Bot):
        report.sections.append(("the chat", made.transcript()))
    return report
