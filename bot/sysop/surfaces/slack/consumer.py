"""Works on what intake wrote down: claims it, dispatches it through Bolt as a replay, and keeps at it after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sysop.errors import StoreError
from sysop.store import inbox
from sysop.store.inbox import Delivery
from sysop.store.store import Store
from sysop.store.writer import Tx

ATTEMPTS = 6
BACK_OFF_MS = 500
"""Before the second attempt; twice as long before each further one."""
POLL_S = 0.5
GIVE_WAY_S = 1.0
"""So long work waits while deliveries pour in: they must be acknowledged within seconds, it need not be done."""
WORK_S = 45.0
"""Shorter than a claim lasts, so that two processes never work on the same delivery."""
DRAIN_S = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a delivery: `handled`, for `nobody`, or `failed` with what the log knows it by."""

    state: str
    error: str = ""


Dispatch = Callable[[Delivery], Awaitable[Result]]
GiveUp = Callable[[Delivery, str], Awaitable[None]]
"""Tells whoever waits that their delivery was given up; a repeat of it must do no harm."""


class Consumer:
    """One a process; several processes share an inbox. Deliveries of one thread are worked on one after another.

    `alone` says that no other process shares it: then whatever is being worked on at the start is nobody's.
    """

    def __init__(
        self,
        store: Store,
        dispatch: Dispatch,
        give_up: GiveUp,
        worker: str,
        *,
        flooded: Callable[[], bool] = lambda: False,
        concurrency: int = 8,
        back_off_ms: int = BACK_OFF_MS,
        alone: bool = False,
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._give_up = give_up
        self._worker = worker
        self._flooded = flooded
        self._concurrency = concurrency
        self._back_off_ms = back_off_ms
        self._alone = alone
        self._wake = asyncio.Event()
        self._stopping = False
        self._working: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Look at the inbox now."""
        self._wake.set()

    async def start(self) -> None:
        """Begin."""
        if self._alone and (left := await self._store.write(inbox.left_over)):
            log.info("took up %d deliveries of a process that died", left)
        self._loop = asyncio.create_task(self._run(), name="slack inbox")

    async def stop(self) -> None:
        """Begin nothing new and finish what is being worked on; the rest waits in the inbox."""
        self._stopping = True
        self._wake.set()
        if self._loop is not None:
            await self._loop
        if self._working:
            await asyncio.wait(self._working.values(), timeout=DRAIN_S)
        left = list(self._working.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            await self._give_way()
            try:
                more = await self._take()
            except StoreError as away:
                log.warning("the inbox cannot be read: %s", away)
                more = False
            if not more:
                with contextlib.suppress(TimeoutError):  # `wait_for` may swallow a cancellation on Python 3.11
                    async with asyncio.timeout(POLL_S):
                        await self._wake.wait()

    async def _give_way(self) -> None:
        end = time.monotonic() + GIVE_WAY_S
        while self._flooded() and time.monotonic() < end and not self._stopping:
            await asyncio.sleep(0.02)

    async def _take(self) -> bool:
        """Begin what is due, as far as there is room; True while there may be more at hand.

        Of each thread that is one delivery at most: what waits for its thread keeps no place, and its claim cannot
        run out.
        """
        room = self._concurrency - len(self._working)
        if room <= 0:
            return False
        due = await self._store.read(lambda conn: inbox.due(conn, room))
        keys = [key for key in due if key not in self._working]
        if not keys:
            return False

        def unit(tx: Tx) -> list[Delivery]:
            return [claimed for key in keys if (claimed := inbox.claim(tx, key, self._worker)) is not None]

        for delivery in await self._store.write(unit):
            self._begin(delivery)
        return len(keys) == room

    def _begin(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._one(delivery), name=f"slack {delivery.key}")
        self._working[delivery.key] = task

        def done(_task: asyncio.Task[None]) -> None:
            self._working.pop(delivery.key, None)
            self._wake.set()

        task.add_done_callback(done)

    async def _one(self, delivery: Delivery) -> None:
        if delivery.attempts > ATTEMPTS:
            await self._settled(delivery, Result("failed", "it was begun and never finished, again and again"))
            return
        try:
            async with asyncio.timeout(WORK_S):
                result = await self._dispatch(delivery)
        except TimeoutError:
            log.exception("delivery %s was not worked on in time", delivery.key)
            result = Result("failed", "it took too long")
        await self._settled(delivery, result)

    async def _settled(self, delivery: Delivery, result: Result) -> None:
        try:
            await self._settle(delivery, result)
        except StoreError as away:  # the claim runs out and somebody takes it up again
            log.warning("what became of delivery %s was not written down: %s", delivery.key, away)

    async def _settle(self, delivery: Delivery, result: Result) -> None:
        key = delivery.key
        if result.state == "handled":
            await self._store.write(lambda tx: inbox.finish(tx, key))
        elif result.state == "nobody":
            await self._store.write(lambda tx: inbox.bury(tx, key, "nobody listens for this"))
        elif delivery.attempts >= ATTEMPTS:
            await self._give_up(delivery, result.error)
            await self._store.write(lambda tx: inbox.bury(tx, key, result.error))
        else:
            wait = self._back_off_ms * 2 ** (delivery.attempts - 1)
            await self._store.write(lambda tx: inbox.retry(tx, key, result.error, tx.now() + wait))
