"""`sysop db`: the database's schema, and a role that may use it without owning it."""

from __future__ import annotations

import click
from sqlalchemy import Connection, text

from sysop.app import App
from sysop.cli import Group
from sysop.cli.common import EXIT_NOT_RESOLVED, command, emit, err, json_option, opened, out
from sysop.paths import private_file
from sysop.store import schema
from sysop.store.engine import sqlite_file


@click.group(cls=Group)
def db() -> None:
    """Create, upgrade and check the database."""


@db.command("upgrade")
@command
async def upgrade() -> None:
    """Create the tables, or bring them to this version. On SQLite no other process may run the database meanwhile."""
    async with opened(check=False) as app:
        app.runner.take()
        try:
            if app.store.embedded:
                private_file(sqlite_file(app.store.url))
            revision = schema.upgrade(app.store.url)
        finally:
            await app.runner.release()
        out().print(f"{app.store.place} is at revision {revision}", markup=False, soft_wrap=True)
        if not app.store.embedded:
            err.print("a role that does not own the schema needs its rights again: sysop db grant ROLE", style="dim")


@db.command("check")
@json_option
@command
async def check(as_json: bool) -> int:
    """Tell whether the database is there, whole, and at this version's revision. Exit code 1 if not."""
    async with opened(check=False) as app:
        found = await _state(app)
        if as_json:
            emit(found)
        else:
            for name, value in found.items():
                out().print(f"{name:<10}{value}", markup=False, soft_wrap=True)
        return 0 if found["problem"] is None else EXIT_NOT_RESOLVED


async def _state(app: App) -> dict[str, str | None]:
    kind = "SQLite" if app.store.embedded else "PostgreSQL"
    found: dict[str, str | None] = {"kind": kind, "place": app.store.place, "needs": schema.HEAD}
    if app.store.embedded and not sqlite_file(app.store.url).exists():
        return {**found, "revision": None, "problem": "there is no database yet; create it with: sysop db upgrade"}
    revision, problem = await app.store.read(_look)
    if problem is None and revision != schema.HEAD:
        known = revision is not None and revision > schema.HEAD
        problem = "a newer Sysop made it; install that version" if known else "run: sysop db upgrade"
    return {**found, "revision": revision, "problem": problem}


def _look(conn: Connection) -> tuple[str | None, str | None]:
    if conn.dialect.name == "sqlite" and (said := conn.scalar(text("PRAGMA quick_check"))) != "ok":
        return None, f"the file is damaged: {said}; restore a backup"
    return schema.revision(conn), None


@db.command("grant")
@click.argument("role")
@command
async def grant(role: str) -> None:
    """Let a PostgreSQL role run Sysop without owning the schema: to the audit log it can append, no more."""
    async with opened() as app:
        schema.grant(app.store.url, role)
        out().print(f"role {role} can run Sysop on {app.store.place}", markup=False, soft_wrap=True)
