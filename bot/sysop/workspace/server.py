"""The workspace as one server on the loopback: Web API, Socket Mode or signed HTTP, control API, page."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from aiohttp import web

from sysop.workspace.assets import Assets
from sysop.workspace.control.desk import Desk
from sysop.workspace.control.routes import Control
from sysop.workspace.delivery.courier import Courier
from sysop.workspace.delivery.http import Http
from sysop.workspace.delivery.reply import Replies
from sysop.workspace.delivery.socket import Sockets
from sysop.workspace.guard import Guard
from sysop.workspace.ids import Ids
from sysop.workspace.limits import Tier
from sysop.workspace.methods import table
from sysop.workspace.methods.api import Api
from sysop.workspace.methods.identity import connections_open
from sysop.workspace.methods.method import Method
from sysop.workspace.methods.uploads import Uploads
from sysop.workspace.seed import WorkspaceSettings
from sysop.workspace.state.world import build

HOST = "127.0.0.1"
MOST_BYTES = 110 * 1024 * 1024


class Workspace:
    """A stand-in for one Slack workspace with one app installed. Many can run in a process."""

    def __init__(self, settings: WorkspaceSettings) -> None:
        self._settings = settings
        self._port = 0
        self._runner: web.AppRunner | None = None
        self.control_token = Ids.secret()
        self._world = build(settings)
        self._sockets = Sockets(self._world)
        self._http = Http(self._world, settings.request_url) if settings.request_url else None
        self._courier = Courier(self._world, self._http or self._sockets)
        self._world.events.deliver_to(self._courier.event)

    async def start(self) -> None:
        """Listen, on the loopback only."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self._settings.port))
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        self._world.base_url = self.url
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        if self._http is not None:
            await self._http.start()

    def _application(self) -> web.Application:
        guard = Guard(self.control_token, lambda: self._port)
        application = web.Application(middlewares=[guard.middleware()], client_max_size=MOST_BYTES)
        opened = Method("apps.connections.open", connections_open(self._sockets.ticket), Tier.THREE, caller="app")
        api = Api(self._world, table(opened))
        uploads, replies = Uploads(self._world), Replies(self._world)
        control = Control(Desk(self._world, self._courier, self._sockets))
        application.add_routes(
            [
                web.get("/api/{method}", api.handle),
                web.post("/api/{method}", api.handle),
                web.get("/link/", self._sockets.link),
                web.post("/hooks/{token}", replies.take),
                web.post("/upload/{ticket}", uploads.take),
                web.get("/files-pri/{file_id}/{tail:.*}", uploads.give),
                *control.routes(),
                *Assets(guard).routes(),
            ]
        )
        return application

    async def stop(self) -> None:
        """End every connection and everything that still runs."""
        self._world.feed.close()
        await self._world.timers.stop()
        await self._sockets.stop()
        if self._http is not None:
            await self._http.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def verified(self) -> None:
        """Wait until the request URL has proven that it is the app's; over Socket Mode there is nothing to prove."""
        if self._http is not None:
            await self._http.verified.wait()

    @property
    def connections(self) -> int:
        """Return how many Socket Mode connections the app has."""
        return len(self._sockets)

    @property
    def url(self) -> str:
        """Return where the workspace is."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_url(self) -> str:
        """Return the base URL for `slack_sdk` clients."""
        return f"{self.url}/api/"

    @property
    def page_url(self) -> str:
        """Return the address of the page, with its token."""
        return f"{self.url}/?token={self.control_token}"

    @property
    def bot_token(self) -> str:
        """Return the bot's token of this start."""
        return self._world.app.bot_token

    @property
    def app_token(self) -> str:
        """Return the app-level token of this start."""
        return self._world.app.app_token

    @property
    def signing_secret(self) -> str:
        """Return what requests to the app are signed with."""
        return self._world.app.signing_secret

    @property
    def team_id(self) -> str:
        """Return the team's id."""
        return self._world.team_id

    @property
    def app_id(self) -> str:
        """Return the app's id."""
        return self._world.app.app_id

    @property
    def bot_id(self) -> str:
        """Return the bot's id, which is not its user's."""
        return self._world.app.bot_id

    @property
    def bot_user_id(self) -> str:
        """Return the bot user's id."""
        return self._world.app.user_id

    @property
    def users(self) -> dict[str, str]:
        """Return everybody's id by name."""
        return {user.name: user.id for user in self._world.people}

    @property
    def groups(self) -> dict[str, str]:
        """Return the user groups' ids by handle."""
        return {group.handle: group.id for group in self._world.people.groups.values()}

    @property
    def channels(self) -> dict[str, str]:
        """Return the channels' ids by name, direct messages left out."""
        return {channel.name: channel.id for channel in self._world.channels if channel.kind != "dm"}
