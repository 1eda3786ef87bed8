"""`/sysop ask`: a conversation with a root message of its own, answered in its thread."""

from __future__ import annotations

from sysop.surfaces.slack import talk
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.words import plain


async def ask(desk: Desk, asking: Asking) -> Shown | None:
    """Begin a conversation; without words the form has opened already."""
    if not asking.it.text:
        return None
    return await talk.begin(desk, asking, plain(asking.it.text), channel=asking.it.channel)


COMMAND = Command("ask", "/sysop ask TEXT", "ask a question or for help with a symptom", ask, Need.ACCOUNT)
