"""`sysop dev` as a person runs it: a process with a folder, told to end by Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY_S = 90.0
END_S = 60.0
MARK = "SYSOP_TEST_MARK"
_OURS = re.compile(r"^(SYSOP_|COVERAGE)")


@dataclass
class Dev:
    """A `sysop dev` that was started."""

    folder: Path
    process: asyncio.subprocess.Process
    mark: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> str:
        """Return the settings the command line works with beside it."""
        return str(self.facts["settings"])

    def page(self, user: str, place: str = "shop") -> str:
        """Return the address somebody opens."""
        return f"{self.facts['page']}&user={user}#{place}"

    def said(self) -> str:
        """Return what it said on its standard error."""
        return (self.folder.parent / f"{self.folder.name}.err").read_text()

    async def interrupt(self) -> int:
        """Press Ctrl-C and return how it ended."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(END_S):
            return await self.process.wait()

    def left_over(self) -> list[str]:
        """Return every process that this one began, or that those began, and that is still there."""
        return [command for pid, command in marked(self.mark) if pid != self.process.pid]


def marked(mark: str) -> list[tuple[int, str]]:
    """Return processes by a mark in their environment, which they hand on to those they begin."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append((int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()))
    return found


def environment(**more: str) -> dict[str, str]:
    """Return an environment without anything of ours, and without a terminal's looks."""
    return {name: value for name, value in os.environ.items() if not _OURS.match(name)} | more


async def start(folder: Path, *words: str) -> Dev:
    """Start it; nothing is ready yet."""
    mark = uuid.uuid4().hex
    with (folder.parent / f"{folder.name}.err").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sysop", "dev", "--folder", str(folder)),
            *("--json", *words),
            cwd=folder.parent,
            env=environment(**{MARK: mark}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    return Dev(folder, process, mark)


async def ready(started: Dev) -> Dev:
    """Wait until it says where it is."""
    assert started.process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            line = await started.process.stdout.readline()
    except TimeoutError:
        line = b""
    assert line, f"sysop dev did not get ready:\n{started.said()}"
    started.facts = json.loads(line)
    return started


@contextlib.asynccontextmanager
async def dev(folder: Path, *words: str) -> AsyncIterator[Dev]:
    """Run it on a free port, ready, until the block ends; nothing of it may be left then."""
    started = await start(folder, "--port", "0", *words)
    try:
        yield await ready(started)
        assert started.process.returncode is None, f"sysop dev ended by itself:\n{started.said()}"
    finally:
        await end(started)


async def end(started: Dev) -> None:
    """End it, by force where Ctrl-C does not do it."""
    if started.process.returncode is None:
        with contextlib.suppress(TimeoutError):
            await started.interrupt()
    for pid, _ in marked(started.mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await started.process.wait()


async def beside(started: Dev, *words: str) -> tuple[int, str]:
    """Run a command with the settings of a running one; return its code and what it said."""
    return await run(started.folder.parent, "--config", started.settings, *words)


async def run(folder: Path, *words: str) -> tuple[int, str]:
    """Run a command of the command line; return its code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sysop", *words),
        cwd=folder,
        env=environment(COLUMNS="160"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(END_S):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
