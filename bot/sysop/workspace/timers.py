"""Things that happen later, on the workspace's clock, and all work that runs on its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sysop.workspace.clock import Clock

log = logging.getLogger("sysop.workspace")


class Timers:
    """Owns every coroutine the workspace starts, so that stopping it leaves none behind."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine beside everything else."""
        running = asyncio.get_running_loop().create_task(work)
        self._running.add(running)
        running.add_done_callback(self._ended)
        return running

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something when so much of the workspace's time has passed."""
        self.start(self._later(seconds, act))

    async def _later(self, seconds: float, act: Callable[[], object]) -> None:
        await self._clock.sleep(seconds)
        act()

    def _ended(self, ended: asyncio.Task[Any]) -> None:
        self._running.discard(ended)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.error("the workspace failed in the background", exc_info=error)

    async def stop(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        running = list(self._running)
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
