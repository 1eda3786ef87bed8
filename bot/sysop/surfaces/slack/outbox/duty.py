"""The duty to send: one process has it at a time, and stops at once when it cannot prove any more that it has."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sysop.errors import LeaseLost, StoreError
from sysop.store import leases
from sysop.store.store import Store
from sysop.store.writer import Tx

T = TypeVar("T")
NAME: Final = "slack.outbox"

log = logging.getLogger(__name__)


class Duty:
    """A lease, as this process sees it."""

    def __init__(self, store: Store, worker: str, ttl_ms: int) -> None:
        self._store = store
        self._worker = worker
        self._ttl_ms = ttl_ms
        self._fence = 0
        self._until = float("-inf")

    async def take(self) -> bool:
        """Take the duty if nobody else has it."""
        began = time.monotonic()
        fence = await self._store.write(lambda tx: leases.take(tx, NAME, self._worker, self._ttl_ms))
        if fence is None:
            return False
        self._fence = fence
        self._until = began + self._ttl_ms / 1000
        return True

    def check(self) -> None:
        """Raise LeaseLost unless the duty is surely ours: asked right before each call to Slack."""
        if time.monotonic() >= self._until:
            raise LeaseLost("the duty to send was not renewed in time")

    async def write(self, unit: Callable[[Tx], T]) -> T:
        """Run a unit that only the holder may run. Raises LeaseLost, or StoreError."""
        began = time.monotonic()

        def fenced(tx: Tx) -> T:
            leases.hold(tx, NAME, self._fence, self._ttl_ms)
            return unit(tx)

        done = await self._store.write(fenced)
        self._until = max(self._until, began + self._ttl_ms / 1000)
        return done

    async def beat(self) -> None:
        """Renew the duty until it is lost; then raise LeaseLost."""
        while True:
            await asyncio.sleep(self._ttl_ms / 3000)
            try:
                await self.write(lambda _tx: None)
            except StoreError:
                log.warning("the duty to send could not be renewed", exc_info=True)
            self.check()

    async def drop(self) -> None:
        """Let go, so that the next one need not wait."""
        self._until = float("-inf")
        try:
            await self._store.write(lambda tx: leases.drop(tx, NAME, self._fence))
        except StoreError:
            log.warning("the duty to send could not be let go of; it is free when its lease is over", exc_info=True)
