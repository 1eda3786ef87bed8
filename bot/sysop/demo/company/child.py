"""A process of the company, seen from inside and from its supervisor.

Standard input is the lifeline: commands arrive on it, one word a line, and its end means that the supervisor is gone,
whatever killed it. Standard output carries what the process reports, one JSON object a line; standard error is its log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 15.0
STOP_SECONDS = 3.0
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"

Commands = asyncio.Queue[str]


def run(work: Callable[[Commands], Awaitable[None]]) -> None:
    """Run the work of this process until it ends or the supervisor is gone."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    asyncio.run(_run(work))


async def _run(work: Callable[[Commands], Awaitable[None]]) -> None:
    commands: Commands = asyncio.Queue()
    loop = asyncio.get_running_loop()
    # A thread of its own: the end of the supervisor is noticed even while the event loop is busy.
    threading.Thread(target=_follow_lifeline, args=(loop, commands), daemon=True).start()
    await work(commands)


def _follow_lifeline(loop: asyncio.AbstractEventLoop, commands: Commands) -> None:
    for line in lifeline_lines():
        loop.call_soon_threadsafe(commands.put_nowait, line)
    os._exit(0)


def lifeline_lines() -> Iterator[str]:
    """Yield the lines of standard input until it ends, without the lock that would block the end of the process."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() for line in lines)


def report(**facts: Any) -> None:
    """Tell the supervisor something about this process."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


class ChildFailed(Exception):
    """A process of the company ended or stayed silent; the text names its log."""


@dataclass(eq=False)
class Child:
    """A running process, what it has reported so far, and the commands it obeys."""

    name: str
    log: Path
    process: asyncio.subprocess.Process
    heard: dict[str, Any] = field(default_factory=dict)
    leaving: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def expect(self, fact: str) -> Any:
        """Wait until the process has reported a fact; ChildFailed when it ends first or takes too long."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while fact not in self.heard:
                    if self.leaving or self.process.returncode is not None:
                        raise ChildFailed(f"{self.name} ended before it was {fact}; see {self.log}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as late:
            raise ChildFailed(f"{self.name} was not {fact} within {START_SECONDS:.0f} s; see {self.log}") from late
        return self.heard[fact]

    def tell(self, command: str) -> None:
        """Send a command; a process that is gone does not hear it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())

    async def stop(self, command: str | None = None) -> None:
        """Ask the process to end (at once, or as the command says), and kill it when it does not."""
        self.leaving = True
        assert self.process.stdin is not None
        if command is None:
            self.process.stdin.close()
        else:
            self.tell(command)
        try:
            async with asyncio.timeout(STOP_SECONDS if command is None else 2 * START_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def listen(self) -> int:
        """Keep what the process reports until it ends; returns its exit code."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.heard.update(json.loads(line))
            self._news.set()
        code = await self.process.wait()
        self._news.set()
        return code


async def start(name: str, module: str, arguments: Sequence[str], log: Path, pass_fds: Sequence[int] = ()) -> Child:
    """Start a process of the company in a session of its own, so that Ctrl-C reaches only the supervisor."""
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"sysop.demo.company.{module}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=sink,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    return Child(name, log, process)
