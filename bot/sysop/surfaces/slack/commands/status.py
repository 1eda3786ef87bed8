"""`/sysop status`: whether all is well."""

from __future__ import annotations

from sqlalchemy import Connection

from sysop.store import approvals, held, incidents, mode, outbox, runs
from sysop.store.writer import Tx
from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.listings import Status
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk, Need

MOST = 5
DAY_MS = 24 * 3_600_000


async def status(desk: Desk, asking: Asking) -> Shown:
    """Show the numbers, and what does not work."""
    broken = [loaded.name for loaded in desk.host.report if loaded.problem]

    def read(conn: Connection) -> Status:
        silent = [f"I am not in {channel}: invite me" for channel in outbox.waits_in(conn)]
        under_way = sum(not run.over for run in runs.newest(conn, 200))
        found = len(incidents.open_heads(conn))
        waits = approvals.undecided(conn) if asking.actor.human else []  # ids help nobody whose vote does not count
        back = held.counts(conn, Tx(conn).now() - DAY_MS)
        asked = approvals.waiting(conn)
        return Status(mode.read(conn), found, under_way, asked, [*broken, *silent], waits[:MOST], back)

    return listings.status(await desk.store.read(read), await desk.names(asking.it.team), desk.links)


COMMAND = Command("status", "/sysop status", "see whether all is well", status, Need.ACCOUNT)
