"""The kit on a Slack that somebody else runs: another workspace process, and a server with another control API."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from local_shapes import served

from lab import LabPlugin
from sysop.testing.bot import Bot
from sysop.testing.driver import Credentials
from sysop.testing.errors import NotThere, Refused
from sysop.testing.local_slack import LocalSlack
from sysop.testing.stage import Stage
from sysop.workspace import AppManifest, Workspace, WorkspaceSettings

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "deploy/slack/manifest.yaml"


@pytest.fixture
async def bot(tmp_path: Path, bot_template: Path) -> AsyncIterator[Bot]:
    app = AppManifest.parse(yaml.safe_load(MANIFEST.read_text()))
    async with Workspace(WorkspaceSettings(app)) as workspace, served(workspace) as control:
        tokens = (workspace.bot_token, workspace.app_token, workspace.signing_secret)
        slack = LocalSlack(control, Credentials(workspace.api_url, *tokens))
        settings = {"plugins": {"lab": {"folder": str(tmp_path)}}}
        stage = Stage(tmp_path, settings, {"lab": LabPlugin()}, slack=slack, template=bot_template)
        async with stage.up() as running:
            yield running


async def test_people_of_another_server_type_click_and_fill_forms_in(bot: Bot) -> None:
    await bot.say("/sysop status")
    assert "All is quiet" in str(bot.told)
    await bot.say("/sysop run lab.append name=x")
    assert "Who may approve: 1 of `approver`: @lead, @on-call" in bot.last, "by user, where there are no groups"
    await bot.click("Approve")
    assert "who asks for a change cannot approve it" in str(bot.told)
    await bot.click("Deny", user="lead")
    with pytest.raises(Refused) as empty:
        await bot.submit({"why not": " "}, user="lead")
    assert list(empty.value.errors) == ["reason"]
    await bot.submit({"why not": "no"}, user="lead")
    assert "no" in bot.answer
    await bot.say("/sysop run lab.append name=y")
    await bot.click("View all arguments", user="lead")
    await bot.close(user="lead")
    await bot.click("Approve", user="lead")
    assert "Done" in bot.answer


async def test_they_mention_react_edit_delete_and_look_at_the_home(bot: Bot) -> None:
    await bot.say("@sysop what is broken?")
    asked = bot.thread[0]
    assert asked.author == "@requester"
    await bot.react("eyes", on=asked, user="lead")
    await bot.slack.edit("requester", asked, "never mind me")
    assert "never mind me" in [str(one) for one in await bot.slack.messages("lead", "general")]
    await bot.slack.delete("requester", asked)
    assert "Open incidents" in await bot.open_home(user="lead")
    await bot.slack.trouble("reset")


async def test_what_the_server_has_not_is_refused_and_said_before(bot: Bot) -> None:
    assert bot.slack.can("react")
    assert not bot.slack.can("stop")
    for act in (
        bot.slack.shortcut("lead", "New incident"),
        bot.slack.open_messages("lead"),
        bot.slack.trouble("faults", method="chat.update", kind="500"),
    ):
        with pytest.raises(Refused, match="this server has no"):
            await act
    with pytest.raises(NotThere, match="nobody here is called 'eve'"):
        await bot.say("hello", user="eve")


@pytest.mark.parametrize("test", ["test_an_approver_says_yes_and_it_runs_once_and_the_card_is_closed_for_good"])
async def test_the_contract_suite_can_be_pointed_at_a_workspace_that_runs_elsewhere(tmp_path: Path, test: str) -> None:
    command = [sys.executable, "-m", "sysop.workspace", "--manifest", str(MANIFEST), "--json"]
    workspace = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert workspace.stdout is not None
    facts = json.loads(await workspace.stdout.readline())
    given = {
        "slack-url": facts["api_url"],
        "slack-control": f"{facts['url']}/_control",
        "slack-control-token": facts["control_token"],
        "slack-bot-token": facts["bot_token"],
        "slack-app-token": facts["app_token"],
    }
    suite = ["-m", "pytest", "tests/slack_contract", "-q", "-p", "no:cacheprovider", "-k", test]
    options = [f"--{name}={value}" for name, value in given.items()]
    running = await asyncio.create_subprocess_exec(
        sys.executable, *suite, *options, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await running.communicate()
    workspace.terminate()
    await workspace.wait()
    assert b"1 passed" in said, said.decode()
    assert b"chat.postMessage" in said, "it ends with what was driven"
