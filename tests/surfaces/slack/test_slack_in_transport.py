"""How Slack reaches us, and what becomes of it when tokens are wrong, connections die and Slack is away."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import in_kit
import pytest
from in_kit import Rig

import bench
from sysop.errors import SettingsError
from sysop.store import audit
from sysop.surfaces.slack import transport
from sysop.workspace import AppManifest, Workspace, WorkspaceSettings


@pytest.fixture
def sqlite(tmp_path: Path, migrated_file: Path) -> str:
    import shutil

    shutil.copy(migrated_file, tmp_path / "sysop.db")
    return f"sqlite:///{tmp_path / 'sysop.db'}"


@pytest.fixture
async def socket(tmp_path: Path, sqlite: str) -> AsyncIterator[Rig]:
    async with in_kit.rig(tmp_path, sqlite, "socket", running=False) as made:
        yield made


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with Workspace(WorkspaceSettings(AppManifest.parse(in_kit.MANIFEST))) as made:
        yield made


async def alive(rig: Rig) -> None:
    """Prove that what people type is heard and answered; while no connection stands, they type it again."""

    async def heard() -> bool:
        answer = await rig.do("command", channel="general", text="/sysop status")
        assert answer["ok"] or answer["reason"] == "connection_failed", answer
        return bool(answer["ok"])

    await in_kit.until(heard, "a connection")
    await rig.whispered("All is quiet")


async def test_slack_leaves_the_level_of_what_sysop_logs_alone(socket: Rig) -> None:
    """A level of its own, as it was when the app was made, would take away what `serve` says later."""
    await alive(socket)
    named = {name for name in logging.root.manager.loggerDict if name.partition(":")[0].partition(".")[0] == "sysop"}
    assert "sysop" in {name.partition(".")[0] for name in named}
    assert {name: logging.getLogger(name).level for name in named if logging.getLogger(name).level} == {}


# -- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "says"), [("bot_token", "slack.bot_token"), ("app_token", "slack.app_token")])
async def test_a_token_slack_does_not_take_is_refused_at_the_start_by_its_name(
    tmp_path: Path, sqlite: str, workspace: Workspace, which: str, says: str
) -> None:
    section = in_kit.slack_section(workspace, tmp_path, "socket")
    (tmp_path / which).write_text("xoxb-wrong" if which == "bot_token" else "xapp-wrong")
    app = bench.build(tmp_path, sqlite, slack=section)
    with pytest.raises(SettingsError, match=rf"{says}: Slack does not take this token \(invalid_auth\)"):
        await app.chat.start()
    await app.chat.stop()
    await app.close()


async def test_no_proxy_of_the_environment_is_used(
    tmp_path: Path, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would send loopback calls to a proxy too, whatever NO_PROXY says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with in_kit.rig(tmp_path, sqlite, "socket", running=False) as rig:
        await alive(rig)


async def test_slack_away_at_the_start_is_waited_for(
    tmp_path: Path, sqlite: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysop.surfaces.slack.surface.RETRY_S", 0.05)
    monkeypatch.setattr(transport, "PING_S", 0.2)
    async with aiohttp.ClientSession() as http:
        app = bench.build(tmp_path, sqlite, slack=in_kit.slack_section(workspace, tmp_path, "socket"))
        rig = Rig(workspace, app, http, tmp_path)
        await rig.did("faults", method="auth.test", kind="error", error="internal_error", times=2)
        await rig.did("faults", method="apps.connections.open", kind="error", error="internal_error", times=1)
        await app.chat.start()
        assert not await app.chat.ready()
        await in_kit.until(app.chat.ready, "Slack")
        await alive(rig)
        await app.chat.stop()
        await app.close()


# -- connections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "refresh"])
async def test_a_connection_that_ends_is_made_again(
    tmp_path: Path, sqlite: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PING_S", 0.2)
    async with in_kit.rig(tmp_path, sqlite, "socket", running=False) as rig:
        await rig.did("sockets", kind=how)

        async def back() -> bool:
            return rig.workspace.connections > 0 and await rig.app.chat.ready()

        await asyncio.sleep(0.1)
        await in_kit.until(back, "the connection")
        await rig.command("/sysop status")
        await rig.whispered("All is quiet")


async def test_a_connection_that_cannot_be_had_again_is_built_anew(
    tmp_path: Path, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PING_S", 0.1)
    monkeypatch.setattr(
        transport.Socket.__init__, "__kwdefaults__", {"patience_s": 0.5, "clock": transport.time.monotonic}
    )
    async with in_kit.rig(tmp_path, sqlite, "socket", running=False) as rig:
        await rig.did("faults", method="apps.connections.open", kind="error", error="internal_error", times=12)
        await rig.did("sockets", kind="drop")

        async def rebuilt() -> bool:
            status = await rig.app.chat.status()
            assert status is not None
            return int(status["transport"]["built"]) > 1 and await rig.app.chat.ready()

        await in_kit.until(rebuilt, "another handler", seconds=20)
        await alive(rig)


async def test_ghost_connections_are_noticed(socket: Rig, caplog: pytest.LogCaptureFixture) -> None:
    status = await socket.app.chat.status()
    assert status is not None
    assert status["transport"]["connections"] == 1
    handler = socket.app.chat._surface._running.transport  # type: ignore[union-attr]
    assert isinstance(handler, transport.Socket)
    await handler._hello(None, {"type": "hello", "num_connections": 5})
    assert handler.connections == 5
    assert "counts 5 connections" in caplog.text


async def test_everything_ends_without_a_trace(tmp_path: Path, sqlite: str) -> None:
    before = {task.get_name() for task in asyncio.all_tasks()}
    for mode in ("socket", "http"):
        async with in_kit.rig(tmp_path, sqlite, mode, running=False) as rig:
            await rig.command("/sysop help")
        await asyncio.sleep(0)
    left = {task.get_name() for task in asyncio.all_tasks()} - before
    assert not left, left


async def test_before_it_has_begun_slack_is_asked_to_come_again(
    tmp_path: Path, sqlite: str, workspace: Workspace
) -> None:
    app = bench.build(tmp_path, sqlite, slack=in_kit.slack_section(workspace, tmp_path, "http"))
    listener, address = in_kit.listen()
    server = in_kit.Server(app.webhooks(), listener)
    await server.start()
    async with aiohttp.ClientSession() as http, http.post(address, data=b"{}") as answer:
        assert answer.status == 503
    await server.stop()
    await app.close()


# -- the workspace takes us away -------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["app_uninstalled", "tokens_revoked"])
async def test_a_workspace_that_takes_the_app_away_turns_the_health_red(socket: Rig, event: str) -> None:
    inner = {"type": event, **({"tokens": {"bot": [socket.workspace.bot_user_id]}} if "tokens" in event else {})}
    await deliver(socket, inner)
    status = await socket.app.chat.status()
    assert status is not None
    assert status["revoked"] == {socket.workspace.team_id: event}
    (entry,) = await socket.store.read(lambda conn: audit.entries(conn, kind=f"slack.{event}"))
    assert json.loads(entry.body)["team"] == socket.workspace.team_id
    clients = socket.app.chat._surface._running.clients  # type: ignore[union-attr]
    clients._tested = float("-inf")
    await clients.retest()  # the token works after all
    assert clients.revoked == {}


async def test_tokens_of_users_are_none_of_ours(socket: Rig) -> None:
    await deliver(socket, {"type": "tokens_revoked", "tokens": {"oauth": ["U1"]}})
    status = await socket.app.chat.status()
    assert status is not None
    assert status["revoked"] == {}


async def deliver(rig: Rig, inner: dict[str, Any]) -> None:
    """Let the workspace send an event, as Slack would, and wait until it was worked on."""
    rig.workspace._world.events.emit({"event_ts": "1.1", **inner})
    await rig.settled(1)
