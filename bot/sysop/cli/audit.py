"""`sysop audit`: read, prove and hand out the log of everything that was decided and done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection

from sysop.app import App
from sysop.cli import Group, show
from sysop.cli.bar import Bar
from sysop.cli.common import EXIT_NOT_RESOLVED, command, emit, err, json_option, listed, opened, out
from sysop.cli.files import whole
from sysop.cli.output import echo
from sysop.model import AuditEntry
from sysop.store import audit as log

POLL_S = 0.3


@click.group(cls=Group)
def audit() -> None:
    """Show, verify and export the audit log."""


@audit.command("show")
@click.option("--chain", metavar="NAME", help="Only this chain: a run's id, approval:ID, incident:ID or system.")
@click.option("--kind", metavar="KIND", help="Only this kind, such as effect or approval.voted.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, the newest ones.")
@click.option("--follow", is_flag=True, help="Go on with entries as they are written, until Ctrl-C.")
@json_option
@command
async def show_entries(chain: str | None, kind: str | None, limit: int, follow: bool, as_json: bool) -> None:
    """Show the newest entries, oldest of them first; with --json and --follow one a line."""
    async with opened(check=follow) as app:
        found = await listed(app, lambda conn: _newest(conn, chain, kind, limit))
        if not follow:
            _print_all(found, as_json)
            return
        _print_each(found, as_json)
        await _follow(app, chain, kind, found[-1].id if found else 0, as_json)


def _print_all(found: Sequence[AuditEntry], as_json: bool) -> None:
    if as_json:
        emit([show.entry_json(entry) for entry in found])
    else:
        out().print(show.entries(found) if found else "no entries yet")


def _newest(conn: Connection, chain: str | None, kind: str | None, limit: int) -> list[AuditEntry]:
    """Return the newest entries that fit, reading forward in steps: the log's own query goes by rising id."""
    if chain is None and kind is None:
        return log.newest(conn, limit)
    found: list[AuditEntry] = []
    after = 0
    while page := log.entries(conn, chain=chain, kind=kind, after=after, limit=1000):
        found = [*found, *page][-limit:]
        after = page[-1].id
    return found


async def _follow(app: App, chain: str | None, kind: str | None, after: int, as_json: bool) -> None:
    while True:
        await asyncio.sleep(POLL_S)
        page = partial(log.entries, chain=chain, kind=kind, after=after, limit=1000)
        fresh = await app.store.read(page)
        _print_each(fresh, as_json)
        after = fresh[-1].id if fresh else after


def _print_each(found: Sequence[AuditEntry], as_json: bool) -> None:
    for entry in found:
        if as_json:
            echo(entry.body)
        else:
            line = (
                f"{show.when(entry.ts)}  {entry.chain} #{entry.seq}  {entry.kind}  {entry.actor}  {show.facts(entry)}"
            )
            out().print(show.visible(line), markup=False, soft_wrap=True)


@audit.command("verify")
@json_option
@command
async def verify(as_json: bool) -> int:
    """Check every entry's hash, link and position.

    Exit code 1, with the name of the first bad entry, if one is not as it was written.
    """
    async with opened() as app:
        total = await app.store.read(log.count)
        began = time.monotonic()
        with Bar(err, "checking", total) as bar:
            found = await app.store.read(lambda conn: log.verify(bar.counting(conn)))
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        emit({"ok": found.ok, "entries": found.entries, "chains": found.chains, "problem": found.problem})
    elif found.ok:
        out().print(f"{found.entries} entries in {found.chains} chains are as they were written ({seconds:.1f} s)")
    else:
        out().print(
            f"NOT as written: {show.visible(str(found.problem))}", style="bold red", markup=False, soft_wrap=True
        )
        out().print(f"{found.entries} entries before it are good; keep a copy of the database before anything else")
    return 0 if found.ok else EXIT_NOT_RESOLVED


@audit.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@command
async def export(file: Path | None) -> None:
    """Write every entry as a line of JSON to FILE, else to standard output: id, prev, hash and the hashed body."""
    async with opened() as app:
        if file is None:
            await app.store.read(_print_lines)
            return
        count = await app.store.read(lambda conn: _write(conn, file))
        err.print(f"{count} entries in {file}", markup=False, soft_wrap=True)


def _write(conn: Connection, file: Path) -> int:
    count = 0
    with whole(file) as target:
        for line in log.export(conn):
            target.write(f"{line}\n")
            count += 1
    return count


def _print_lines(conn: Connection) -> None:
    for line in log.export(conn):
        echo(line)
