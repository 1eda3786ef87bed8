"""The workspace as a program of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import AppManifest, ManifestError
from workspace import kit


async def test_it_runs_alone_and_prints_how_to_connect(tmp_path: Path) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(yaml.safe_dump(kit.MANIFEST))
    command = [sys.executable, "-m", "sysop.workspace", "--manifest", str(file), "--json"]
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert running.stdout is not None
        facts = json.loads(await running.stdout.readline())
        client = AsyncWebClient(token=facts["bot_token"], base_url=facts["api_url"])
        assert (await client.auth_test())["user"] == "probe"
        assert facts["page_url"] == f"{facts['url']}/?token={facts['control_token']}"
    finally:
        running.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(running.wait(), 10) == 0


@pytest.mark.parametrize("text", ["{}", "[", "display_information: 5", "features: {slash_commands: 3}"])
def test_a_bad_manifest_is_told_and_nothing_starts(tmp_path: Path, text: str) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(text)
    command = [sys.executable, "-m", "sysop.workspace", "--manifest", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "manifest.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ({"slash_commands": [{"command": "probe"}]}, "must begin with /"),
        ({"slash_commands": [{}]}, "command is missing"),
        ({"shortcuts": [{"name": "x", "callback_id": "x", "type": "wide"}]}, "message or global"),
    ],
)
def test_a_manifest_says_what_is_wrong_with_it(features: kit.Json, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        AppManifest.parse({"display_information": {"name": "x"}, "features": features})


def test_the_workspace_knows_nothing_of_sysop() -> None:
    code = "import sys, sysop.workspace; print(*sorted(m for m in sys.modules if m.startswith('sysop')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = [name for name in done.stdout.split() if name != "sysop"]
    assert all(name.startswith(("sysop.workspace", "sysop.blockkit")) for name in ours), ours
