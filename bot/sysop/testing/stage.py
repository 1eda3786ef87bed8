"""A workspace and a whole Sysop in it, on free loopback ports, taken down again however a test ends."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import aiohttp
import yaml
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from sysop import app as composition
from sysop import host as plugin_host
from sysop.app import App
from sysop.host import Host
from sysop.paths import data
from sysop.settings import Settings
from sysop.store import schema
from sysop.store.engine import is_sqlite, parse_url, sqlite_file
from sysop.store.store import Store
from sysop.surfaces.server import Server, listen
from sysop.testing.bot import Bot
from sysop.testing.driver import Credentials, Driver
from sysop.testing.moving import Moving
from sysop.testing.workspace_driver import WorkspaceDriver
from sysop.workspace import AppManifest, Clock, Workspace, WorkspaceSettings

Plugins = Path | Mapping[str, Any] | Sequence[ModuleType]
"""A folder of files, modules, or plugins by name."""
Transport = Literal["socket", "http"]

TIMES: Final = 20.0
"""So many times faster than Slack's the workspace's clock runs, so that nobody waits for rates meant for people."""
START_S: Final = 30.0
LOOK_S: Final = 0.01
CHANNEL: Final = "incidents"
_TOKEN: Final = "of-this-test-only"  # noqa: S105 (a secret of nobody)


class _Given(Settings):
    """Settings as a test gives them: what the environment of whoever runs it says counts for nothing."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but what is given."""
        return (init_settings,)


@dataclass(frozen=True)
class Stage:
    """What is set up, in an empty folder. `settings` are laid over those of the stage, section by section.

    `slack` is a server that runs already, of whichever kind, and `port` where it delivers to by HTTP; without one a
    workspace of our own is started.
    """

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    plugins: Plugins = ()
    transport: Transport = "socket"
    database: str | None = None
    slack: Driver | None = None
    port: int = 0
    template: Path | None = None
    """An empty, migrated SQLite database to begin with; see `template`."""
    times: float = TIMES

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Bot]:
        """Start everything, in order, and end it in the opposite one."""
        async with AsyncExitStack() as stack:
            listener = listen("127.0.0.1", self.port)
            stack.callback(listener.close)
            workspace = None if self.slack else await stack.enter_async_context(self._workspace(listener))
            driver = await stack.enter_async_context(_driver(workspace) if workspace else self.slack)  # type: ignore[arg-type]
            clock = Moving()
            store = Store.open(self._url, clock=clock)
            times = 1.0 if self.slack else self.times
            app = composition.build(self._settings(driver), host=self._host(), store=store, times=times)
            stack.push_async_callback(app.close)
            self._migrate()
            await app.begin()
            stack.push_async_callback(app.end)
            server = Server(app.webhooks(), listener)
            address = await server.start()
            stack.push_async_callback(server.stop)
            app.set_ready(True)
            await _ready(app, workspace)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            yield Bot(app, driver, _webhook(http, address), clock)

    def _workspace(self, listener: socket.socket) -> Workspace:
        manifest = yaml.safe_load((data("deploy/slack") / "manifest.yaml").read_text("utf-8"))
        manifest["settings"]["socket_mode_enabled"] = self.transport == "socket"
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events" if self.transport == "http" else None
        clock = Clock(scale=self.times)
        return Workspace(WorkspaceSettings(AppManifest.parse(manifest), address, clock=clock))

    def _migrate(self) -> None:
        """Create the tables; on SQLite by copying the template, which is much faster."""
        url = parse_url(self._url)
        if self.template is None or not is_sqlite(url):
            schema.upgrade(url)
        elif not sqlite_file(url).exists():
            shutil.copy(self.template, sqlite_file(url))

    # -- what it is built from ----------------------------------------------------------------------------------------

    @property
    def _url(self) -> str:
        return self.database or f"sqlite:///{(self.folder / 'sysop.db').absolute()}"

    def _settings(self, slack: Driver) -> Settings:
        base = {
            "state": self.folder,
            "database": {"url": self._url},
            "shipped_runbooks": False,
            "incidents": {"quiet_seconds": 0, "triage_after_seconds": 0},
            "webhooks": {"tokens": {"alertmanager": self._secret("webhook", _TOKEN)}},
            "slack": self._slack(slack),
        }
        if isinstance(self.plugins, Path):
            base["plugins_dir"] = self.plugins
        return _Given(**_over(base, self.settings))

    def _slack(self, slack: Driver) -> dict[str, Any]:
        """Return the section as an operator writes it: on-call and lead may approve."""
        us = slack.credentials
        people = [slack.users[name] for name in ("on-call", "lead") if name in slack.users]
        groups = [slack.groups[handle] for handle in ("oncall", "leads") if handle in slack.groups]
        return {
            "bot_token": self._secret("bot-token", us.bot_token),
            "app_token": self._secret("app-token", us.app_token),
            "signing_secret": self._secret("signing-secret", us.signing_secret),
            "mode": self.transport,
            "api_url": us.api_url,
            "channel": slack.channels.get(CHANNEL),
            "roles": {"approver": {"groups": groups} if groups else {"users": people}},
        }

    def _secret(self, name: str, value: str) -> str:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(value)
        return f"file:{file}"

    def _host(self) -> Host:
        """Load the plugins that are installed, and those under test before them."""
        folder = self.plugins if isinstance(self.plugins, Path) else None
        given = [_Point(name, module) for name, module in _named(self.plugins)]
        taken = {point.name for point in given}
        installed = [point for point in entry_points(group=plugin_host.GROUP) if point.name not in taken]
        sections = dict(self.settings.get("plugins") or {})
        host = plugin_host.load(sections, folder=folder, points=[*given, *installed])  # type: ignore[list-item]
        under_test = {point.name for point in given} | {file.stem for file in (folder.glob("*.py") if folder else ())}
        for loaded in host.report:
            if loaded.name in under_test and loaded.problem:
                raise AssertionError(f"plugin {loaded.name} does not load: {loaded.problem}")
        return host


@dataclass(frozen=True, slots=True)
class _Point:
    """An entry point whose module is loaded already."""

    name: str
    module: Any
    value: str = "a test"
    dist: Any = None

    def load(self) -> Any:
        return self.module


def _named(plugins: Plugins) -> Sequence[tuple[str, Any]]:
    if isinstance(plugins, Path):
        return ()
    if isinstance(plugins, Mapping):
        return tuple(plugins.items())
    return tuple((module.__name__.rpartition(".")[2], module) for module in plugins)


def _over(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings laid over others: a section is laid over a section, anything else takes its place."""
    laid = dict(base)
    for key, value in more.items():
        under = laid.get(key)
        laid[key] = _over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return laid


def template(folder: Path) -> Path:
    """Return an empty, migrated SQLite database, made in a folder."""
    file = folder / "sysop.db"
    schema.upgrade(parse_url(f"sqlite:///{file}"))
    return file


def _driver(workspace: Workspace) -> WorkspaceDriver:
    tokens = (workspace.bot_token, workspace.app_token, workspace.signing_secret)
    credentials = Credentials(workspace.api_url, *tokens)
    return WorkspaceDriver(f"{workspace.url}/_control", workspace.control_token, credentials)


async def _ready(app: App, workspace: Workspace | None) -> None:
    """Wait until deliveries arrive."""
    async with asyncio.timeout(START_S):
        if workspace is not None:
            await workspace.verified()
        while not await app.chat.ready():
            await asyncio.sleep(LOOK_S)


def _webhook(http: aiohttp.ClientSession, address: str) -> Any:
    async def post(source: str, body: Mapping[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        async with http.post(f"{address}/webhooks/{source}", json=dict(body), headers=headers) as response:
            if response.status >= 300:
                raise AssertionError(f"the webhook of {source} answers {response.status}: {await response.text()}")

    return post
