"""`/sysop run`: one action, through the gate; what is missing is asked for in a form."""

from __future__ import annotations

from sysop.surfaces.slack import talk, words
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk


async def run(desk: Desk, asking: Asking) -> Shown | None:
    """Run the action that was typed in full; a form for the rest has opened already."""
    wish = words.wish(desk.host, desk.inventory, asking.it.text)
    if wish is None or wish.missing:
        return None
    return await talk.call(desk, asking, wish.action, wish.args, channel=asking.it.channel)


COMMAND = Command("run", "/sysop run [ACTION] [KEY=VALUE …]", "run one action, by a form if you leave things out", run)
