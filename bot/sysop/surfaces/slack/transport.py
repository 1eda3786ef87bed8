"""How Slack reaches us: a WebSocket that we open (Socket Mode), or signed requests to `/slack/events`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from sysop.errors import SettingsError
from sysop.surfaces.refusals import Refusals
from sysop.surfaces.slack.clients import Clients, SlackUnavailable, asked
from sysop.surfaces.slack.guard import Adapter, Asgi, Guard

PATH = "/slack/events"
PING_S = 10.0
WATCH_S = 2.0
PATIENCE_S = 60.0
"""So long without a connection, and the handler is built anew: a failed connect tries the same one-use address."""
MANY = 2

log = logging.getLogger(__name__)


class Transport(Protocol):
    """A way in."""

    async def start(self) -> None:
        """Begin. Raises SettingsError for a credential Slack does not take."""
        ...

    async def stop(self) -> None:
        """Take nothing in any more."""
        ...

    async def ready(self) -> bool:
        """Tell whether deliveries can arrive now."""
        ...

    def app(self) -> Asgi | None:
        """Return what must be served at `/slack/events`, None where nothing must."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Return what the health shows."""
        ...


class Http:
    """Signed requests: Bolt's own ASGI handler behind our guard."""

    def __init__(self, bolt: AsyncApp, secret: str, refusals: Refusals) -> None:
        inner: Any = Adapter(bolt, path=PATH)
        self._guard = Guard(inner, secret, refusals, path=PATH)
        self._refusals = refusals
        self._started = False

    async def start(self) -> None:
        """Begin; who serves the application listens."""
        self._started = True

    async def stop(self) -> None:
        """Write what was refused."""
        self._started = False
        await self._refusals.flush()

    async def ready(self) -> bool:
        """Tell whether it was started."""
        return self._started

    def app(self) -> Asgi:
        """Return the application for `/slack/events`."""
        return self._guard

    def status(self) -> Mapping[str, Any]:
        """Return what the health shows."""
        return {"mode": "http", "connected": self._started}


class Socket:
    """Socket Mode, watched: a connection that cannot be had again is built anew, and ghosts are noticed."""

    def __init__(
        self,
        bolt: AsyncApp,
        token: str,
        clients: Clients,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bolt = bolt
        self._token = token
        self._clients = clients
        self._patience_s = patience_s
        self._clock = clock
        self._handler: AsyncSocketModeHandler | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._up_at = clock()
        self._connected = False
        self.connections = 0
        self.built = 0
        """How often a handler was made; more than once means that connections were lost for long."""

    async def start(self) -> None:
        """Prove the app-level token, then connect; while Slack is away the watch keeps at it."""
        try:
            await self._prove()
        except SlackUnavailable as away:
            log.warning("Socket Mode is not connected yet: %s", away)
        await self._build()
        self._watcher = asyncio.create_task(self._watch(), name="slack socket")

    async def _prove(self) -> None:
        """Open a connection's address and let it lapse: the SDK would retry a refused token for ever."""
        await asked(lambda: self._clients.plain.apps_connections_open(app_token=self._token), "slack.app_token")

    async def _build(self) -> None:
        handler = AsyncSocketModeHandler(
            self._bolt, self._token, logger=log, web_client=self._clients.plain, ping_interval=PING_S
        )
        handler.client.proxy = self._clients.proxy
        handler.client.message_listeners.append(self._hello)
        self._handler = handler
        self.built += 1
        self._up_at = self._clock()
        client: Any = handler.client
        self._connecting = asyncio.create_task(client.connect(), name="slack connect")

    async def _hello(self, _client: Any, message: Mapping[str, Any], _raw: str | None = None) -> None:
        if message.get("type") != "hello":
            return
        self.connections = int(message.get("num_connections") or 0)
        if self.connections > MANY:
            log.warning("Slack counts %d connections of this app; a click may go to one that is dead", self.connections)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(WATCH_S, self._patience_s / 4))
            self._connected = self._handler is not None and await self._handler.client.is_connected()
            if self._connected:
                self._up_at = self._clock()
            elif self._clock() - self._up_at > self._patience_s:
                await self._rebuild()

    async def _rebuild(self) -> None:
        log.warning("Socket Mode had no connection for %s s; it is built anew", self._patience_s)
        await self._drop()
        try:
            await self._prove()
        except (SettingsError, SlackUnavailable) as refused:
            log.error("Socket Mode cannot connect: %s", refused)
            self._up_at = self._clock()
            return
        await self._build()

    async def _drop(self) -> None:
        handler, self._handler, self._connected = self._handler, None, False
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if handler is not None:
            await _close(handler)

    async def stop(self) -> None:
        """Close the connection; Slack delivers elsewhere, or again later."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._drop()

    async def ready(self) -> bool:
        """Tell whether there is a connection."""
        return self._handler is not None and await self._handler.client.is_connected()

    def app(self) -> None:
        """Return nothing: no port is needed."""
        return

    def status(self) -> Mapping[str, Any]:
        """Return what the health shows."""
        return {"mode": "socket", "connected": self._connected, "connections": self.connections, "built": self.built}


async def _close(handler: AsyncSocketModeHandler) -> None:
    """Close a handler and wait for the loops it cancels, so that none outlives it."""
    client: Any = handler.client
    loops = [client.message_processor, client.current_session_monitor, client.message_receiver]
    with contextlib.suppress(ConnectionError):
        await client.close()
    await asyncio.gather(*[loop for loop in loops if loop is not None], return_exceptions=True)
