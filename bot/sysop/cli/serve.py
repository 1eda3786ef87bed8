"""`sysop serve`: the process that does the work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from dataclasses import dataclass, field

import click
from starlette.applications import Starlette

from sysop.app import App
from sysop.cli.checks_database import clock
from sysop.cli.common import command, err, opened
from sysop.cli.show import visible
from sysop.errors import SettingsError
from sysop.responsive import stay_responsive
from sysop.surfaces.server import Server, listen

EXIT_INTERRUPTED = 130


@click.command()
@command
async def serve() -> int:
    """Run Sysop: take alerts in, carry runs forward, until SIGTERM or Ctrl-C."""
    _log_warnings()
    async with opened(check=False) as app:
        webhooks, listener = await _door(app)
        with listener:
            await app.begin()
            told = Told()
            told.listen()
            server = Server(webhooks, listener)
            try:
                await _warn(app)
                address = await server.start()
                stay_responsive()
                app.set_ready(True)
                sources = ", ".join(sorted(app.settings.webhooks.tokens)) or "none, set webhooks.tokens to take alerts"
                err.print(f"[bold green]ready[/] database {app.store.place}  webhooks {address}  sources: {sources}")
                await told.once.wait()
                err.print("draining: finishing or parking what runs; a second Ctrl-C ends it at once")
            finally:
                app.set_ready(False)
                await server.stop(told.twice)
                await app.end(told.twice)
    return EXIT_INTERRUPTED if told.twice.is_set() else 0


def _log_warnings() -> None:
    """Log warnings, too: that a server does not answer, say, is told nowhere else where nobody waits for an answer."""
    root = logging.getLogger()
    root.setLevel(min(root.level, logging.WARNING))


async def _door(app: App) -> tuple[Starlette, socket.socket]:
    """Become the runner, then listen; nothing runs yet.

    In this order a second `serve` hears of the first one and not of its port, and no run begins that a taken port would
    stop again.
    """
    app.runner.take()
    try:
        return app.webhooks(), listen(app.settings.webhooks.host, app.settings.webhooks.port)
    except SettingsError:
        await app.runner.release()
        raise


async def _warn(app: App) -> None:
    found = await clock(app)
    if found.fix:
        err.print(f"clock: {visible(found.detail)}; {found.fix}", style="yellow", markup=False)


@dataclass
class Told:
    """How often somebody has said that this should end."""

    once: asyncio.Event = field(default_factory=asyncio.Event)
    twice: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self) -> None:
        """Take the signals of this process."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(name, self._tell, loop)

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.once.is_set():
            self.once.set()
            return
        self.twice.set()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)  # a third one does what signals do
