"""Sysop in a workspace: people type and click over real sockets, and the surface hears it. No mocks, no model."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

import bench
import postgres
from sysop.app import App
from sysop.model import Approval
from sysop.store import approvals, inbox, outbox
from sysop.store.store import Store
from sysop.surfaces.server import Server
from sysop.workspace import AppManifest, Workspace, WorkspaceSettings

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]
_COUNT = itertools.count()
MANIFEST: Json = yaml.safe_load((ROOT / "deploy/slack/manifest.yaml").read_text())


async def until(look: Callable[[], Awaitable[Any]], what: str, *, seconds: float = 15.0) -> Any:
    """Wait until something is to be seen, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.02)
    return found


async def never(look: Callable[[], Awaitable[Any]], *, seconds: float = 0.4) -> None:
    """Watch for a while that something is not to be seen."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        assert not await look()
        await asyncio.sleep(0.02)


def flat(message: Json) -> str:
    """Return what a person reads in a message."""

    def leaves(value: Any) -> str:
        if isinstance(value, list):
            return "".join(map(leaves, value))
        if not isinstance(value, dict):
            return ""
        text = value.get("text")
        inner = {name: part for name, part in value.items() if name not in ("text", "action_id", "value")}
        return (text if isinstance(text, str) else leaves(text)) + "".join(map(leaves, inner.values()))

    return leaves(message.get("blocks") or []) or str(message.get("text"))


@dataclass
class Rig:
    """Everything that runs, and what people do with it."""

    workspace: Workspace
    app: App
    http: aiohttp.ClientSession
    folder: Path

    @property
    def store(self) -> Store:
        return self.app.store

    # -- people -------------------------------------------------------------------------------------------------------

    async def do(self, act: str, user: str = "requester", **body: Any) -> Json:
        url = f"{self.workspace.url}/_control/{act}"
        headers = {"X-Workspace-Token": self.workspace.control_token}
        async with self.http.post(url, json={"user": user, **body}, headers=headers) as response:
            answer: Json = await response.json()
        return answer

    async def did(self, act: str, user: str = "requester", **body: Any) -> Json:
        answer = await self.do(act, user, **body)
        assert answer["ok"], answer
        return answer

    async def see(self, path: str, user: str = "requester", **query: str) -> Json:
        url = f"{self.workspace.url}/_control/{path}"
        headers = {"X-Workspace-Token": self.workspace.control_token}
        async with self.http.get(url, params={"user": user, **query}, headers=headers) as response:
            answer: Json = await response.json()
        return answer

    async def messages(self, channel: str = "general", user: str = "requester", **query: str) -> list[Json]:
        return list((await self.see(f"messages/{channel}", user, **query))["messages"])

    async def command(self, text: str, user: str = "requester", channel: str = "general") -> Json:
        return await self.did("command", user, channel=channel, text=text)

    async def say(self, text: str, user: str = "requester", channel: str = "general", **more: Any) -> str:
        return str((await self.did("message", user, channel=channel, text=text, **more))["ts"])

    async def whispered(
        self, words: str, user: str = "requester", channel: str = "general", *, seconds: float = 15.0, **query: str
    ) -> Json:
        """Wait for something that only this person sees, and return it."""

        async def look() -> Json | None:
            seen = await self.messages(channel, user, **query)
            mine = [one for one in seen if one["is_ephemeral"] and words in flat(one)]
            return mine[-1] if mine else None

        found: Json = await until(look, words, seconds=seconds)
        return found

    async def view(self, user: str = "requester", callback: str = "") -> Json:
        """Wait for a modal to open, and return it."""

        async def look() -> Json | None:
            events = (await self.see("state", user)).get("views") or []
            open_now = [one for one in events if not callback or one.get("callback_id") == callback]
            return open_now[-1] if open_now else None

        found: Json = await until(look, f"modal {callback}")
        return found

    # -- Sysop --------------------------------------------------------------------------------------------------------

    async def inbox(self) -> dict[str, int]:
        return await self.store.read(inbox.counts)

    async def settled(self, count: int) -> dict[str, int]:
        """Wait until so many deliveries were worked on and none waits."""

        async def look() -> dict[str, int] | None:
            counts = await self.inbox()
            ended = counts.get("done", 0) + counts.get("dead", 0)
            return None if ended < count or counts.get("waiting") or counts.get("working") else counts

        found: dict[str, int] = await until(look, f"{count} deliveries")
        return found

    async def approval(self, count: int = 1) -> Approval:
        """Wait for an approval and return the newest."""

        async def look() -> Approval | None:
            found = await self.store.read(lambda conn: approvals.listed(conn, pending_only=False))
            return found[0] if len(found) >= count else None

        found: Approval = await until(look, "an approval")
        return found

    async def card(self, key: str) -> outbox.Message:
        """Wait until a message stands in the chat, and return where."""

        async def look() -> outbox.Message | None:
            return await self.store.read(lambda conn: outbox.message(conn, key))

        found: outbox.Message = await until(look, key)
        return found

    async def click(self, message: outbox.Message, action: str, user: str, **more: Any) -> Json:
        return await self.do("interact", user, channel=message.channel, message_ts=message.ts, action_id=action, **more)


def listen() -> tuple[socket.socket, str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events"


def slack_section(workspace: Workspace, folder: Path, mode: str, **more: Any) -> Json:
    """Return the settings as an operator would write them, the secrets in files."""
    secrets = {
        "bot_token": workspace.bot_token,
        "app_token": workspace.app_token,
        "signing_secret": workspace.signing_secret,
    }
    for name, value in secrets.items():
        (folder / name).write_text(value)
    return {
        **{name: f"file:{folder / name}" for name in secrets},
        "mode": mode,
        "api_url": workspace.api_url,
        "roles": {"approver": {"groups": [workspace.groups["oncall"], workspace.groups["leads"]]}},
        **more,
    }


@asynccontextmanager
async def rig(
    folder: Path, url: str, mode: str = "socket", *, running: bool = True, **changes: Any
) -> AsyncIterator[Rig]:
    """Start a workspace, Sysop and the surface between them; `running` False leaves runs alone."""
    slack = changes.pop("slack", {})
    plugins = changes.pop("plugins", None)
    async with AsyncExitStack() as stack:
        listener, request_url = listen()
        stack.callback(listener.close)
        manifest = {**MANIFEST, "settings": {**MANIFEST["settings"], "socket_mode_enabled": mode == "socket"}}
        settings = WorkspaceSettings(AppManifest.parse(manifest), request_url if mode == "http" else None)
        workspace = await stack.enter_async_context(Workspace(settings))
        section = slack_section(workspace, folder, mode, **slack)
        if changes.pop("incidents_channel", False):
            section["channel"] = workspace.channels["incidents"]
        app = bench.build(folder, url, slack=section, plugins=plugins, **changes)
        stack.push_async_callback(app.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        if mode == "http":
            server = Server(app.webhooks(), listener)
            await server.start()
            stack.push_async_callback(server.stop)
        await (app.begin() if running else app.chat.start())
        stack.push_async_callback(app.end if running else app.chat.stop)
        made = Rig(workspace, app, http, folder)
        await until(app.chat.ready, "the surface")
        if mode == "http":
            await workspace.verified()
        yield made


@asynccontextmanager
async def started(
    request: pytest.FixtureRequest, folder: Path, kind: tuple[str, str] | None = None, **changes: Any
) -> AsyncIterator[Rig]:
    """Start a rig with one of the databases and one of the ways in: ("sqlite", "socket") or ("postgres", "http")."""
    database, mode = kind or request.param
    if database == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), folder / "sysop.db")
        async with rig(folder, f"sqlite:///{folder / 'sysop.db'}", mode, **changes) as made:
            yield made
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("migrated_database")
    name = f"sysop_{os.getpid()}_in_{next(_COUNT)}"
    url = postgres.fresh_database(server, name, template)
    try:
        async with rig(folder, url, mode, **changes) as made:
            yield made
    finally:
        postgres.drop_database(server, name)
