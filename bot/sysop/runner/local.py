"""The in-process runner: advances every due run, and wakes within 100 ms of what another process wrote."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from sysop.errors import StoreError, StoreUnavailable
from sysop.runner.lock import RunnerLock
from sysop.store import approvals, runs
from sysop.store.engine import sqlite_file
from sysop.store.store import Store

POLL_S = 0.1
TICK_S = 1.0
TIDY_S = 3600.0
DRAIN_S = 25.0

log = logging.getLogger(__name__)

Tick = Callable[[], Awaitable[None]]


class LocalRunner:
    """Start it once per process. On SQLite it holds the runner's lock file; on PostgreSQL several may run."""

    def __init__(
        self,
        store: Store,
        advance: Callable[[str], Awaitable[None]],
        worker: str,
        *,
        concurrency: int = 8,
        ticks: Sequence[Tick] = (),
    ) -> None:
        self._store = store
        self._advance = advance
        self._worker = worker
        self._name: AsyncConnection | None = None
        self._concurrency = concurrency
        self._ticks = ticks
        self._lock = RunnerLock(sqlite_file(store.url)) if store.embedded else None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._loops: list[asyncio.Task[None]] = []

    def take(self) -> None:
        """Become the runner of this database. Raises StoreUnavailable naming the process that is."""
        if self._lock is not None and not self._lock.take():
            raise StoreUnavailable(f"process {self._lock.holder()} runs this database already; stop it first")

    def holder(self) -> int | None:
        """Return the process that is the runner of an SQLite database, None if there is none."""
        return self._lock.holder() if self._lock else None

    async def start(self) -> None:
        """Take up every run a killed process left, and begin. Call `take` first."""
        await self._take_over()
        self._loops = [asyncio.create_task(self._loop()), asyncio.create_task(self._watch())]
        ticks = self._ticks if self._store.embedded else [*self._ticks, self._take_over]
        self._loops.extend(asyncio.create_task(self._again_and_again(tick, TICK_S)) for tick in ticks)
        self._loops.append(asyncio.create_task(self._again_and_again(self._tidy, TIDY_S)))

    async def _take_over(self) -> None:
        self._name = await self._store.claim_name(self._worker, self._name)
        left = await self._store.write(runs.release_all if self._lock is not None else runs.release_dead)
        if left:
            log.info("took up %d runs of a process that died", len(left))
            self._wake.set()

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Begin nothing new, let what runs finish or park within 25 s or until `hurry`, let go of the rest as it is.

        This process is the runner until `release`: others of its parts may still have something to write.
        """
        self._stopping = True
        self._wake.set()
        if self._tasks:
            await self._drain(hurry or asyncio.Event())
        for task in (*self._tasks.values(), *self._loops):
            task.cancel()
        left = list(self._tasks)
        await asyncio.gather(*self._tasks.values(), *self._loops, return_exceptions=True)
        for run in left:  # cut off by us: no crash, and free for whoever comes next
            await self._let_go(run)

    async def release(self) -> None:
        """Stop being the runner."""
        if self._lock is not None:
            self._lock.release()
        name, self._name = self._name, None
        if name is not None:
            await self._store.drop_name(name)

    async def _drain(self, hurry: asyncio.Event) -> None:
        hurried = asyncio.create_task(hurry.wait())
        drained = asyncio.create_task(asyncio.wait(self._tasks.values(), timeout=DRAIN_S))
        await asyncio.wait({hurried, drained}, return_when=asyncio.FIRST_COMPLETED)
        for waiter in (hurried, drained):  # the runs themselves go on
            waiter.cancel()
        await asyncio.gather(hurried, drained, return_exceptions=True)

    async def _loop(self) -> None:
        while not self._stopping:
            self._wake.clear()
            timeout = 5.0
            try:
                ids, next_due = await self._store.read(runs.due)
                self._begin(ids)
                if next_due is not None:
                    timeout = min(timeout, max(0.01, (next_due - await self._store.now()) / 1000))
            except StoreError:
                log.exception("the runner cannot read the database")
                timeout = 1.0
            if not self._store.embedded:
                timeout = min(timeout, POLL_S * 2)
            with contextlib.suppress(TimeoutError):  # `wait_for` may swallow a cancellation on Python 3.11
                async with asyncio.timeout(timeout):
                    await self._wake.wait()

    def _begin(self, ids: Sequence[str]) -> None:
        for run in ids:
            if run in self._tasks or len(self._tasks) >= self._concurrency or self._stopping:
                continue
            task = asyncio.create_task(self._one(run), name=f"advance {run}")
            self._tasks[run] = task

    async def _one(self, run: str) -> None:
        try:
            await self._advance(run)
        except StoreError:
            log.exception("run %s could not go on; it is tried again", run)
            await asyncio.sleep(1.0)
            await self._let_go(run)
        finally:
            self._tasks.pop(run, None)
            self._wake.set()

    async def _let_go(self, run: str) -> None:
        try:
            await self._store.write(lambda tx: runs.requeue(tx, run, self._worker))
        except StoreError:
            log.warning("run %s could not be let go of; it is free when its lease is over", run, exc_info=True)

    async def _watch(self) -> None:
        """See other processes' commits: SQLite's data_version costs microseconds to read."""
        if not self._store.embedded:
            return
        connection = sqlite3.connect(sqlite_file(self._store.url), check_same_thread=False)
        try:
            seen = None
            while True:
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != seen:
                    seen = version
                    self._wake.set()
                await asyncio.sleep(POLL_S)
        finally:
            connection.close()

    async def _tidy(self) -> None:
        while await self._store.write(approvals.forget_deliveries):
            await asyncio.sleep(0)

    async def _again_and_again(self, tick: Tick, every_s: float) -> None:
        while True:
            try:
                await tick()
            except Exception:  # whatever one round met, the duty itself must not end with it
                log.exception("a periodic duty could not be done; it is tried again")
            await asyncio.sleep(every_s)
