"""`sysop serve` begins in order, says what is in its way in one sentence, and lets go of all it took."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import pytest
from terminal import SETTINGS, Shell, clean_environment

import postgres
from sysop.runner.lock import RunnerLock
from sysop.store.store import Store
from sysop.surfaces.server import listen

HOUR_MS = 3_600_000


@dataclass
class Serving:
    """A `sysop serve` that is ready."""

    pid: int
    said: str
    lines: IO[str]
    """What it says after that."""


@contextlib.contextmanager
def serving(shell: Shell) -> Iterator[Serving]:
    """Run `sysop serve` in a process until the block ends."""
    command = [sys.executable, "-m", "sysop", "serve"]
    process = subprocess.Popen(command, cwd=shell.folder, env=clean_environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    try:
        while "ready" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield Serving(process.pid, said, process.stderr)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


NAP = """
import asyncio
from datetime import timedelta
from pathlib import Path
from sysop.api import Context, Risk, action, hookimpl


@action(risk=Risk.READ, timeout=timedelta(seconds=60))
async def nap(ctx: Context) -> str:
    \"\"\"Sleep for longer than anybody waits, but only once.\"\"\"
    seconds = 0 if Path("asleep").exists() else 50
    Path("asleep").touch()
    await asyncio.sleep(seconds)
    return "rested"


@hookimpl
def register_actions():
    return [nap]
"""


@pytest.fixture
def port() -> int:
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def test_a_second_one_hears_of_the_first_and_not_of_its_port(shell: Shell, port: int) -> None:
    shell.write(f"{SETTINGS}webhooks: {{port: {port}}}\n")
    with serving(shell) as first:
        second = shell.process("serve")
        elsewhere = shell.process("serve", env={"SYSOP_WEBHOOKS__PORT": "0"})
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    for refused in (second, elsewhere):
        assert (refused.code, refused.out) == (1, "")
        assert refused.err.strip() == f"Error: process {first.pid} runs this database already; stop it first"


def test_warnings_go_to_standard_error_without_secrets(shell: Shell, port: int) -> None:
    with listen("127.0.0.1", 0) as silent:
        nobody = silent.getsockname()[1]
    pull = f"{{pull: [{{url: 'http://user:hunter2hunter2@127.0.0.1:{nobody}'}}]}}"
    shell.write(f"{SETTINGS}webhooks: {{port: {port}}}\nplugins: {{alertmanager: {pull}}}\n")
    with serving(shell) as running:
        line = next(line for line in running.lines if line.startswith("WARNING sysop.incidents.pulling"))
    assert "cannot be asked for alerts" in line
    assert "hunter2" not in line


def test_on_postgresql_several_serve_one_database(shell: Shell, request: pytest.FixtureRequest) -> None:
    url = postgres.fresh_database(request.getfixturevalue("postgres_server"), f"sysop_serve_{os.getpid()}")
    shell.write(f"{SETTINGS}database: {{url: '{url}'}}\nwebhooks: {{port: 0}}\n")
    assert shell("db", "upgrade").code == 0
    with serving(shell) as first, serving(shell) as second:
        assert first.pid != second.pid
        checks = {check["name"]: check for check in shell("doctor", "--json").json["checks"]}
    assert checks["runner"]["detail"] == "2 processes carry runs forward"


def test_a_taken_port_is_one_sentence_and_no_run_begins(shell: Shell) -> None:
    shell("db", "upgrade")
    run = shell("run", "toy.read", "--no-wait", "--json").json["run"]
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        shell.write(f"{SETTINGS}webhooks: {{port: {port}}}\n")
        said = shell("serve")
    told = f"Error: webhooks: cannot listen on 127.0.0.1:{port}: Address already in use; set webhooks.port"
    assert (said.code, said.err.strip()) == (1, told)
    assert RunnerLock(shell.folder / ".sysop" / "sysop.db").holder() is None
    assert shell("runs", "show", run, "--json").json["state"] == "queued"


@pytest.mark.parametrize("broken", ["no database", "unknown source"])
def test_a_start_that_fails_lets_go_of_lock_and_port(shell: Shell, port: int, broken: str) -> None:
    database = shell.folder / ".sysop" / "sysop.db"
    tokens = "tokens: {nobody: 'env:HOME'}, " if broken == "unknown source" else ""
    shell.write(f"{SETTINGS}webhooks: {{{tokens}port: {port}}}\n")
    if broken == "no database":
        database.parent.mkdir()
        database.write_text("this is text " * 100)
    said = shell("serve")
    told = "there is no such source" if tokens else "not a database"
    assert (said.code, told in said.err, said.err.count("\n")) == (1, True, 1), said
    assert RunnerLock(database).holder() is None
    listen("127.0.0.1", port).close()


async def _an_entry_of_tomorrow(url: str) -> None:
    store = Store.open(url, clock=lambda: time.time_ns() // 1_000_000 + HOUR_MS)
    await store.write(lambda tx: tx.audit("system", "test.written", "person:ann"))
    await store.close()


def test_a_clock_that_was_set_back_is_told_at_the_start(shell: Shell) -> None:
    shell.write(f"{SETTINGS}webhooks: {{port: 0}}\n")
    assert shell("db", "upgrade").code == 0
    with serving(shell) as well:
        assert "clock:" not in well.said
    asyncio.run(_an_entry_of_tomorrow(f"sqlite:///{shell.folder}/.sysop/sysop.db"))
    with serving(shell) as behind:
        assert "clock: this machine's clock is 3" in behind.said
        assert "set it by NTP" in behind.said
    checks = {check["name"]: check for check in shell("doctor", "--json").json["checks"]}
    assert checks["clock"]["status"] == "failed"


def test_a_second_interrupt_does_not_wait_for_what_runs_and_the_next_start_takes_it_up(shell: Shell) -> None:
    (shell.folder / "slow").mkdir()
    (shell.folder / "slow" / "slow.py").write_text(NAP)
    shell.write("plugins_dir: slow\nwebhooks: {port: 0}\n")
    command = [sys.executable, "-m", "sysop", "serve"]
    process = subprocess.Popen(
        command,
        cwd=shell.folder,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # some shells have it ignored
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("ready")
    run = shell("run", "slow.nap", "--no-wait").out.strip()
    deadline = time.monotonic() + 20
    while not (shell.folder / "asleep").exists():
        assert time.monotonic() < deadline, "the action never began"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline().startswith("draining")
    assert process.poll() is None, "the first one lets what runs go on"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)  # the drain alone would take 25 s
    assert process.returncode == 130
    with serving(shell):
        assert shell("runs", "follow", run).code == 0, "the run was lost"
