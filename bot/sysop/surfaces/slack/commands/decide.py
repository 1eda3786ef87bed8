"""`/sysop approve` and `deny`: the second way to decide, for when a click does not arrive."""

from __future__ import annotations

from sysop.errors import InvalidRequest
from sysop.store import approvals
from sysop.surfaces.slack import votes, words
from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk, Need


async def approve(desk: Desk, asking: Asking) -> Shown:
    """Vote yes."""
    id, reason = words.id_and_reason(asking.it.text)
    if not id:
        return await _waiting(desk, asking, "To say yes, write /sysop approve ID, with a reason behind it if you like.")
    return await votes.told(desk, asking, id, await votes.cast(desk, asking, id, True, reason), True)


async def deny(desk: Desk, asking: Asking) -> Shown | None:
    """Vote no; without a reason the form that asks for one has opened already."""
    id, reason = words.id_and_reason(asking.it.text)
    if not id:
        return await _waiting(desk, asking, "To say no, write /sysop deny ID and why not.")
    if not reason:
        return await votes.refusal(desk, asking, id)
    return await votes.told(desk, asking, id, await votes.cast(desk, asking, id, False, reason), False)


async def _waiting(desk: Desk, asking: Asking, hint: str) -> Shown:
    """List what waits, with the ids to decide by. Guests, whose votes do not count, are told only how it is typed."""
    if not asking.actor.human:
        raise InvalidRequest(hint)
    found = await desk.store.read(approvals.undecided)
    return listings.approvals(found, await desk.names(asking.it.team), desk.links, hint)


COMMANDS = (
    Command("approve", "/sysop approve [ID] [REASON]", "list what waits, or approve one", approve, Need.ACCOUNT),
    Command("deny", "/sysop deny [ID] [REASON]", "deny a change that waits; one denial is enough", deny, Need.ACCOUNT),
)
