"""The runner's lock: one holder, whom others can ask for without being in the way."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sysop.runner.lock import PATIENCE_S, RunnerLock

ASK = "import sys, pathlib; from sysop.runner.lock import RunnerLock\nlock = RunnerLock(pathlib.Path(sys.argv[1]))\n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sysop.db"


@pytest.fixture
def asked_all_the_time(database: Path) -> Iterator[None]:
    """Let two processes ask for the holder without a pause."""
    made = RunnerLock(database)
    assert made.take()
    made.release()
    code = f"{ASK}print('asking', flush=True)\nwhile True: lock.holder()"
    command = [sys.executable, "-c", code, str(database)]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == b"asking\n"
    yield
    for process in asking:
        process.kill()
        process.communicate()


def refused_once(file: Path) -> bool:
    """Tell whether the lock, tried without patience, is ever refused while nobody runs."""
    until = time.monotonic() + 20
    with file.open("a+") as handle:
        while time.monotonic() < until:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            fcntl.flock(handle, fcntl.LOCK_UN)
    return False


@pytest.mark.usefixtures("asked_all_the_time")
def test_who_only_asks_never_keeps_anybody_from_running(database: Path) -> None:
    lock = RunnerLock(database)
    assert refused_once(lock.path), "the control: nobody was in the way, so the rest would prove nothing"
    for number in range(100):
        assert lock.take(), number
        lock.release()


def test_a_living_holder_is_waited_for_only_for_a_moment(database: Path) -> None:
    first, second = RunnerLock(database), RunnerLock(database)
    assert first.take()
    assert first.take(), "it keeps what it has"
    began = time.monotonic()
    assert not second.take()
    assert PATIENCE_S <= time.monotonic() - began < PATIENCE_S + 5
    assert second.holder() == os.getpid()
    first.release()
    assert second.holder() is None
    assert second.take()
    second.release()


def test_a_killed_holder_is_no_holder(database: Path) -> None:
    code = f"{ASK}assert lock.take(); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(database)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    lock = RunnerLock(database)
    assert lock.holder() == holder.pid
    holder.kill()
    holder.communicate()
    assert lock.holder() is None
    assert lock.take()
    lock.release()
