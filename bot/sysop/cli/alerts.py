"""`sysop alerts`: what fired, and where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import RenderableType

from sysop.cli import Group, show
from sysop.cli.alerts_export import export
from sysop.cli.alerts_replay import replay
from sysop.cli.common import command, emit, json_option, listed, opened, out
from sysop.cli.incidents_view import COPIED, LONGEST, NAME
from sysop.incidents.words import place
from sysop.store import alerts as rows
from sysop.store.alerts import Placed


@click.group(cls=Group, invoke_without_command=True)
@click.option("--firing", is_flag=True, help="Only those that have not ended.")
@click.option("--held", is_flag=True, help="Only those in no incident.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="How many, newest first.")
@json_option
@command
async def alerts(firing: bool, held: bool, limit: int, as_json: bool) -> None:
    """List alerts and the incidents they belong to, or replay recorded ones."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    async with opened(check=False) as app:
        found = await listed(app, lambda conn: rows.listed(conn, firing_only=firing, held_only=held, limit=limit))
    if as_json:
        emit([_json(one) for one in found])
    elif found:
        out().print(_held(found) if held else _all(found))
    else:
        out().print(_none(firing, held))


def _json(one: Placed) -> dict[str, object]:
    told = asdict(one)
    return {**told.pop("alert"), **told}


def _all(found: Sequence[Placed]) -> RenderableType:
    columns = ("alert", "on", "state", "source", "since (UTC)", "until (UTC)", "incident", "why it is there")
    drop = ("source", "until (UTC)", "why it is there", "since (UTC)", "on")
    rows = (
        (
            *_what(one),
            one.alert.source,
            show.when(one.alert.starts_at),
            show.when(one.alert.ends_at),
            one.incident or _without(one),
            show.one_line(one.reason, 80),
        )
        for one in found
    )
    return show.table(*columns, rows=rows, drop=drop)


def _held(found: Sequence[Placed]) -> RenderableType:
    """Return those in no incident, each with the fingerprint by which a person puts it into one."""
    columns = ("alert", "on", "state", "since (UTC)", "fingerprint", "where", "why it is there")
    short = all(len(one.alert.fingerprint) <= COPIED for one in found)
    rows = (
        (
            *_what(one),
            show.when(one.alert.starts_at),
            one.alert.fingerprint,
            _without(one),
            show.one_line(one.reason.removeprefix("held back: "), LONGEST),
        )
        for one in found
    )
    drop = ("since (UTC)", "on", "state", "where", "why it is there")
    return show.table(*columns, rows=rows, whole=("fingerprint",) if short else (), drop=drop)


def _what(one: Placed) -> tuple[show.Cell, ...]:
    alert = one.alert
    return (
        show.one_line(alert.name, NAME),
        show.one_line(place(alert) or "", 60),
        show.state("open" if alert.firing else "resolved"),
    )


def _without(one: Placed) -> str:
    """Return what stands in place of an incident."""
    if one.silence is not None:
        return "silenced"
    return "waits" if one.placed is None else "held back"


def _none(firing: bool, held: bool) -> str:
    if held:
        return "no alert is held back"
    return "no alert fires" if firing else "no alerts yet"


alerts.add_command(replay)
alerts.add_command(export)
