"""Where deliveries are written down: all that have come meanwhile go into the inbox in one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sysop.store import inbox
from sysop.store.inbox import Letter
from sysop.store.store import Store
from sysop.store.writer import Tx

MOST = 64
PASSES = 8
"""So many passes of the event loop at most a batch waits for more: one delivery alone waits for a single one."""
CROWD = 8
FLOOD = 32
FLOOD_S = 0.2
"""So many deliveries within this time are more than can be worked on meanwhile."""


class _SomebodyLeft(Exception):
    """Whoever waited for one of these was told that it may not be kept: the transaction must not say otherwise."""


@dataclass(slots=True, eq=False)
class _Waiting:
    letter: Letter
    kept: asyncio.Future[bool]
    gone: bool = False

    def tell(self, found: bool | BaseException) -> None:
        if self.kept.done():
            return
        if isinstance(found, BaseException):
            self.kept.set_exception(found)
        else:
            self.kept.set_result(found)


class Letterbox:
    """One a process. A burst costs a transaction for each batch instead of one for each delivery."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Waiting] = deque()
        self._working: asyncio.Task[None] | None = None
        self._batch: Sequence[_Waiting] = ()
        self._write: asyncio.Future[list[tuple[_Waiting, bool]]] | None = None
        self._came: deque[float] = deque(maxlen=FLOOD)

    @property
    def flooded(self) -> bool:
        """Tell whether deliveries come as fast as they can be taken."""
        if sum(not one.gone for one in (*self._batch, *self._waiting)) >= CROWD:
            return True
        now = asyncio.get_running_loop().time()
        return len(self._came) == FLOOD and now - self._came[0] < FLOOD_S

    async def put(self, letter: Letter) -> bool:
        """Write a delivery down; False when it came before. Raises StoreError.

        Cancel it to give up: what still waits for the database then changes nothing any more.
        """
        loop = asyncio.get_running_loop()
        self._came.append(loop.time())
        mine = _Waiting(letter, loop.create_future())
        self._waiting.append(mine)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="slack letterbox")
        try:
            return await mine.kept
        finally:
            mine.gone = True
            if self._write is not None and all(one.gone for one in self._batch):
                self._write.cancel()  # a database that hangs would keep it, and those behind it, for long

    async def _work(self) -> None:
        while self._waiting:
            await self._gathered()
            await self._put([self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))])

    async def _gathered(self) -> None:
        """Wait while every pass of the event loop brings more.

        A batch of one or two at the start of a burst would keep the others waiting, now and in every round after it.
        """
        for _ in range(PASSES):
            before = len(self._waiting)
            await asyncio.sleep(0)
            if len(self._waiting) == before:
                return

    async def _put(self, batch: Sequence[_Waiting]) -> None:
        """Write a batch; one that the database does not take must not keep it from taking the others."""

        def unit(tx: Tx) -> list[tuple[_Waiting, bool]]:
            wanted = [one for one in batch if not one.gone]
            fresh = inbox.put_all(tx, [one.letter for one in wanted])
            if any(one.gone for one in wanted):
                raise _SomebodyLeft
            return list(zip(wanted, fresh, strict=True))

        if not all(one.gone for one in batch):
            self._batch = batch
            write = self._write = asyncio.ensure_future(self._store.write(unit))
            await asyncio.wait([write])
            if not write.cancelled():
                await self._tell(batch, write)

    async def _tell(self, batch: Sequence[_Waiting], write: asyncio.Future[list[tuple[_Waiting, bool]]]) -> None:
        failed = write.exception()
        if failed is None:
            for one, fresh in write.result():
                one.tell(fresh)
        elif isinstance(failed, _SomebodyLeft):
            await self._put([one for one in batch if not one.gone])
        elif len(batch) == 1:
            batch[0].tell(failed)
        else:
            for one in batch:
                await self._put([one])
