"""`sysop doctor` asks Slack, here the local stand-in in a process of its own, and says what to mend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from terminal import SETTINGS, Shell

MANIFEST = Path(__file__).parents[2] / "deploy/slack/manifest.yaml"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return MANIFEST


@pytest.fixture
def workspace(manifest: Path) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "sysop.workspace", "--manifest", str(manifest), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        yield json.loads(said.readline())
        process.terminate()
        process.wait(timeout=20)


def set_up(shell: Shell, workspace: dict[str, str], **more: Any) -> None:
    for name in ("bot_token", "app_token"):
        os.environ.pop(f"SLACK_{name.upper()}", None)
        shell.write(workspace[name], name)
    section = {
        "bot_token": f"file:{shell.folder / 'bot_token'}",
        "app_token": f"file:{shell.folder / 'app_token'}",
        "api_url": workspace["api_url"],
        **more,
    }
    shell.write(f"{SETTINGS}\n{yaml.safe_dump({'slack': section})}")


def checks(shell: Shell) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in shell("doctor", "--json").json["checks"]}


def test_a_workspace_that_is_right_is_green_and_a_wrong_channel_is_named(
    shell: Shell, workspace: dict[str, str]
) -> None:
    set_up(shell, workspace, channel="C0NOSUCH", roles={"approver": {"groups": ["S0NOSUCH"]}})
    found = checks(shell)
    assert found["slack"]["status"] == "ok"
    assert "stand-in" in found["slack"]["detail"]
    assert found["socket"]["status"] == "ok"
    assert (found["channel"]["status"], "channel_not_found" in found["channel"]["detail"]) == ("failed", True)
    assert "/invite @Sysop" in found["channel"]["fix"]
    assert found["traffic"]["status"] == "note"


def test_a_token_that_is_not_taken_is_said_without_the_token(shell: Shell, workspace: dict[str, str]) -> None:
    set_up(shell, workspace)
    shell.write("xoxb-000000000000-wrong", "bot_token")
    said = shell("doctor", "--json").out
    found = {check["name"]: check for check in json.loads(said)["checks"]}
    assert found["slack"]["status"] == "failed"
    assert "slack.bot_token" in found["slack"]["detail"]
    assert "xoxb-000000000000-wrong" not in said


class TestScopes:
    @pytest.fixture
    def manifest(self, tmp_path: Path) -> Path:
        less = yaml.safe_load(MANIFEST.read_text())
        less["oauth_config"]["scopes"]["bot"].remove("usergroups:read")
        file = tmp_path / "less.yaml"
        file.write_text(yaml.safe_dump(less))
        return file

    def test_a_scope_that_is_missing_is_named(self, shell: Shell, workspace: dict[str, str]) -> None:
        set_up(shell, workspace)
        found = checks(shell)["slack"]
        assert (found["status"], found["detail"]) == ("failed", "the bot token lacks usergroups:read")


def test_no_workspace_at_the_address_is_one_sentence(shell: Shell) -> None:
    nothing = {"bot_token": "xoxb-1-a", "app_token": "xapp-1-a", "api_url": "http://127.0.0.1:9/api/"}
    set_up(shell, nothing)
    found = checks(shell)["slack"]
    assert found["status"] == "failed"
    assert "cannot be reached" in found["detail"]


def test_without_slack_it_is_a_note(shell: Shell) -> None:
    assert checks(shell)["slack"]["status"] == "note"
