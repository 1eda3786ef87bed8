"""A deploy at a stand-in for GitHub: its webhooks have the check look at once, and it is one change whoever tells."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

import bench
from gate.kit import Attack
from sysop import host as plugin_host
from sysop.api import Change, ChangeState
from sysop.model import RunState
from sysop.store import changes, effects
from sysop.surfaces.server import Server, listen
from sysop.testing.github import GitHub, Outcome
from sysop.testing.github.server import READ_TOKEN, WRITE_TOKEN
from sysop_plugins import cicd, github
from sysop_plugins.cicd.changing import name_of, pause, rolled_out
from sysop_plugins.cicd.provider import Build

SECRET = "the secret of a webhook"
FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}


@dataclass
class Stage:
    """A Sysop that listens, and the server it deploys by."""

    gate: Attack
    hub: GitHub
    client: httpx2.AsyncClient

    async def deliver(self, number: int, state: str, at: str = "2026-11-30T10:00:00Z") -> None:
        """Send what GitHub sends of a deployment's status."""
        body = {
            "action": "created",
            "deployment_status": {"state": state, "environment": "production", "created_at": at},
            "deployment": {"id": number, "sha": "0" * 40, "ref": "1.3.0", "created_at": "2026-11-30T09:59:00Z"},
            "repository": {"full_name": "acme/checkout", "name": "checkout", "default_branch": "main"},
        }
        content = json.dumps(body).encode()
        signature = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
        headers = {"x-github-event": "deployment_status", "x-hub-signature-256": f"sha256={signature}"}
        answer = await self.client.post("/webhooks/github", content=content, headers=headers)
        assert answer.status_code == 200, answer.text

    async def known(self) -> list[Change]:
        return await self.gate.app.store.read(lambda conn: changes.between(conn, 0, 4_000_000_000_000))

    async def looks(self, run: str) -> int:
        return len(await self.gate.app.store.read(lambda conn: effects.polls(conn, run, "call.verify-")))


@pytest.fixture
async def stage(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    for name, text in (("read", READ_TOKEN), ("write", WRITE_TOKEN), ("hook", SECRET)):
        (tmp_path / name).write_text(text)
    with GitHub() as hub:
        release = {"repository": "acme/checkout", "environment": "production"}
        section = {
            "github": {"api": hub.url, "token_secret": "gh", "pipelines": {"release": release}},
            "services": {"checkout": {"pipeline": "release"}},
        }
        load = plugin_host.load
        with_cicd = lambda given, **more: load({**given, "cicd": section}, **more)  # noqa: E731
        monkeypatch.setattr(bench.plugin_host, "load", with_cicd)
        gate = Attack(
            tmp_path,
            url,
            policy=FREE,
            plugins={"cicd": cicd, "github": github},
            secrets={"gh": {scope: f"file:{tmp_path / scope}" for scope in ("read", "write")}},
            webhooks={"tokens": {"github": f"file:{tmp_path / 'hook'}"}},
        )
        server = Server(gate.app.webhooks(), listen("127.0.0.1", 0))
        async with httpx2.AsyncClient(base_url=await server.start(), trust_env=False) as client:
            yield Stage(gate, hub, client)
        await server.stop()
        await gate.close()


async def test_a_webhook_has_the_check_look_at_once_and_all_tell_of_one_change(stage: Stage) -> None:
    stage.hub.repository("acme/checkout", ["main", "1.3.0"]).next(Outcome(looks=4))
    gate = stage.gate
    run = await gate.submit("cicd.deploy", {"service": "checkout", "version": "1.3.0"})
    await gate.advance(run)
    waiting = await gate.run(run)
    assert waiting.state is RunState.WAITING
    assert waiting.wake_at is not None
    assert waiting.wake_at - await gate.app.store.now() > 1500, "a server elsewhere is not asked every second"
    for state in ("queued", "in_progress", "in_progress", "in_progress", "in_progress", "success"):
        before = await stage.looks(run)
        await stage.deliver(501, state)
        await gate.advance(run)
        if (await gate.run(run)).state is RunState.DONE:
            break
        assert await stage.looks(run) <= before + 1
        await asyncio.sleep(0.6)
    row = await gate.row(run)
    assert row is not None
    assert row.verified is True, row.verification
    await gate.app.feed.tick()
    (one,) = await stage.known()
    assert (one.id, one.run, one.after, one.state) == (
        "github:acme/checkout:deployment:501",
        run,
        "1.3.0",
        ChangeState.DONE,
    )
    assert stage.hub.changes == ["deploy 1.3.0"]


async def test_a_deploy_that_nobody_told_of_is_found_by_asking(stage: Stage) -> None:
    stage.hub.repository("acme/checkout", ["main", "1.3.0"])
    answer = await stage.client.post(
        f"{stage.hub.url}/repos/acme/checkout/deployments",
        json={"ref": "1.3.0", "environment": "production", "auto_merge": False, "required_contexts": []},
        headers={"authorization": f"Bearer {WRITE_TOKEN}", "x-github-api-version": "2022-11-28"},
    )
    assert answer.status_code == 201, answer.text
    await stage.gate.app.feed.tick()
    (one,) = await stage.known()
    assert (one.service, one.after, one.source, one.run) == ("checkout", "1.3.0", "github", None)


async def test_news_of_a_deploy_that_goes_on_ends_nothing(stage: Stage) -> None:
    stage.hub.repository("acme/checkout", ["main", "1.3.0"]).next(Outcome(looks=1000))
    gate = stage.gate
    run = await gate.submit("cicd.deploy", {"service": "checkout", "version": "1.3.0"})
    await gate.advance(run)
    await stage.deliver(501, "success")
    await gate.advance(run)
    row = await gate.row(run)
    assert row is not None
    assert row.verified is None, "a delivery is never believed"
    assert (await gate.run(run)).state is RunState.WAITING


@dataclass
class _Clock:
    at: int

    def now(self) -> int:
        return self.at


def test_a_build_of_an_hour_elsewhere_is_looked_at_some_150_times() -> None:
    build = Build(id="github:acme/checkout:1:1", pipeline="ci", state="running", parameters={}, created_at=0)
    clock, looks = _Clock(0), 0
    while clock.at < 3_600_000:
        wait = pause(clock, build)  # type: ignore[arg-type]
        assert wait is not None
        assert timedelta(seconds=2) <= wait <= timedelta(seconds=30)
        clock.at += round(wait / timedelta(milliseconds=1))
        looks += 1
    assert 140 <= looks <= 160
    here = build.model_copy(update={"id": "build-1"})
    assert pause(clock, here) is None  # type: ignore[arg-type]


def test_a_deploy_that_waits_in_a_queue_is_left_to_others_to_tell() -> None:
    build = {"id": "jenkins:deploy:queue:41", "pipeline": "release", "state": "queued", "parameters": {}}
    told = {"service": "checkout", "version": "2", "previous": None, "change": "", "build": {**build, "created_at": 5}}
    assert rolled_out(None, told) is None
    told["build"] = {**build, "id": "jenkins:deploy:18", "created_at": 5}
    one = rolled_out(None, told)
    assert one is not None
    assert (one.source, one.id, one.state) == ("jenkins", "jenkins:deploy:18", ChangeState.STARTED)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        ("github:acme/checkout:1001:2", "github:acme/checkout:1001"),
        ("github:acme/checkout:deployment:501", "github:acme/checkout:deployment:501"),
        ("gitlab:shop/web/checkout:31:3", "gitlab:shop/web/checkout:31"),
        ("jenkins:shop/deploy:18", "jenkins:shop/deploy:18"),
        ("jenkins:shop/deploy:queue:41", "jenkins:shop/deploy:queue:41"),
        ("build-7k2m", "build-7k2m"),
    ],
)
def test_a_build_is_called_by_what_webhooks_call_it(build: str, name: str) -> None:
    assert name_of(build) == name
