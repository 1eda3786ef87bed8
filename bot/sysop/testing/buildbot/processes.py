"""Processes of a program of ours: each in a session of its own, so that nothing it started outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_GRACE_S = 3.0
_LAST_LINES = 20


class Process:
    """A program that runs until it is stopped. What it prints goes to the first of `logs`, the others are its own."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], logs: Sequence[Path]
    ) -> None:
        self._logs = logs
        with logs[0].open("ab") as out:
            self._popen = subprocess.Popen(  # noqa: S603  what to start is our own choice
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, ready: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait until it is ready. Raises RuntimeError, with the end of its logs, where it ends or the time does."""
        deadline = time.monotonic() + seconds
        while not ready():
            code = self._popen.poll()
            if code is not None:
                raise RuntimeError(f"{what} ended with {code}:\n{self.said()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} was not ready within {seconds:g} s:\n{self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        """Return the end of its logs."""
        written = (log.read_text(errors="replace").splitlines() for log in self._logs if log.exists())
        return "\n".join(line for lines in written for line in lines[-_LAST_LINES:])

    def stop(self) -> None:
        """End it, and whatever of its session is left."""
        self._send(signal.SIGTERM)
        try:
            self._popen.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._send(signal.SIGKILL)
            self._popen.wait()
        for pid in _session(self._popen.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _send(self, what: signal.Signals) -> None:
        if self._popen.poll() is None:
            os.killpg(self._popen.pid, what)


def _session(leader: int) -> list[int]:
    """Return the processes of a session. A worker puts each command into a process group of its own."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            # After the name in parentheses: state, parent, group, session.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(entry.name))
    return found
