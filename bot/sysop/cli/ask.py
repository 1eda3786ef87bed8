"""`sysop ask` and `sysop run`: hand a wish in and watch what becomes of it."""

from __future__ import annotations

from typing import Any

import click

from sysop.app import App
from sysop.cli import follow
from sysop.cli.common import command, from_json, json_option, me, opened, pairs
from sysop.errors import InvalidRequest
from sysop.gate.bind import bind
from sysop.inventory import nearest
from sysop.model import Call, Origin, Request

no_wait = click.option("--no-wait", is_flag=True, help="Queue it, print the run's id and return.")


@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--planner", metavar="NAME", help="Let this planner work on it; default: the settings' runner.planner.")
@no_wait
@json_option
@command
async def ask(text: tuple[str, ...], planner: str | None, no_wait: bool, as_json: bool) -> int:
    """Ask a question or for help with a symptom.

    Exit code 0 when it is resolved, 1 when not, 3 when it waits for a person.
    """
    question = " ".join(text).strip()
    if not question:
        raise click.UsageError("there is no question; write it behind the command: sysop ask why is checkout slow")
    async with opened(check=False) as app:
        request = Request(me(app), Origin.ASKED, "cli", question, planner=planner)
        app.planners.name_for(request)
        return await follow.submit(app, request, wait=not no_wait, as_json=as_json)


@click.command()
@click.argument("action")
@click.argument("arguments", nargs=-1, metavar="[KEY=TEXT | KEY:=JSON]...")
@click.option("--args", "json_args", metavar="JSON", help="Arguments as one JSON object.")
@click.option("--reason", default="", metavar="TEXT", help="Why; shown to whoever must approve.")
@no_wait
@json_option
@command
async def run(
    action: str, arguments: tuple[str, ...], json_args: str | None, reason: str, no_wait: bool, as_json: bool
) -> int:
    """Carry out one action through the gate.

    Exit code 0 when it is done, 1 when not, 3 when it waits for a person.
    """
    args = merged(arguments, json_args)
    async with opened(check=False) as app:
        check_call(app, action, args)
        request = Request(me(app), Origin.ASKED, "cli", reason, action=action, args=args)
        return await follow.submit(app, request, wait=not no_wait, as_json=as_json)


def merged(words: tuple[str, ...], json_args: str | None) -> dict[str, Any]:
    """Return the arguments from both ways to give them."""
    given = from_json(json_args, "--args") if json_args is not None else {}
    if not isinstance(given, dict):
        raise click.BadParameter('--args must be a JSON object such as \'{"service": "web"}\'')
    typed = pairs(words)
    if twice := sorted(given.keys() & typed.keys()):
        raise click.BadParameter(f"{twice[0]!r} is given twice")
    return given | typed


def check_call(app: App, action: str, args: dict[str, Any]) -> None:
    """Refuse a misspelt call here, before it becomes a run. Raises InvalidRequest or InvalidCall."""
    if app.host.find(action) is None:
        plugin = action.partition(".")[0]
        broken = next((loaded for loaded in app.host.report if loaded.name == plugin and loaded.problem), None)
        because = f"; plugin {plugin} is broken: {broken.problem}" if broken else nearest(action, app.host.actions)
        raise InvalidRequest(f"there is no action {action!r}{because}")
    bind(app.host, app.contexts.inventory, "check", Call("check", action, args))
