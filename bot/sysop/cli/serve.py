"""`sysop serve`: the process that does the work."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import click
from starlette.applications import Starlette

from sysop.app import App
from sysop.cli.checks_database import clock
from sysop.cli.common import command, err, opened
from sysop.cli.show import visible
from sysop.errors import SettingsError
from sysop.surfaces.server import Server, listen


@click.command()
@command
async def serve() -> None:
    """Run Sysop: take alerts in, carry runs forward, until SIGTERM or Ctrl-C."""
    async with opened(check=False) as app:
        webhooks, listener = await _door(app)
        with listener:
            await app.begin()
            told = _when_told()
            server = Server(webhooks, listener)
            try:
                await _warn(app)
                address = await server.start()
                app.set_ready(True)
                sources = ", ".join(sorted(app.settings.webhooks.tokens)) or "none, set webhooks.tokens to take alerts"
                err.print(f"[bold green]ready[/] database {app.store.place}  webhooks {address}  sources: {sources}")
                await told.wait()
                err.print("draining: finishing or parking what runs; a second Ctrl-C ends it at once")
            finally:
                app.set_ready(False)
                await server.stop()
                await app.end()


async def _door(app: App) -> tuple[Starlette, socket.socket]:
    """Become the runner, then listen; nothing runs yet.

    In this order a second `serve` hears of the first one and not of its port, and no run begins that a taken port would
    stop again.
    """
    app.runner.take()
    try:
        return app.webhooks(), listen(app.settings.webhooks.host, app.settings.webhooks.port)
    except SettingsError:
        await app.runner.stop()
        raise


async def _warn(app: App) -> None:
    found = await clock(app)
    if found.fix:
        err.print(f"clock: {visible(found.detail)}; {found.fix}", style="yellow", markup=False)


def _when_told() -> asyncio.Event:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(name: signal.Signals) -> None:
        told.set()
        loop.remove_signal_handler(name)  # the second one does what signals do

    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, tell, name)
    return told
