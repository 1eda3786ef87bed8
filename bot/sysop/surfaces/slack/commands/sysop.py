"""`/sysop` itself: finds the command by its word; a word that means nothing gets help, never silence."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.inventory import nearest
from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands import ask, audit, decide, incident, plugin, run, runbook, silence, status, switch
from sysop.surfaces.slack.commands.command import Book, Command
from sysop.surfaces.slack.desk import Asking, Desk, Need, Work, listener
from sysop.surfaces.slack.incoming import Incoming

WORD = "/sysop"
HELP = "help"


def book(desk: Desk) -> Book:
    """Return every command by its word, ours first, then those of plugins."""
    ours = (
        ask.COMMAND,
        status.COMMAND,
        incident.COMMAND,
        silence.COMMAND,
        run.COMMAND,
        *decide.COMMANDS,
        runbook.COMMAND,
        audit.COMMAND,
        *switch.COMMANDS,
    )
    theirs = (plugin.command(given) for given in desk.host.commands.values())
    found = {command.name: command for command in (*ours, *theirs)}
    return {**found, HELP: Command(HELP, f"{WORD} {HELP}", "see what can be typed", _help(found), Need.ACCOUNT)}


def _help(found: Book) -> Work:
    lines = [listings.Command(command.usage, command.summary) for command in found.values()]

    async def help(_desk: Desk, asking: Asking) -> Shown:
        word = asking.it.name
        if not word or word == HELP:
            return listings.help(lines)
        close = nearest(word, found).partition("; did you mean ")[2]
        return listings.help(lines, f"{word} (did you mean {close.strip('?')}?)" if close else word)

    return help


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to `/sysop`."""
    commands = book(desk)

    def meant(it: Incoming) -> Command:
        return commands.get(it.name, commands[HELP])

    async def work(desk: Desk, asking: Asking) -> Shown | None:
        return await meant(asking.it).work(desk, asking)

    app.command(WORD)(listener(desk, work, lambda it: meant(it).need))
