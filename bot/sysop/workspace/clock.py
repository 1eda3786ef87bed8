"""The workspace's time: it can be sped up and moved on, so that an hour is a test of a millisecond."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any


class Clock:
    """Two readings of one time.

    `now` is what the workspace believes: it runs at `scale` and jumps by what it is advanced. `steady` measures an
    app's own time to answer: it jumps too, but no scale above or below one changes it, so a fast clock never makes a
    good app late.
    """

    def __init__(self, start: float | None = None, scale: float = 1.0) -> None:
        self._base = time.time() if start is None else start
        self._since = time.monotonic()
        self._scale = scale
        self._jumped = 0.0
        self._changed = asyncio.Event()

    @property
    def scale(self) -> float:
        """Return how many seconds pass in one."""
        return self._scale

    def now(self) -> float:
        """Return the workspace's time in seconds since the epoch."""
        return self._base + (time.monotonic() - self._since) * self._scale

    def steady(self) -> float:
        """Return seconds that only real time and `advance` move."""
        return time.monotonic() + self._jumped

    def advance(self, seconds: float) -> None:
        """Move both readings on and wake whoever waited for less."""
        self._rebase(self._scale)
        self._base += seconds
        self._jumped += seconds
        self._wake()

    def rescale(self, scale: float) -> None:
        """Run at another speed from now on; zero stands still until advanced."""
        self._rebase(scale)
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Wait until `now` has moved on by this much."""
        end = self.now() + seconds
        await self._until(lambda: end - self.now(), lambda: self._scale)

    async def sleep_steady(self, seconds: float) -> None:
        """Wait until `steady` has moved on by this much."""
        end = self.steady() + seconds
        await self._until(lambda: end - self.steady(), lambda: 1.0)

    async def wait_for(self, done: asyncio.Future[Any], seconds: float) -> bool:
        """Tell whether a future is done within so many steady seconds; it is left alone when it is not."""
        patience = asyncio.ensure_future(self.sleep_steady(seconds))
        try:
            await asyncio.wait({done, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        return done.done()

    def _rebase(self, scale: float) -> None:
        self._base, self._since, self._scale = self.now(), time.monotonic(), scale

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _until(self, left: Callable[[], float], pace: Callable[[], float]) -> None:
        while (seconds := left()) > 0:
            changed, speed = self._changed, pace()
            waits = asyncio.ensure_future(changed.wait())
            try:
                await asyncio.wait({waits}, timeout=seconds / speed if speed else None)
            finally:
                waits.cancel()
