"""`/sysop runbook`: look something up."""

from __future__ import annotations

from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk
from sysop.surfaces.slack.words import plain

MOST = 5


async def runbook(desk: Desk, asking: Asking) -> Shown:
    """Show the sections that fit the words, or without any words every runbook."""
    text = plain(asking.it.text)
    if not text:
        pages = sorted(desk.index.runbooks.values(), key=lambda page: page.path)
        return listings.runbooks([(Cited(page.path, page.title), page.path) for page in pages], desk.links)
    hits = desk.index.search(text, MOST)
    return listings.runbooks([(Cited(hit.citation, hit.page.title), hit.section.text) for hit in hits], desk.links)


COMMAND = Command("runbook", "/sysop runbook [WORDS]", "look something up in the runbooks", runbook)
