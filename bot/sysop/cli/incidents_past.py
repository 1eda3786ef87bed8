"""`sysop incidents similar` and `figures`: what there is to learn from incidents."""

from __future__ import annotations

from functools import partial

import click
from sqlalchemy import Connection

from sysop.cli import figures_view, show
from sysop.cli import incidents_view as view
from sysop.cli.common import command, emit, json_option, opened, out
from sysop.cli.length import Length
from sysop.incidents.figures import WAYS, By, Figures, figures, figures_json
from sysop.incidents.similar import FEW, Similar, similar
from sysop.knowledge.memory.recall import recall_these, teaches
from sysop.store import incidents as rows
from sysop.store.writer import Tx


@click.command("similar")
@click.argument("id")
@click.option("--limit", type=click.IntRange(1, 50), default=FEW, show_default=True, help="How many, likest first.")
@json_option
@command
async def show_similar(id: str, limit: int, as_json: bool) -> None:
    """Show past incidents like one: what they share, how rare that is, what helped then, and what that teaches."""
    async with opened() as app:
        found, taught = await app.store.read(partial(_similar, id=id, limit=limit))
    if as_json:
        emit([{**view.similar_json(one), "teaches": taught.get(one.incident)} for one in found])
    elif found:
        out().print(view.similar(found))
        for incident, sentence in taught.items():
            out().print(f"\n{incident}: {show.visible(sentence)}", markup=False, soft_wrap=True)
    else:
        out().print("none of the past incidents has much in common with it")


def _similar(conn: Connection, id: str, limit: int) -> tuple[tuple[Similar, ...], dict[str, str]]:
    """Return the past incidents like one, and what each that is over teaches."""
    found = similar(conn, rows.load(conn, id), limit)
    taught = {memory.incident: teaches(memory) for memory in recall_these(conn, [one.incident for one in found])}
    return found, {one.incident: taught[one.incident] for one in found if one.incident in taught}


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
