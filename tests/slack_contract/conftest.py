"""The whole bot, driven by people in a Slack: our own workspace, or any other server of the same wire.

pytest tests/slack_contract [--transport socket|http]
pytest tests/slack_contract --slack-url http://HOST/api/ --slack-control http://HOST/_control
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from contract_company import Company, Shop

from sysop.testing.bot import Bot
from sysop.testing.driver import Credentials, Driver
from sysop.testing.local_slack import LocalSlack
from sysop.testing.stage import Stage
from sysop.testing.workspace_driver import WorkspaceDriver

ALWAYS: Final = frozenset(
    {"auth.test", "apps.connections.open", "users.info", "response_url", "chat.postMessage", "chat.update"}
)
"""What no test can do without."""
INSTEAD: Final = frozenset(
    {
        "chat.startStream",
        "chat.appendStream",
        "chat.stopStream",
        "agents.sessions.setStatus",
        "assistant.threads.setStatus",
        "reactions.add",
        "usergroups.users.list",
        "conversations.replies",
        "conversations.history",
    }
)
"""What the bot uses where it is there, and does without where it is not."""
PAYLOAD: Final = (
    "invalid_",
    "msg_",
    "no_text",
    "markdown_text_conflict",
    "view_too_large",
    "block_mismatch",
    "metadata_",
)
"""How refusals begin that say that what we sent was wrong: there must be none, ever."""
_missing: dict[str, bool] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("slack contract", "which Slack the bot is driven in")
    group.addoption("--slack-url", help="base of the Web API of another server, with a slash at its end")
    group.addoption("--slack-control", help="its control API; without a token it has the shapes of local-slack")
    group.addoption("--slack-control-token", help="of a workspace of ours that runs elsewhere")
    group.addoption("--slack-bot-token", default="xoxb-test")
    group.addoption("--slack-app-token", default="xapp-test")
    group.addoption("--slack-signing-secret", default="secret-of-the-test")
    group.addoption("--slack-port", type=int, default=0, help="where that server delivers to by HTTP, on this machine")
    group.addoption("--transport", choices=["socket", "http"], help="default: both on our own workspace, else socket")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "over(transport): there is nothing to test over the other one")
    config.addinivalue_line(
        "markers", "needs(*what): Web API methods, and what people must be able to do (act:…), without which it skips"
    )


def _option(config: pytest.Config, name: str) -> Any:
    return config.getoption(name, default=None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "transport" in metafunc.fixturenames:
        given, elsewhere = _option(metafunc.config, "--transport"), _option(metafunc.config, "--slack-url")
        both = [given] if given else ["socket"] if elsewhere else ["socket", "http"]
        over = metafunc.definition.get_closest_marker("over")
        metafunc.parametrize("transport", [one for one in both if over is None or one in over.args])


def elsewhere(config: pytest.Config) -> Driver | None:
    """Return the driver of the server that was named, None for our own workspace."""
    url, control = _option(config, "--slack-url"), _option(config, "--slack-control")
    if not url:
        return None
    if not control:
        raise pytest.UsageError("--slack-url needs --slack-control: people must be able to do something there")
    tokens = (_option(config, f"--slack-{name}") for name in ("bot-token", "app-token", "signing-secret"))
    credentials = Credentials(url, *map(str, tokens))
    token = _option(config, "--slack-control-token")
    return WorkspaceDriver(control, token, credentials) if token else LocalSlack(control, credentials)


def needed(item: pytest.Item) -> list[str]:
    return [what for mark in item.iter_markers("needs") for what in mark.args]


async def _lacks(driver: Driver, what: str) -> bool:
    """Tell whether a server lacks something; a method is asked for, without any arguments."""
    if what.startswith("act:"):
        return not driver.can(what.removeprefix("act:"))
    if what not in _missing:
        us = driver.credentials
        headers = {"Authorization": f"Bearer {us.bot_token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{us.api_url}{what}") as response,
        ):
            unknown = response.status == 404 or (await response.json()).get("error") == "unknown_method"
            _missing[what] = unknown
    return _missing[what]


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def bot_settings() -> Mapping[str, Any]:
    services = {"gateway": {"depends_on": ["checkout"], "owner": "web"}, "checkout": {"owner": "shop"}, "payments": {}}
    return {"inventory": services, "runner": {"planner": "obeys"}}


@pytest.fixture
async def bot(
    request: pytest.FixtureRequest,
    transport: Any,
    tmp_path: Path,
    bot_template: Path,
    bot_settings: Mapping[str, Any],
    company: Company,
) -> AsyncIterator[Bot]:
    slack = elsewhere(request.config)
    if slack is not None:
        await _skip_unless(slack, needed(request.node))
    stage = Stage(
        tmp_path,
        bot_settings,
        {"shop": Shop(company)},
        transport=transport,
        slack=slack,
        port=_option(request.config, "--slack-port") or 0,
        template=bot_template,
    )
    async with stage.up() as running:
        yield running
        await _account(request.node, running)


async def _skip_unless(slack: Driver, wanted: Iterable[str]) -> None:
    async with slack:
        lacking = [what for what in wanted if await _lacks(slack, what)]
        await slack.trouble("reset")
    if lacking:
        pytest.skip(f"this server lacks {', '.join(lacking)}")


async def _account(item: pytest.Item, bot: Bot) -> None:
    """Note what passed on the wire for the summary; what was sent was right, and nothing was used that is not named."""
    _, wire = await bot.slack.wire()
    calls = [one for one in wire if one.kind == "call"]
    wrong = [f"{one.name}: {one.problem}" for one in calls if one.problem.startswith(PAYLOAD)]
    assert not wrong, f"the server refuses what was sent: {wrong}"
    unnamed = {one.name for one in calls if not one.problem} - ALWAYS - INSTEAD - set(needed(item))
    assert not unnamed, f"needs does not name {sorted(unnamed)}"
    delivered = [one.name for one in wire if one.kind == "envelope"]
    events = {name for name in delivered if " " not in name and not name.startswith("/")}
    methods = {one.name for one in calls if not one.problem} - {"response_url"}
    item.user_properties.append(("slack Web API methods", sorted(methods)))
    item.user_properties.append(("slack events", sorted(events)))
    item.user_properties.append(("slack interactions", sorted(set(delivered) - events)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with how much of Slack was driven."""
    found: dict[str, set[str]] = {}
    for report in [one for reports in terminalreporter.stats.values() for one in reports]:
        for name, value in getattr(report, "user_properties", ()):
            if name.startswith("slack "):
                found.setdefault(name, set()).update(value)
    if found:
        terminalreporter.write_sep("=", "Slack contract")
    for name, values in found.items():
        terminalreporter.write_line(f"{len(values)} {name.removeprefix('slack ')}: {', '.join(sorted(values))}")
