"""`sysop incidents report`, `correct`, `forget`, `remember`: what people want remembered of an incident."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import IO

import click
from sqlalchemy import Connection

from sysop.app import App
from sysop.cli.common import again, command, err, me, opened, out
from sysop.cli.files import whole
from sysop.cli.incidents_hand import by_a_person
from sysop.cli.output import echo
from sysop.cli.show import visible
from sysop.incidents import report as drafts
from sysop.knowledge.memory.notebook import MOST_BYTES, Notebook
from sysop.store import incidents as rows
from sysop.store import notes
from sysop.store.notes import Notes


@click.command("report")
@click.argument("id")
@click.argument("text", required=False)
@click.option("--file", type=click.File("rb"), help="Keep the report in this file; - is standard input.")
@click.option("--draft", is_flag=True, help="Draft one anew where a person has written one.")
@click.option(
    "--out", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write it here, not to standard output."
)
@command
async def report(id: str, text: str | None, file: IO[bytes] | None, draft: bool, target: Path | None) -> None:
    """Show the post-incident report of an incident as Markdown, or keep the one in TEXT or --file.

    Where no person has written one it is a draft: what is known, with where each fact is written down, and what people
    must add is marked. To keep one takes a person with a role; it takes the place of an earlier one.
    """
    if (text is not None) + (file is not None) + (draft or target is not None) > 1:
        raise click.UsageError("TEXT and --file keep a report, --draft and --out show one; give one of them")
    async with opened() as app:
        written = text if file is None else _read(file)
        if written is not None:
            with by_a_person(app):
                kept = await Notebook(app.store).report(id, me(app), written)
            _done(f"The report of {kept} is kept.", "incidents", "report", kept)
            return
        found = await _shown(app, id, draft)
    if target is None:
        echo(found.rstrip("\n"))
        return
    with whole(target) as place:
        place.write(found)
    err.print(f"written: {target}", markup=False)


def _read(file: IO[bytes]) -> str:
    """Return the text of a file; of one that is too long no more than what shows that it is."""
    try:
        return file.read(MOST_BYTES + 1).decode()
    except UnicodeDecodeError as bad:
        if bad.start > MOST_BYTES - 4:  # cut in the middle of a character, since it is too long
            return "?" * (MOST_BYTES + 1)
        raise click.BadParameter(f"{file.name} is not UTF-8 (byte {bad.start}); save it as UTF-8 text") from None


async def _shown(app: App, id: str, draft: bool) -> str:
    known = await app.store.read(partial(_known, id=id))
    if known.report is not None and not draft:
        if known.forgotten is None:
            return f"{visible(known.report.text)}\n"
        hint = again("incidents", "remember", id)
        err.print(f"its written report is not shown, since it was forgotten; to take that back: {hint}", markup=False)
    found = await app.store.read(partial(drafts.draft, inventory=app.contexts.inventory, incident=id))
    return found.text


def _known(conn: Connection, id: str) -> Notes:
    return notes.of(conn, rows.standing(conn, id))


@click.command("correct")
@click.argument("id")
@click.argument("text")
@command
async def correct(id: str, text: str) -> None:
    """Say what was really wrong with an incident, or what really helped: it is told first when one like it comes.

    TEXT takes the place of an earlier correction. Takes a person with a role.
    """
    async with opened() as app:
        with by_a_person(app):
            kept = await Notebook(app.store).correct(id, me(app), text)
        _done(f"{kept} is corrected.", "incidents", "show", kept)


@click.command("forget")
@click.argument("id")
@click.option("--because", default="", metavar="TEXT", help="Why; the audit log keeps it.")
@command
async def forget(id: str, because: str) -> None:
    """Let an incident teach nothing: it is not found any more when one like it comes. Its records stay.

    Takes a person with a role.
    """
    async with opened() as app:
        with by_a_person(app):
            kept = await Notebook(app.store).forget(id, me(app), because)
        _done(f"{kept} is forgotten.", "incidents", "remember", kept, what="To take that back")


@click.command("remember")
@click.argument("id")
@click.option("--because", default="", metavar="TEXT", help="Why; the audit log keeps it.")
@command
async def remember(id: str, because: str) -> None:
    """Take `forget` back: the incident teaches again what it taught. Takes a person with a role."""
    async with opened() as app:
        with by_a_person(app):
            kept = await Notebook(app.store).remember(id, me(app), because)
        _done(f"{kept} is remembered again.", "incidents", "show", kept)


def _done(words: str, *then: str, what: str = "See") -> None:
    console = out()
    console.print(words, markup=False, soft_wrap=True)
    console.print(f"{what}: {again(*then)}", markup=False, soft_wrap=True)
