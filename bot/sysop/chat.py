"""The chat surface of one process: composed here, loaded when it starts, absent where none is configured."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import PlainTextResponse

from sysop.errors import SettingsError
from sysop.host import Host
from sysop.sections import SlackSettings
from sysop.surfaces.slack.blocks.home import PluginState
from sysop.surfaces.slack.documents import incident_summary
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.project import Projector
from sysop.surfaces.slack.render import Extension

if TYPE_CHECKING:
    from sysop.surfaces.slack.surface import Parts, SlackSurface

MISSING: Final = "slack is set up, but its libraries are not installed; in the checkout: pip install -e '.[slack]'"


class Chat:
    """The surface of this process, made when it starts: its libraries take half a second to load."""

    def __init__(self, parts: Callable[[], Parts] | None) -> None:
        if parts is not None and importlib.util.find_spec("slack_bolt") is None:
            raise SettingsError(MISSING)
        self._parts = parts
        self._surface: SlackSurface | None = None

    async def start(self) -> None:
        """Begin to take in and to tell. Raises SettingsError for a token that is not taken."""
        if self._parts is None:
            return
        from sysop.surfaces.slack.surface import SlackSurface

        self._surface = SlackSurface(self._parts())
        await self._surface.start()

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Take nothing in any more, finish telling what is being told, until `hurry` at the latest."""
        surface, self._surface = self._surface, None
        if surface is None:
            return
        stopping = asyncio.create_task(surface.stop())
        hurried = asyncio.create_task((hurry or asyncio.Event()).wait())
        await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done():
            stopping.cancel()
        hurried.cancel()
        await asyncio.gather(hurried, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await stopping

    async def tick(self) -> None:
        """Do what is due now and then."""
        for tick in self._surface.ticks if self._surface else ():
            await tick()

    async def ready(self) -> bool:
        """Tell whether deliveries arrive; true where there is no chat."""
        return self._parts is None or (self._surface is not None and await self._surface.ready())

    async def status(self) -> Mapping[str, Any] | None:
        """Return what its health shows, None where there is none."""
        return await self._surface.status() if self._surface else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take a request in, where the chat comes by HTTP."""
        app = self._surface.http_app() if self._surface else None
        await (app or PlainTextResponse("starting or draining", 503))(scope, receive, send)


def compose(settings: SlackSettings, **parts: Any) -> Chat:
    """Return the chat that the settings ask for; `parts` are those of `SlackSurface`."""
    return Chat(partial(_parts, settings, parts) if settings.on else None)


def _parts(settings: SlackSettings, parts: Mapping[str, Any]) -> Parts:
    from sysop.surfaces.slack.surface import Parts

    return Parts(settings=settings, **parts)


def look(settings: SlackSettings, host: Host, **more: Any) -> Look:
    """Return how things are shown in this process."""
    plugins = [PluginState(loaded.name, loaded.version, loaded.problem) for loaded in host.report]
    return Look(
        links=Links(settings.link_hosts),
        actions=host.actions,
        plugins=plugins,
        runbooks_at=settings.runbooks_url or "",
        **more,
    )


def projector(settings: SlackSettings, shown: Look) -> Projector:
    """Return what writes into the outbox whatever the chat must hear of."""
    return Projector(settings.channel, settings.home or "", summary=partial(incident_summary, look=shown))


__all__ = ["Chat", "Extension", "compose", "look", "projector"]
