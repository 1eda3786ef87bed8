"""`sysop serve`: the process that does the work."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import click

from sysop.cli.common import command, err, opened
from sysop.surfaces.server import Server, listen


@click.command()
@command
async def serve() -> None:
    """Run Sysop: take alerts in, carry runs forward, until SIGTERM or Ctrl-C."""
    async with opened(check=False) as app:
        listener = listen(app.settings.webhooks.host, app.settings.webhooks.port)
        server = Server(app.webhooks(), listener)
        await app.begin()
        try:
            address = await server.start()
            app.set_ready(True)
            sources = ", ".join(sorted(app.settings.webhooks.tokens)) or "none, set webhooks.tokens to take alerts"
            err.print(f"[bold green]ready[/] database {app.store.place}  webhooks {address}  sources: {sources}")
            await _until_told()
            err.print("draining: finishing or parking what runs")
        finally:
            app.set_ready(False)
            await server.stop()
            await app.end()


async def _until_told() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, told.set)
    await told.wait()
