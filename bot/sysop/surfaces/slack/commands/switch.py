"""`/sysop pause` and `resume`: hold every change back, and let them go on."""

from __future__ import annotations

from sysop.store import mode
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk
from sysop.surfaces.slack.words import plain

PAUSED = "Changes are paused, everywhere. Reads go on. To let changes go on: /sysop resume"
RESUMED = "Changes go on."
NOT_PAUSED = "Changes are not paused."


async def pause(desk: Desk, asking: Asking) -> Shown | None:
    """Pause; without a reason the form that asks for one has opened already."""
    reason = plain(asking.it.text)
    if not reason:
        return None
    return await hold(desk, asking, reason)


async def hold(desk: Desk, asking: Asking, reason: str) -> Shown:
    """Pause, once."""
    now = await desk.store.read(mode.read)
    if not (now.paused and (now.by, now.reason) == (asking.actor.id, reason)):
        await desk.service.pause(asking.actor, reason)
    return notice(PAUSED)


async def resume(desk: Desk, asking: Asking) -> Shown:
    """Let changes go on."""
    return await go_on(desk, asking, plain(asking.it.text) or "said so in Slack")


async def go_on(desk: Desk, asking: Asking, reason: str) -> Shown:
    """Let changes go on, if they are paused."""
    if not (await desk.store.read(mode.read)).paused:
        return notice(NOT_PAUSED)
    await desk.service.resume(asking.actor, reason)
    return notice(RESUMED)


COMMANDS = (
    Command("pause", "/sysop pause [REASON]", "hold every change back from now on", pause),
    Command("resume", "/sysop resume [REASON]", "let changes go on", resume),
)
