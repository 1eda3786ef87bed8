"""`sysop alerts export`: one's own history as a recording, to replay it with other settings."""

from __future__ import annotations

import json
from pathlib import Path

import click
from sqlalchemy import Connection

from sysop.cli.common import command, err, opened
from sysop.cli.files import same, whole
from sysop.cli.output import echo
from sysop.incidents import recorded
from sysop.incidents.correlation import Topology
from sysop.store import alerts as rows
from sysop.store.writer import Tx

DAY_MS = 86_400_000


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="How far back alerts may start.")
@click.option("--limit", type=click.IntRange(1), default=100_000, show_default=True, help="How many, the newest ones.")
@click.option(
    "--topology",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the inventory here, for `sysop alerts replay --topology`.",
)
@command
async def export(file: Path | None, days: int, limit: int, topology: Path | None) -> None:
    """Write stored alerts as a recording to FILE, else to standard output, in the order they came.

    Silenced alerts are left out, as correlation never sees them.
    """
    if file and topology and same(file, topology):
        raise click.UsageError(f"FILE and --topology both name {file}; name two files")
    async with opened() as app:
        lines = await app.store.read(lambda conn: _lines(conn, days, limit))
        inventory = app.contexts.inventory
    if topology is not None:
        with whole(topology) as target:
            target.write(json.dumps(Topology.from_inventory(inventory).as_json(), indent=2) + "\n")
    if file is None:
        for line in lines:
            echo(line)
        return
    with whole(file) as target:
        target.writelines(f"{line}\n" for line in lines)
    err.print(f"{len(lines)} alerts in {file}", markup=False, soft_wrap=True)


def _lines(conn: Connection, days: int, limit: int) -> list[str]:
    since = Tx(conn).now() - days * DAY_MS
    found = sorted(rows.placed_since(conn, since, limit), key=lambda one: (one.received_at, one.key))
    return [recorded.line(one.received_at, one.alert) for one in found]
