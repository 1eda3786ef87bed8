"""`/sysop runbook`: look something up."""

from __future__ import annotations

import asyncio
from datetime import date

from sysop.knowledge.citation import Citation, day_of, of, of_hit
from sysop.knowledge.document import Document
from sysop.knowledge.excerpt import excerpt
from sysop.knowledge.hits import Hit
from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk
from sysop.surfaces.slack.words import plain

MOST = 5


async def runbook(desk: Desk, asking: Asking) -> Shown:
    """Show the sections that fit the words, with their revision and review, or without any words every page."""
    text, today = plain(asking.it.text), day_of(await desk.store.now())
    if not text:
        pages = await asyncio.to_thread(lambda: list(desk.index.pages.documents()))
        return listings.runbooks([_listed(desk, page, today) for page in pages], desk.links)
    hits = await asyncio.to_thread(desk.index.search, text, MOST)
    return listings.found([_found(desk, hit, text, today) for hit in hits], desk.links)


def _listed(desk: Desk, page: Document, today: date) -> tuple[Cited, str]:
    cited = of(page, "", today, desk.max_age_days)
    return Cited(cited.ref, cited.title, _url(desk, cited)), listings.standing(cited)


def _found(desk: Desk, hit: Hit, text: str, today: date) -> listings.Found:
    cited = of_hit(hit, today, desk.max_age_days)
    return listings.Found(cited, excerpt(hit.section, text), hit.confidence, _url(desk, cited))


def _url(desk: Desk, cited: Citation) -> str:
    """Return where people read it, empty where that is not known."""
    at = desk.settings.runbooks_url
    return cited.link or (f"{at}{cited.ref}" if at else "")


COMMAND = Command("runbook", "/sysop runbook [WORDS]", "look something up in the runbooks", runbook)
