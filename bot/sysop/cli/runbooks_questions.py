"""`sysop runbooks questions`, `answered`, `dismiss`: what people asked and no page answers."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click

from sysop.cli import show
from sysop.cli.common import command, emit, json_option, listed, me, opened, out
from sysop.cli.incidents_hand import by_a_person
from sysop.knowledge.memory.notebook import Notebook
from sysop.store import questions as rows


@click.command("questions")
@click.option("--all", "everything", is_flag=True, help="Those that are answered or dismissed, too.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, most asked first.")
@json_option
@command
async def questions(everything: bool, limit: int, as_json: bool) -> None:
    """List the questions that no page answers: what to write next."""
    async with opened(check=False) as app:
        found = await listed(app, partial(rows.listed, open_only=not everything, limit=limit))
    if as_json:
        emit([asdict(one) for one in found])
        return
    if not found:
        out().print("no questions yet" if everything else "no question is open")
        return
    lines = (
        (
            one.id,
            str(one.asked),
            show.one_line(one.text),
            show.one_line(one.nearest, 80) or "none",
            show.when(one.last_at),
            one.state,
        )
        for one in found
    )
    columns = ("id", "asked", "question", "nearest page", "last (UTC)", "state")
    out().print(show.table(*columns, rows=lines, whole=("asked",), drop=("last (UTC)", "nearest page", "state")))


@click.command("answered")
@click.argument("id")
@command
async def answered(id: str) -> None:
    """Take a question off the list because a page answers it now. Asked in vain again, it comes back.

    Takes a person with a role.
    """
    async with opened() as app:
        with by_a_person(app):
            one = await Notebook(app.store).answered(id, me(app))
    out().print(f"{one.id} is answered: {show.one_line(one.text)}", markup=False, soft_wrap=True)


@click.command("dismiss")
@click.argument("id")
@command
async def dismiss(id: str) -> None:
    """Take a question off the list for good: no page shall answer it. Takes a person with a role."""
    async with opened() as app:
        with by_a_person(app):
            one = await Notebook(app.store).dismiss(id, me(app))
    out().print(f"{one.id} is dismissed: {show.one_line(one.text)}", markup=False, soft_wrap=True)
