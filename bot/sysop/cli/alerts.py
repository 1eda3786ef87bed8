"""`sysop alerts`: what fired, and where it belongs."""

from __future__ import annotations

from dataclasses import asdict

import click

from sysop.cli import Group, show
from sysop.cli.alerts_export import export
from sysop.cli.alerts_replay import replay
from sysop.cli.common import command, emit, json_option, listed, opened, out
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
        columns = ("alert", "service", "state", "source", "since (UTC)", "until (UTC)", "incident", "why it is there")
        drop = ("source", "until (UTC)", "why it is there", "since (UTC)", "service")
        out().print(show.table(*columns, rows=map(_line, found), drop=drop))
    else:
        out().print(_none(firing, held))


def _json(one: Placed) -> dict[str, object]:
    told = asdict(one)
    return {**told.pop("alert"), **told}


def _line(one: Placed) -> tuple[show.Cell, ...]:
    alert = one.alert
    return (
        alert.name,
        alert.service or "",
        show.state("open" if alert.firing else "resolved"),
        alert.source,
        show.when(alert.starts_at),
        show.when(alert.ends_at),
        one.incident or _without(one),
        show.one_line(one.reason, 80),
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
