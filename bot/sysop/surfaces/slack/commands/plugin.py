"""Commands of plugins: each is a run of one action, through the gate like any other."""

from __future__ import annotations

from sysop.errors import InvalidRequest
from sysop.extension import SlashCommand
from sysop.gate.bind import bind
from sysop.model import Call
from sysop.surfaces.slack import talk
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk
from sysop.surfaces.slack.words import plain


def command(given: SlashCommand) -> Command:
    """Return a plugin's command as one of ours."""

    async def work(desk: Desk, asking: Asking) -> Shown | None:
        try:
            args = dict(given.parse(plain(asking.it.text)))
        except ValueError as wrong:
            raise InvalidRequest(f"{wrong}; usage: {given.usage}") from wrong
        bind(desk.host, desk.inventory, "check", Call("check", given.action, args))
        return await talk.call(desk, asking, given.action, args, channel=asking.it.channel)

    return Command(given.name, given.usage, given.summary, work)
