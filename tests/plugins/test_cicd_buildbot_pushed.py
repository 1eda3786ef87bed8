"""A real Buildbot tells a real Sysop of its builds, and deploys the services of the demo company."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bench
from demo.company_kit import start_company
from plugins.buildbot_lab import environment
from sysop.app import App
from sysop.model import Alert
from sysop.store import alerts
from sysop.surfaces.server import Server, listen
from sysop.testing.buildbot import PASSWORD, BuildbotLab, Pipeline, Push, deploying
from sysop_plugins import buildbot

TOKEN = "of-the-master"
FAILS_ON_BAD = [sys.executable, "-S", "-c", "import sys; sys.exit(sys.argv[1] == 'bad')", "{suite}"]


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """Return a door that is there before the master is told of it."""
    with listen("127.0.0.1", 0) as found:
        yield found


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("company")


@pytest.fixture(scope="module")
def master(listener: socket.socket, company: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildbotLab]:
    push = Push(f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks/buildbot", TOKEN)
    pipelines = [Pipeline("ci", FAILS_ON_BAD, ["suite"]), deploying(company)]
    with BuildbotLab(tmp_path_factory.mktemp("buildbot"), environment(), pipelines, push) as lab:
        yield lab


@pytest.fixture
def lab(world: Any, master: BuildbotLab) -> Any:
    world.secrets["pw"] = PASSWORD
    world.settings["cicd"] = {"buildbot": master.settings("pw")}
    return world


@pytest.fixture
async def told(listener: socket.socket, tmp_path: Path, url: str) -> AsyncIterator[App]:
    """Return a Sysop behind the door."""
    (tmp_path / "token").write_text(TOKEN)
    hooks = {"tokens": {"buildbot": f"file:{tmp_path / 'token'}"}}
    app = bench.build(tmp_path, url, plugins={"buildbot": buildbot}, webhooks=hooks)
    server = Server(app.webhooks(), listener.dup())
    await server.start()
    yield app
    await server.stop()
    await app.close()


async def stored(app: App, enough: Callable[[list[Alert]], bool]) -> list[Alert]:
    """Return the alerts once there are enough of them."""
    async with asyncio.timeout(20):
        while True:
            found = [row.alert for row in await app.store.read(alerts.listed)]
            if enough(found):
                return found
            await asyncio.sleep(0.05)


async def test_a_build_that_fails_is_an_alert_and_a_later_success_ends_it(lab: Any, told: App, url: str) -> None:
    key = url[:6]
    bad = await lab.call("cicd.trigger", key=f"{key}:bad", pipeline="ci", parameters={"suite": "bad"})
    (alert,) = await stored(told, lambda found: len(found) == 1)
    assert (alert.name, alert.labels["builder"], alert.firing) == ("BuildFailed", "ci", True)
    failed = await lab.call("cicd.status", build=bad["id"])
    assert alert.url == failed["url"]
    assert alert.starts_at <= failed["started_at"]
    await asyncio.sleep(1.1)  # Buildbot tells whole seconds, and a success ends what began before it
    await lab.call("cicd.trigger", key=f"{key}:good", pipeline="ci", parameters={"suite": "good"})
    (ended,) = await stored(told, lambda found: not any(one.firing for one in found))
    assert ended.fingerprint == alert.fingerprint


async def test_the_services_of_the_demo_company_are_deployed_through_it(lab: Any, company: Path) -> None:
    with start_company(company, 1) as shop:
        planned = shop.scenario["deploys"][0]
        wish = {"service": planned["service"], "version": planned["version"]}
        assert shop.status()["services"][wish["service"]]["version"] != wish["version"]
        rollout = await lab.call("cicd.deploy", key="company:new", **wish)
        verdict = await lab.verdict("cicd.deploy", rollout, **wish)
        assert verdict.state == "passed", await lab.call("cicd.logs", build=rollout["build"]["id"])
        assert shop.status()["services"][wish["service"]]["version"] == wish["version"]
        none = {**wish, "version": "0.0.0"}
        wrong = await lab.call("cicd.deploy", key="company:none", **none)
        assert (await lab.verdict("cicd.deploy", wrong, **none)).state == "failed"
        logs = await lab.call("cicd.logs", build=wrong["build"]["id"])
        assert "program finished with exit code 2" in logs["text"]
        assert (await lab.call("cicd.live_version", service=wish["service"]))["version"] == wish["version"]
        assert shop.status()["services"][wish["service"]]["version"] == wish["version"]
