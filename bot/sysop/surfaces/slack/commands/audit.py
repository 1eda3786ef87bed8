"""`/sysop audit`: what was done, as it stands in the log that cannot be altered."""

from __future__ import annotations

from sysop.store import approvals, audit, incidents, silences
from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.words import plain

MOST = 500


async def entries(desk: Desk, asking: Asking) -> Shown:
    """Show the newest entries, of everything or of one run, approval, incident or silence, not what people wrote."""
    id = plain(asking.it.text)
    chains = {"apr": approvals.chain, "inc": incidents.chain, "sil": silences.chain}
    chain = chains.get(id.partition("-")[0], str)(id)
    if id:
        found = await desk.store.read(lambda conn: audit.entries(conn, chain=chain, limit=MOST))
    else:
        found = await desk.store.read(lambda conn: audit.newest(conn, listings.MOST))
    return listings.audit(found, await desk.names(asking.it.team), desk.links)


COMMAND = Command("audit", "/sysop audit [ID]", "see what was done, by whom and when", entries, Need.ROLE)
