"""`/sysop incident`: the open ones; `new` opens a form."""

from __future__ import annotations

from sysop.errors import InvalidRequest
from sysop.store import incidents
from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk

NEW = "new"


async def incident(desk: Desk, asking: Asking) -> Shown | None:
    """List what is open; for a new one the form has opened already."""
    word = asking.it.text.lower()
    if word == NEW:
        return None
    if word:
        raise InvalidRequest("write /sysop incident for the open ones, or /sysop incident new")
    found, total = await desk.store.read(lambda conn: incidents.briefs(conn, listings.MOST))
    return listings.incidents(found, total, desk.links)


COMMAND = Command("incident", "/sysop incident [new]", "list open incidents, or open one", incident)
