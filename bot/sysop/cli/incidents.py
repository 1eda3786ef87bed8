"""`sysop incidents` and `sysop alerts`: what is wrong, and why alerts belong together."""

from __future__ import annotations

from dataclasses import asdict

import click
from sqlalchemy import Connection

from sysop.cli import Group, show
from sysop.cli.common import again, command, emit, json_option, listed, opened, out
from sysop.model import AuditEntry, Incident
from sysop.store import audit as log
from sysop.store import incidents as rows
from sysop.store import runs

TIMELINE = 10_000  # entries of a chain; a run's budget of calls ends far below


@click.group(cls=Group, invoke_without_command=True)
@click.option("--open", "open_only", is_flag=True, help="Only those that are not resolved.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, newest first.")
@json_option
@command
async def incidents(open_only: bool, limit: int, as_json: bool) -> None:
    """List incidents, or show one with its alerts and its timeline."""
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
    lines = (
        (
            i.id,
            show.state(i.state),
            i.severity,
            show.one_line(i.title, 60),
            ", ".join(i.services),
            f"{sum(a.firing for a in i.alerts)} of {len(i.alerts)}",
            show.when(i.opened_at),
            i.run or "",
        )
        for i in found
    )
    columns = ("id", "state", "severity", "title", "services", "alerts firing", "since (UTC)", "run")
    drop = ("services", "alerts firing", "since (UTC)", "run", "severity")
    out().print(show.table(*columns, rows=lines, drop=drop))


@incidents.command("show")
@click.argument("id")
@json_option
@command
async def show_incident(id: str, as_json: bool) -> None:
    """Show an incident: its alerts, why each belongs to it, and all that happened, from the audit log."""
    async with opened() as app:
        incident, timeline = await app.store.read(lambda conn: _whole(conn, id))
    if as_json:
        emit({**asdict(incident), "timeline": [show.entry_json(entry) for entry in timeline]})
        return
    console = out()
    console.print(show.incident_lines(incident))
    console.print("\ntimeline", style="bold")
    console.print(show.entries(timeline))
    if incident.run:
        console.print(f"\nstep by step: {again('runs', 'show', incident.run)}", soft_wrap=True)


def _whole(conn: Connection, id: str) -> tuple[Incident, list[AuditEntry]]:
    incident = rows.load(conn, id)
    chains = [rows.chain(id), *([runs.chain(incident.run)] if incident.run else [])]
    found = [entry for chain in chains for entry in log.entries(conn, chain=chain, limit=TIMELINE)]
    return incident, sorted(found, key=lambda entry: (entry.ts, entry.id))


@click.command()
@click.option("--firing", is_flag=True, help="Only those that have not ended.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="How many, newest first.")
@json_option
@command
async def alerts(firing: bool, limit: int, as_json: bool) -> None:
    """List alerts and the incidents they belong to."""
    async with opened(check=False) as app:
        found = await listed(app, lambda conn: rows.alerts(conn, firing_only=firing, limit=limit))
    if as_json:
        emit([{**asdict(alert), "incident": incident, "reason": reason} for alert, incident, reason in found])
        return
    if not found:
        out().print("no alert fires" if firing else "no alerts yet")
        return
    lines = (
        (
            a.name,
            a.service or "",
            show.state("open" if a.firing else "resolved"),
            a.source,
            show.when(a.starts_at),
            show.when(a.ends_at),
            incident,
            show.one_line(reason, 80),
        )
        for a, incident, reason in found
    )
    columns = ("alert", "service", "state", "source", "since (UTC)", "until (UTC)", "incident", "why it belongs there")
    drop = ("source", "until (UTC)", "why it belongs there", "since (UTC)", "service")
    out().print(show.table(*columns, rows=lines, drop=drop))
