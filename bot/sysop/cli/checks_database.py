"""What `sysop doctor` looks at in the database, and `sysop serve` at its start: revision, clock, runners, budgets."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator

from sqlalchemy import Connection, text

from sysop.app import App
from sysop.cli import show
from sysop.cli.common import again, message
from sysop.cli.found import Found
from sysop.errors import SysopError
from sysop.model import Risk
from sysop.store import alerts, effects, mode, schema
from sysop.store import audit as log
from sysop.store.engine import sqlite_file
from sysop.store.writer import Tx, host_clock

CLOCK_MS = 2_000
HOUR_MS = 3_600_000
LATE_MS = 60_000


async def database(app: App) -> AsyncIterator[Found]:
    """Yield whether the database is there, durable and ours, and what only a working one can tell."""
    if app.store.embedded and not sqlite_file(app.store.url).exists():
        fix = f"it is made by the first {again('serve')}, ask or run, or now: {again('db', 'upgrade')}"
        yield Found("database", "note", f"SQLite {sqlite3.sqlite_version}, {app.store.place} does not exist yet", fix)
        return
    try:
        detail, problem = await app.store.read(_engine)
        whole = problem or await app.store.read(_revision)
    except (SysopError, sqlite3.Error) as bad:
        yield Found("database", "failed", message(bad), "check that it is there and yours to use")
        return
    if whole:
        yield Found("database", "failed", f"{app.store.place}: {detail}; {whole}", f"run: {again('db', 'upgrade')}")
        return
    yield Found("database", "ok", f"{detail}, revision {schema.HEAD}, {app.store.place}")
    yield await clock(app)
    yield await _runner(app)
    yield await _mode(app)
    yield await _budgets(app)
    yield await _alerts(app)


def _engine(conn: Connection) -> tuple[str, str]:
    """Return what kind of database this is, and what about it would lose data."""
    if conn.dialect.name == "postgresql":
        return f"PostgreSQL {conn.scalar(text('SHOW server_version'))}", ""
    journal, sync = conn.scalar(text("PRAGMA journal_mode")), conn.scalar(text("PRAGMA synchronous"))
    problem = "" if (journal, sync) == ("wal", 2) else f"journal {journal}, synchronous {sync}: commits are not durable"
    return f"SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL", problem


def _revision(conn: Connection) -> str:
    try:
        schema.check(conn)
    except SysopError as bad:
        return str(bad)
    return ""


async def _alerts(app: App) -> Found:
    """Tell whether alerts that were taken in are placed; they are kept all the same."""
    waits, since = await app.store.read(alerts.backlog)
    late = since is not None and await app.store.now() - since > LATE_MS
    if not late:
        return Found("placing", "ok", f"{waits} of those taken in wait to be placed" if waits else "all are placed")
    fix = f"they are placed by a running {again('serve')}; see its log if there is one"
    return Found("placing", "failed", f"{waits} wait to be placed, the first since {show.when(since)}", fix)


async def clock(app: App) -> Found:
    """Tell whether this machine's clock and the database's time agree; there is a `fix` where they do not."""
    before = host_clock()
    if not app.store.embedded:
        ahead = await app.store.now() - before
        detail = f"the database is {ahead / 1000:+.1f} s from this machine"
        fix = "set both by NTP; deadlines follow the database, times in logs this machine"
        return Found(
            "clock", "failed" if abs(ahead) > CLOCK_MS + 3_000 else "ok", detail, fix if abs(ahead) > CLOCK_MS else ""
        )
    newest = await app.store.read(lambda conn: log.newest(conn, 1))
    behind = newest[0].ts - before if newest else 0
    if behind > CLOCK_MS:
        detail = f"this machine's clock is {behind / 1000:.0f} s behind the newest audit entry: it was set back"
        return Found(
            "clock", "failed", detail, "set it by NTP; until it has caught up, time stands still for deadlines"
        )
    return Found("clock", "ok", "not behind the newest audit entry")


async def _runner(app: App) -> Found:
    if not app.store.embedded:
        count = await app.store.read(_runners)
        return Found(
            "runner", "ok" if count else "note", f"{count} processes carry runs forward", "" if count else _start()
        )
    holder = app.runner.holder()
    if holder is None:
        return Found("runner", "note", "no process is running", _start())
    return Found("runner", "ok", f"process {holder}")


def _start() -> str:
    return f"start one with: {again('serve')}; ask and run work without"


def _runners(conn: Connection) -> int:
    held = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
    return int(conn.scalar(text(f"{held}(SELECT oid FROM pg_database WHERE datname = current_database())")) or 0)  # noqa: S608


async def _mode(app: App) -> Found:
    now = await app.store.read(mode.read)
    if now.paused:
        detail = f"changes are paused by {now.by} since {show.when(now.at)} UTC: {now.reason or 'no reason given'}"
        return Found("pause", "note", detail, f"let them go on with: {again('resume')}")
    return Found("pause", "ok", "changes are not paused")


async def _budgets(app: App) -> Found:
    caps = {Risk.CHANGE: app.settings.budgets.change, Risk.DESTRUCTIVE: app.settings.budgets.destructive}

    def used(conn: Connection) -> list[tuple[str, Risk, int]]:
        since = Tx(conn).now() - HOUR_MS
        places = app.contexts.inventory.environments
        return [(place, risk, effects.started_since(conn, place, risk, since)) for place in places for risk in caps]

    found = await app.store.read(used)
    detail = ", ".join(f"{place} {risk} {count} of {caps[risk]}" for place, risk, count in found)
    out_of = [place for place, risk, count in found if count >= caps[risk]]
    fix = "wait until an hour has passed, or raise budgets" if out_of else ""
    return Found("budgets", "note" if out_of else "ok", f"last hour: {detail}", fix)
