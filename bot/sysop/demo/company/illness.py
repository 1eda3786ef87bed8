"""What is wrong with one process of a service, whoever is to blame: its release, its configuration or its work."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field

from sysop.demo.company.releases import Fault

LEAK_BYTES, LEAK_STEPS = 2_000_000, 4
"""What a leak takes a second, in so many steps."""

MEMORY_LIMIT = 96_000_000
"""A process that leaked so much is killed, as the kernel kills one beyond its container's limit."""

KILLED = 137
POISON_SECONDS = 1.0

log = logging.getLogger("service")


@dataclass
class Illness:
    """The faults that hold now, by whose fault they are; the newest word about one culprit counts."""

    faults: dict[str, Fault] = field(default_factory=dict)
    _begun: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def hold(self, culprit: str, fault: Fault | None) -> None:
        """Take what is wrong because of a culprit; None when nothing is any more."""
        self.faults.pop(culprit, None)
        if fault is not None:
            self.faults[culprit] = fault
            self._take_course(fault)

    @property
    def stuck(self) -> bool:
        """Say whether this process never becomes ready."""
        return any(fault.kind == "stuck" for fault in self.faults.values())

    @property
    def delay(self) -> float:
        """Return the seconds that every request takes longer."""
        return sum(fault.seconds for fault in self.faults.values() if fault.kind == "latency")

    def fails(self) -> bool:
        """Say whether this request fails."""
        # Load and chance, nothing secret.
        return any(random.random() < fault.share for fault in self.faults.values())  # noqa: S311

    def begin(self) -> None:
        """Let everything take its course that happens by itself, from the moment requests are served."""
        self._begun = True
        for fault in self.faults.values():
            self._take_course(fault)

    def _take_course(self, fault: Fault) -> None:
        if self._begun and (course := _COURSES.get(fault.kind)):
            self._tasks.append(asyncio.create_task(course(fault)))

    def pester(self, line: str, seconds: float) -> None:
        """Let somebody outside write a line into the log again and again."""
        self._tasks.append(asyncio.create_task(_pester(line, seconds)))


async def _crash(fault: Fault) -> None:
    await asyncio.sleep(fault.seconds)
    for line in _TRACE:
        log.critical(line)
    os._exit(1)


_TRACE: Iterable[str] = (
    "Traceback (most recent call last):",
    '  File "work.py", line 88, in take',
    "KeyError: 'currency'",
    "work item 4711 cannot be handled; the process ends",
)


async def _leak(_: Fault) -> None:
    kept: list[bytearray] = []
    while len(kept) * (LEAK_BYTES // LEAK_STEPS) < MEMORY_LIMIT:
        await asyncio.sleep(1 / LEAK_STEPS)
        kept.append(bytearray(os.urandom(1024)) * (LEAK_BYTES // LEAK_STEPS // 1024))
    log.critical("out of memory: %d bytes are the limit", MEMORY_LIMIT)
    os._exit(KILLED)


_COURSES: Mapping[str, Callable[[Fault], Coroutine[None, None, None]]] = {"crash": _crash, "leak": _leak}


async def _pester(line: str, seconds: float) -> None:
    for _ in range(max(1, round(seconds / POISON_SECONDS))):
        log.error("cannot read the customer's note: %s", line)
        await asyncio.sleep(POISON_SECONDS)
