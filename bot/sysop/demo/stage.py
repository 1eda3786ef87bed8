"""The demo company and a whole Sysop beside it, on free loopback ports, taken down again however it ends."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sysop import app as composition
from sysop import settings as settings_file
from sysop.app import App
from sysop.demo.business import Business
from sysop.demo.setup import Place, write_settings
from sysop.settings import Settings
from sysop.surfaces.server import Server, listen

Build = Callable[[Settings, Business], App]


def _plain(settings: Settings, _business: Business) -> App:
    return composition.build(settings)


@dataclass(frozen=True)
class Stage:
    """What is set up. `more` goes into the demo's settings, `listener` is where webhooks arrive.

    `whole`: the company that drills break, with all its services and pipelines.
    """

    place: Place
    seed: int = 1
    more: Mapping[str, Any] = field(default_factory=dict)
    listener: socket.socket | None = None
    build: Build = _plain
    phase: Callable[[str], None] = lambda _text: None
    whole: bool = False

    @asynccontextmanager
    async def up(self) -> AsyncIterator[tuple[App, Business]]:
        """Set up company and Sysop."""
        listener = self.listener or listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        business = Business(self.place, self.seed, whole=self.whole)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(listener.close)
            stack.push_async_callback(business.stop)
            self.phase("starting the company: gateway → checkout → payments")
            await business.start(f"http://127.0.0.1:{port}/webhooks/alertmanager")
            write_settings(
                self.place,
                metrics_url=business.watcher,
                port=port,
                more=self.more,
                whole=self.whole,
                kubernetes_url=business.kubernetes,
            )
            app = self.build(settings_file.load(self.place.settings), business)
            stack.push_async_callback(app.close)
            await app.begin()
            stack.push_async_callback(app.end)
            server = Server(app.webhooks(), listener)
            await server.start()
            stack.push_async_callback(server.stop)
            app.set_ready(True)
            yield app, business
