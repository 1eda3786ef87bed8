"""Every process the company has started, and what is done when one ends that nobody asked to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from sysop.demo.company import child
from sysop.demo.company.child import Child

Lost = Callable[[Child], None]
"""Told of a process that ended by itself."""

log = logging.getLogger("supervisor")


class Nursery:
    """Starts processes, listens to them, and stops them all."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: set[Child] = set()
        self._attending: set[asyncio.Task[None]] = set()

    async def start(
        self, name: str, module: str, arguments: Sequence[str], lost: Lost, pass_fds: Sequence[int] = ()
    ) -> Child:
        """Start a process; its log is named after it."""
        process = await child.start(name, module, arguments, self._logs / f"{name}.log", pass_fds)
        self._children.add(process)
        task = asyncio.create_task(self._attend(process, lost))
        self._attending.add(task)
        task.add_done_callback(self._attending.discard)
        return process

    async def stop(self) -> None:
        """Stop every process that still runs."""
        await asyncio.gather(*(process.stop() for process in list(self._children)))
        await asyncio.gather(*self._attending, return_exceptions=True)

    async def _attend(self, process: Child, lost: Lost) -> None:
        code = await process.listen()
        self._children.discard(process)
        if process.leaving:
            return
        log.error("%s (process %d) ended with code %d", process.name, process.process.pid, code)
        lost(process)
