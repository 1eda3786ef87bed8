"""`sysop pause` and `sysop resume`: the switch that holds every change back. It works with everything else down."""

from __future__ import annotations

import click

from sysop.cli.common import command, lines_to_add, me, opened, out
from sysop.errors import NotAllowed

reason_option = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit log.")


@click.command()
@reason_option
@command
async def pause(reason: str) -> None:
    """Hold every change back, at once, on all replicas. Reads go on. Anybody may."""
    async with opened() as app:
        await app.service.pause(me(app), reason)
        out().print("changes are paused; reads go on. Let them go on with: sysop resume")


@click.command()
@reason_option
@command
async def resume(reason: str) -> None:
    """Let changes go on, and wake every run that waited. Needs a role in the settings."""
    async with opened() as app:
        try:
            await app.service.resume(me(app), reason)
        except NotAllowed as no:
            raise NotAllowed(f"{no}; to be such a person, add to sysop.yaml:\n{lines_to_add()}") from None
        out().print("changes go on")
