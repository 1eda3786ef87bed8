"""`sysop changes`: what was deployed, configured, scaled or switched lately, and by whom."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click
from rich.text import Text
from sqlalchemy import Connection

from sysop.cli import show
from sysop.cli.common import command, emit, json_option, listed, opened, out
from sysop.cli.length import Length
from sysop.model import Change
from sysop.store import changes as rows
from sysop.store.writer import Tx

_NAME = 80


@click.command()
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only of this service; may be repeated.")
@click.option(
    "--for", "seconds", type=Length(), default="1d", show_default=True, help="How far back, such as 30m or 2h."
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, newest first.")
@json_option
@command
async def changes(services: tuple[str, ...], seconds: int, limit: int, as_json: bool) -> None:
    """List what was changed, by us and by others, the newest first."""
    async with opened(check=False) as app:
        found = await listed(app, partial(_recent, seconds=seconds, services=services or None, limit=limit))
    if as_json:
        emit([{**asdict(one), "words": one.words} for one in found])
        return
    if not found:
        out().print("no change is known of that time")
        return
    columns = ("at (UTC)", "what", "environment", "state", "by", "where")
    out().print(show.table(*columns, rows=map(_line, found), drop=("environment", "where", "state")))


def _recent(conn: Connection, seconds: int, services: tuple[str, ...] | None, limit: int) -> list[Change]:
    now = Tx(conn).now()
    return rows.between(conn, now - seconds * 1000, now, services, limit)


def _line(one: Change) -> tuple[str | Text, ...]:
    title = f": {one.title}" if one.title and one.service else ""
    return (
        show.when(one.at),
        show.one_line(f"{one.words}{title}", 160),
        show.one_line(one.environment, _NAME),
        show.state(one.state),
        show.one_line(one.by, _NAME),
        show.one_line(one.url or f"{one.source} {one.id}", _NAME),
    )
