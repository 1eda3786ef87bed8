"""`sysop silences`: what is kept quiet, for how long and why. A maintenance window is one that begins later."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import Connection

from sysop.app import App
from sysop.cli import Group, show
from sysop.cli.approve import executor
from sysop.cli.common import again, command, emit, json_option, lines_to_add, listed, me, opened, out
from sysop.cli.length import Length
from sysop.errors import NotAllowed
from sysop.incidents.silences import Mirrored
from sysop.incidents.silencing import Wish, matcher
from sysop.store import silences as rows
from sysop.store.silences import Silence
from sysop.store.writer import Tx


@click.group(cls=Group, invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, newest first.")
@json_option
@command
async def silences(everything: bool, limit: int, as_json: bool) -> None:
    """List silences, set one, or end one."""
    if click.get_current_context().invoked_subcommand is None:
        await _list(everything, limit, as_json)


@silences.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, newest first.")
@json_option
@command
async def list_silences(everything: bool, limit: int, as_json: bool) -> None:
    """List silences."""
    await _list(everything, limit, as_json)


@silences.command()
@click.argument("conditions", metavar="CONDITION...", nargs=-1, required=True)
@click.option("--for", "seconds", type=Length(), required=True, help="For how long, such as 30m, 2h or 1d12h.")
@click.option("--comment", required=True, metavar="TEXT", help="Why; shown to whoever looks at the silence.")
@click.option(
    "--in", "in_seconds", type=Length(), default=0, help="When it begins, such as 30m from now; default: now."
)
@json_option
@command
async def add(conditions: tuple[str, ...], seconds: int, comment: str, in_seconds: int, as_json: bool) -> None:
    """Keep alerts quiet that meet every CONDITION, such as service=checkout or 'pod=~web-.*'.

    They are taken in and open no incident; what fires still at the end is placed then. Takes a person with a role: who
    that is, the operating system says.
    """
    wish = Wish(tuple(map(matcher, conditions)), seconds, comment, in_seconds)
    async with opened() as app:
        try:
            made = await app.silences.add(me(app), wish)
        except NotAllowed as no:
            raise _known(app, no) from None
        await _report(app, made, as_json)


@silences.command()
@click.argument("id")
@json_option
@command
async def end(id: str, as_json: bool) -> None:
    """End a silence now. Takes a person with a role."""
    async with opened() as app:
        try:
            over = await app.silences.end(id, me(app))
        except NotAllowed as no:
            raise _known(app, no) from None
        await _report(app, over, as_json)


def _known(app: App, no: NotAllowed) -> NotAllowed:
    """Say how to become known to somebody whom the settings do not know."""
    if me(app).human:
        return no
    return NotAllowed(f"{no}\nWho you are is not in the settings. To be known, add:\n{lines_to_add()}")


async def _list(everything: bool, limit: int, as_json: bool) -> None:
    def read(conn: Connection) -> list[dict[str, Any]]:
        now = Tx(conn).now()
        found = rows.listed(conn, now=None if everything else now, limit=limit)
        covered = rows.covered(conn, [one.id for one in found])
        return [_told(one, now, app.silences.mirrored(conn, one), alerts=covered.get(one.id, 0)) for one in found]

    async with opened(check=False) as app:
        told = await listed(app, read)
    if as_json:
        emit(told)
        return
    if not told:
        out().print("no silences yet" if everything else "nothing is silenced")
        return
    lines = (
        (
            one["id"],
            show.state(one["state"]),
            show.one_line(", ".join(one["conditions"]), 80),
            show.when(one["starts_at"]),
            show.when(one["ends_at"]),
            str(one["alerts"]),
            show.one_line(f"{one['comment']} ({one['created_by'].partition(':')[2]})", 80),
            show.one_line(one["mirror"]["words"], 80),
        )
        for one in told
    )
    columns = ("id", "state", "alerts that", "from (UTC)", "until (UTC)", "alerts", "why", "elsewhere")
    out().print(show.table(*columns, rows=lines, drop=("elsewhere", "from (UTC)", "alerts", "why")))


async def _report(app: App, silence: Silence, as_json: bool) -> None:
    mirror, now = await app.store.read(lambda conn: (app.silences.mirrored(conn, silence), Tx(conn).now()))
    if as_json:
        emit(_told(silence, now, mirror))
        return
    told = {
        "ahead": f"is set from {show.when(silence.starts_at)} until {show.when(silence.ends_at)} UTC",
        "holds": f"holds until {show.when(silence.ends_at)} UTC",
        "over": "is over; what it covered and fires still opens incidents now",
    }
    console, conditions = out(), ", ".join(map(str, silence.matchers))
    console.print(f"{silence.id} {told[silence.state(now)]}: {show.visible(conditions)}", markup=False, soft_wrap=True)
    console.print(f"{show.visible(mirror.words[0].upper() + mirror.words[1:])}.", markup=False, soft_wrap=True)
    if mirror.state in ("begins", "waits") and mirror.run:
        console.print(executor(app, mirror.run), markup=False, soft_wrap=True)
    if silence.state(now) != "over":
        console.print(f"End it with: {again('silences', 'end', silence.id)}", markup=False, soft_wrap=True)


def _told(silence: Silence, now: int, mirror: Mirrored, **more: Any) -> dict[str, Any]:
    values = asdict(silence)
    del values["matchers"], values["run"]
    conditions = [str(one) for one in silence.matchers]
    return {**values, "conditions": conditions, "state": silence.state(now), "mirror": asdict(mirror), **more}
