"""`sysop incidents`: what is wrong, and why alerts belong together."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click
from sqlalchemy import Connection

from sysop.cli import Group
from sysop.cli import incidents_view as view
from sysop.cli.common import again, command, emit, json_option, listed, opened, out
from sysop.cli.incidents_hand import merge, move, split
from sysop.cli.incidents_memory import correct, forget, remember, report
from sysop.cli.incidents_past import show_figures, show_similar
from sysop.incidents import changed
from sysop.incidents.similar import similar
from sysop.incidents.timeline import timeline
from sysop.incidents.words import owners
from sysop.inventory import Inventory
from sysop.store import incidents as rows
from sysop.store import past


@click.group(cls=Group, invoke_without_command=True)
@click.option("--open", "open_only", is_flag=True, help="Only those that are not resolved.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, newest first.")
@json_option
@command
async def incidents(open_only: bool, limit: int, as_json: bool) -> None:
    """List incidents, show one, say which alerts belong together, or look back on what there was."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    async with opened(check=False) as app:
        found = await listed(app, lambda conn: rows.listed(conn, open_only=open_only, limit=limit))
    if as_json:
        emit([asdict(incident) for incident in found])
        return
    if not found:
        out().print("no open incidents" if open_only else "no incidents yet")
        return
    out().print(view.listed(found))


@incidents.command("show")
@click.argument("id")
@json_option
@command
async def show_incident(id: str, as_json: bool) -> None:
    """Show an incident: where it began, why each alert belongs to it, what is like it, and all that happened."""
    async with opened() as app:
        found = await app.store.read(partial(_whole, inventory=app.contexts.inventory, id=id))
    if as_json:
        emit(found.as_json())
        return
    console = out()
    console.print(view.whole(found))
    if found.incident.run:
        console.print(f"\nstep by step: {again('runs', 'show', found.incident.run)}", soft_wrap=True)


def _whole(conn: Connection, inventory: Inventory, id: str) -> view.Whole:
    incident = rows.load(conn, id)
    return view.Whole(
        incident=incident,
        owners=owners(inventory, incident.services),
        similar=similar(conn, incident),
        held_back=past.held_between(conn, *view.around(incident)),
        timeline=timeline(conn, incident),
        changed=changed.before(conn, incident, inventory),
    )


for one in (merge, split, move, show_similar, show_figures, report, correct, forget, remember):
    incidents.add_command(one)
