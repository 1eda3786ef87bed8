"""What an action is given for one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sysop.actions import Action
from sysop.errors import CallError, SettingsError
from sysop.extension import PluginContext
from sysop.gate.http import HttpClient, PluginHttp, hosts_in
from sysop.host import Host
from sysop.inventory import Inventory
from sysop.model import Change
from sysop.paths import private_folder
from sysop.plugin import Plugin
from sysop.settings import Secrets, Settings
from sysop.store.writer import host_clock

Read = Callable[..., Awaitable[Any]]
Changed = Callable[[int, int, Sequence[str] | None], Awaitable[Sequence[Change]]]


@dataclass(frozen=True, slots=True)
class CallContext:
    """The Context of `sysop.actions`, with credentials of one scope."""

    run: str
    call: str
    key: str
    settings: Any
    inventory: Inventory
    http: PluginHttp
    state: Path
    scope: Literal["read", "write"]
    secrets: Secrets
    reader: Read
    changed: Changed
    clock: Callable[[], int]

    def now(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return self.clock()

    def secret(self, name: str) -> str:
        """Return a credential in this call's scope."""
        try:
            return self.secrets.get(name, self.scope)
        except SettingsError as missing:
            raise self.http.problem(str(missing)) from missing

    async def changes(self, since: int, until: int, services: Sequence[str] | None = None) -> Sequence[Change]:
        """Return what was changed in a time."""
        return await self.changed(since, until, services)

    async def read(self, action: str, **args: Any) -> Any:
        """Perform a read action through the gate, as evidence of this call."""
        try:
            return await self.reader(action, args)
        except CallError as failed:
            if self.http.changed:
                raise self.http.problem(str(failed)) from failed
            raise


class Contexts:
    """Builds contexts; holds what all of them share."""

    def __init__(
        self,
        settings: Settings,
        host: Host,
        secrets: Secrets,
        http: HttpClient,
        clock: Callable[[], int] = host_clock,
    ) -> None:
        self._settings = settings
        self._host = host
        self._secrets = secrets
        self._http = http
        self._clock = clock
        self.inventory = settings.services()

    @property
    def secrets(self) -> Secrets:
        """Return the credentials, whose values are redacted wherever text leaves the gate."""
        return self._secrets

    def for_call(
        self,
        action: Action,
        run: str,
        call: str,
        key: str,
        scope: Literal["read", "write"],
        reader: Read,
        changed: Changed,
    ) -> CallContext:
        """Return the context of one call."""
        plugin = self._host.plugins[action.plugin]
        shared = self.for_plugin(plugin)
        return CallContext(
            run=run,
            call=call,
            key=key,
            settings=shared.settings,
            inventory=shared.inventory,
            http=self._client(plugin, changes=scope == "write"),
            state=shared.state,
            scope=scope,
            secrets=self._secrets,
            reader=reader,
            changed=changed,
            clock=self._clock,
        )

    def for_plugin(self, plugin: Plugin) -> PluginContext:
        """Return what a plugin sees at start and in health checks."""
        state = self._settings.state / "plugins" / plugin.name
        private_folder(state)
        return PluginContext(plugin.name, plugin.settings, state, self.inventory, self._client(plugin, changes=False))

    def _client(self, plugin: Plugin, *, changes: bool) -> PluginHttp:
        allowed = {*hosts_in(plugin.settings), *self._settings.egress.allow}
        return PluginHttp(self._http, allowed, changes=changes)
