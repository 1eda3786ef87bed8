"""`/sysop approve` and `deny`: the second way to decide, for when a click does not arrive."""

from __future__ import annotations

from sysop.errors import InvalidRequest
from sysop.surfaces.slack import votes, words
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk, Need


async def approve(desk: Desk, asking: Asking) -> Shown:
    """Vote yes."""
    id, reason = words.id_and_reason(asking.it.text)
    if not id:
        raise InvalidRequest("write /sysop approve ID; /sysop status says how many wait, their cards show the id")
    return await votes.told(desk, asking, id, await votes.cast(desk, asking, id, True, reason), True)


async def deny(desk: Desk, asking: Asking) -> Shown | None:
    """Vote no; without a reason the form that asks for one has opened already."""
    id, reason = words.id_and_reason(asking.it.text)
    if not id:
        raise InvalidRequest("write /sysop deny ID and why not")
    if not reason:
        return await votes.refusal(desk, asking, id)
    return await votes.told(desk, asking, id, await votes.cast(desk, asking, id, False, reason), False)


COMMANDS = (
    Command("approve", "/sysop approve ID [REASON]", "approve a change that waits", approve, Need.ACCOUNT),
    Command("deny", "/sysop deny ID REASON", "deny a change that waits; one denial is enough", deny, Need.ACCOUNT),
)
