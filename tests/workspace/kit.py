"""A workspace to talk to: people through the control API, an app through an unmodified SDK and Bolt."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import aiohttp
import uvicorn
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import AppManifest, Workspace, WorkspaceSettings

Json = dict[str, Any]

SCOPES = [
    *("app_mentions:read", "assistant:write", "bookmarks:write", "channels:history", "channels:join"),
    *("channels:manage", "channels:read", "chat:write", "commands", "files:read", "files:write", "groups:history"),
    *("groups:read", "groups:write", "im:history", "im:read", "im:write", "pins:write", "reactions:read"),
    *("reactions:write", "team:read", "usergroups:read", "users:read"),
]
EVENTS = [
    *("app_mention", "message.im", "message.channels", "message.groups", "app_home_opened", "app_context_changed"),
    *("agent_session_stopped", "agent_session_title_changed", "app_uninstalled", "tokens_revoked"),
    *("reaction_added", "reaction_removed", "member_joined_channel"),
]
MANIFEST: Json = {
    "display_information": {"name": "Probe", "description": "An app to test with"},
    "features": {
        "agent_view": {"suggested_prompts": [{"title": "What now?", "message": "What is going on?"}]},
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "Probe"},
        "slash_commands": [
            {"command": "/probe", "description": "Try it", "usage_hint": "words", "should_escape": True},
            {"command": "/plain", "description": "Try it unescaped"},
        ],
        "shortcuts": [
            {"name": "Look at this", "type": "message", "callback_id": "look"},
            {"name": "Begin", "type": "global", "callback_id": "begin"},
        ],
    },
    "oauth_config": {"scopes": {"bot": SCOPES}},
    "settings": {
        "event_subscriptions": {"bot_events": EVENTS},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


def manifest(change: Callable[[Json], object] = lambda _: None) -> AppManifest:
    """Return the manifest, changed."""
    text = deepcopy(MANIFEST)
    change(text)
    return AppManifest.parse(text)


def client_of(workspace: Workspace, token: str | None = None) -> AsyncWebClient:
    """Return the SDK's client as anybody would build it, except that it never sends twice."""
    return AsyncWebClient(token=token or workspace.bot_token, base_url=workspace.api_url, proxy=None, retry_handlers=[])


async def refused(call: Awaitable[Any]) -> SlackApiError:
    """Return the error of a call that must be refused."""
    try:
        answer = await call
    except SlackApiError as error:
        return error
    raise AssertionError(f"it was not refused: {answer}")


async def error_of(call: Awaitable[Any]) -> str:
    """Return Slack's word for why a call was refused."""
    return str((await refused(call)).response["error"])


async def until(holds: Callable[[], Any], what: str = "it") -> Any:
    """Wait until something holds, and return what it is."""
    for _ in range(1000):
        if value := holds():
            return value
        await asyncio.sleep(0.005)
    raise AssertionError(f"{what} did not happen")


class People:
    """People at their browsers."""

    def __init__(self, workspace: Workspace, http: aiohttp.ClientSession) -> None:
        self.workspace, self._http = workspace, http
        self._headers = {"X-Workspace-Token": workspace.control_token}

    async def do(self, act: str, user: str = "requester", **body: Any) -> Json:
        """Do something and return what became of it, refusals included."""
        url = f"{self.workspace.url}/_control/{act}"
        async with self._http.post(url, json={"user": user, **body}, headers=self._headers) as response:
            return await response.json()

    async def did(self, act: str, user: str = "requester", **body: Any) -> Json:
        """Do something that must work."""
        answer = await self.do(act, user, **body)
        assert answer["ok"], answer
        return answer

    async def late(self, act: str, user: str = "requester", **body: Any) -> Json:
        """Do something and let the app's three seconds pass."""
        before = len(await self.log("envelope"))
        doing = asyncio.ensure_future(self.do(act, user, **body))
        await eventually(lambda: self._sent(before), True)
        await asyncio.sleep(0.05)
        await self.advance(3)
        return await doing

    async def _sent(self, before: int) -> bool:
        return len(await self.log("envelope")) > before

    async def see(self, path: str, user: str = "requester", **query: str) -> Json:
        """Look at something."""
        url = f"{self.workspace.url}/_control/{path}"
        async with self._http.get(url, params={"user": user, **query}, headers=self._headers) as response:
            return await response.json()

    async def messages(self, channel: str = "general", user: str = "requester", **query: str) -> list[Json]:
        """Return what somebody sees in a channel."""
        answer = await self.see(f"messages/{channel}", user, **query)
        assert answer["ok"], answer
        return list(answer["messages"])

    async def last(self, channel: str = "general", user: str = "requester", **query: str) -> Json:
        """Return the last message somebody sees in a channel."""
        return (await self.messages(channel, user, **query))[-1]

    async def say(self, text: str, user: str = "requester", channel: str = "general", **more: Any) -> str:
        """Say something and return its ts."""
        return str((await self.did("message", user, channel=channel, text=text, **more))["ts"])

    async def advance(self, seconds: float) -> None:
        """Move the clock on."""
        await self.did("clock", advance=seconds)

    async def log(self, kind: str, **facts: Any) -> list[Json]:
        """Return the log's entries of a kind."""
        entries = (await self.see("log"))["entries"]
        return [e for e in entries if e["kind"] == kind and all(e.get(name) == value for name, value in facts.items())]


class App:
    """An unmodified Bolt app that notes what it hears."""

    def __init__(self, workspace: Workspace) -> None:
        self.client = client_of(workspace)
        self.bolt = AsyncApp(client=self.client, signing_secret=workspace.signing_secret)
        self.heard: list[Json] = []

    def hears(self, *events: str) -> None:
        """Note events of these types."""
        for event in events:

            @self.bolt.event(event)
            async def note(body: Json) -> None:
                self.heard.append(body)

    def events(self, kind: str, **facts: Any) -> list[Json]:
        """Return what was heard of a type."""
        found = [body["event"] for body in self.heard if body.get("event", {}).get("type") == kind]
        return [event for event in found if all(event.get(name) == value for name, value in facts.items())]

    async def hear(self, kind: str, **facts: Any) -> Json:
        """Wait for an event and return it."""
        return (await until(lambda: self.events(kind, **facts), f"{kind} {facts}"))[-1]


@asynccontextmanager
async def over_socket(workspace: Workspace, app: App) -> AsyncIterator[AsyncSocketModeHandler]:
    """Connect an app by Socket Mode."""
    handler = AsyncSocketModeHandler(app.bolt, workspace.app_token, web_client=app.client, ping_interval=1)
    await handler.connect_async()
    try:
        yield handler
    finally:
        await handler.close_async()


@asynccontextmanager
async def over_http(listener: socket.socket, app: App) -> AsyncIterator[None]:
    """Serve an app's request URL."""
    handler = AsyncSlackRequestHandler(app.bolt, path="/slack/events")
    server = uvicorn.Server(uvicorn.Config(handler, lifespan="off", log_level="warning", access_log=False))
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def listen() -> tuple[socket.socket, str]:
    """Return a listening socket and the request URL it will serve."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events"


def settings(**more: Any) -> WorkspaceSettings:
    """Return settings with the manifest, changed."""
    return WorkspaceSettings(**{"app": manifest(), **more})


async def eventually(read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Wait until something reads as wanted."""
    seen = None
    for _ in range(500):
        seen = await read()
        if seen == wanted:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"it stayed {seen!r}, not {wanted!r}")


async def until_log(people: People, kind: str) -> None:
    """Wait until the log has an entry of a kind."""

    async def there() -> bool:
        return bool(await people.log(kind))

    await eventually(there, True)


CHANNELS = Workspace(settings()).channels
"""The same in every workspace with these settings: ids come from a seed."""
GENERAL, SHOP = CHANNELS["general"], CHANNELS["shop"]
