"""`sysop incidents similar`, `figures`, `report`: what there is to learn from incidents."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection

from sysop.cli import figures_view
from sysop.cli import incidents_view as view
from sysop.cli.common import command, emit, err, json_option, opened, out
from sysop.cli.files import whole
from sysop.cli.length import Length
from sysop.cli.output import echo
from sysop.incidents import report as reports
from sysop.incidents.figures import WAYS, By, Figures, figures, figures_json
from sysop.incidents.similar import FEW, Similar, similar
from sysop.store import incidents as rows
from sysop.store.writer import Tx


@click.command("similar")
@click.argument("id")
@click.option("--limit", type=click.IntRange(1, 50), default=FEW, show_default=True, help="How many, likest first.")
@json_option
@command
async def show_similar(id: str, limit: int, as_json: bool) -> None:
    """Show past incidents like one: what they share, how rare that is, and what helped then."""
    async with opened() as app:
        found = await app.store.read(partial(_similar, id=id, limit=limit))
    if as_json:
        emit([view.similar_json(one) for one in found])
    elif found:
        out().print(view.similar(found))
    else:
        out().print("none of the past incidents has much in common with it")


def _similar(conn: Connection, id: str, limit: int) -> tuple[Similar, ...]:
    return similar(conn, rows.load(conn, id), limit)


@click.command("figures")
@click.option(
    "--since", type=Length(least=60), default="30d", show_default=True, help="How far back, such as 12h or 30d."
)
@click.option("--by", type=click.Choice(WAYS), help="Show each severity, service, owner or week beside the whole.")
@json_option
@command
async def show_figures(since: int, by: By | None, as_json: bool) -> None:
    """Show how incidents went: how soon somebody looked after them, how long they took, how many alerts each had.

    An incident counts when it was opened in that time. Weeks begin on Monday, in UTC.
    """
    async with opened() as app:
        inventory = app.contexts.inventory

        def query(conn: Connection) -> Figures:
            until = Tx(conn).now()
            return figures(conn, inventory, until - 1000 * since, until, by)

        found = await app.store.read(query)
    if as_json:
        emit(figures_json(found))
    else:
        out().print(figures_view.figures(found))


@click.command("report")
@click.argument("id")
@click.option(
    "--out", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it here, not to standard output."
)
@command
async def write_report(id: str, file: Path | None) -> None:
    """Draft the post-incident report of an incident, as Markdown.

    It has what is known, with where each fact is written down; what people must add is marked.
    """
    async with opened() as app:
        found = await app.store.read(partial(reports.draft, inventory=app.contexts.inventory, incident=id))
    if file is None:
        echo(found.text.rstrip("\n"))
        return
    with whole(file) as target:
        target.write(found.text)
    err.print(f"written: {file}", markup=False)
