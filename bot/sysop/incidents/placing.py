"""The duty of placing alerts: feeds what was taken in to correlation, in one process at a time, and writes down what
it finds. What correlation knows is kept in memory, and read again from the database by whoever takes the duty over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial

from sysop.errors import LeaseLost, StoreError
from sysop.incidents import changed
from sysop.incidents.correlation import Correction, Correlator, Knobs, Learnt, Topology
from sysop.incidents.learning import Learning
from sysop.incidents.memory import Memory
from sysop.incidents.placements import Explained, Found, Placements
from sysop.model import Alert, Incident, new_id
from sysop.sections import CorrelationSettings
from sysop.store import alerts, changes, corrections, leases
from sysop.store import incidents as rows
from sysop.store.alerts import Key, Placed, key_of
from sysop.store.store import Store
from sysop.store.writer import Tx

DUTY = "placing alerts"
LEASE_MS = 15_000
POLL_S = 1.0
RENEW_S = 5.0
AT_ONCE = 100
READ_ANEW = 20_000
MOST_CHANGES = 2000
LOOK_BACK_MS = 26 * 3_600_000
"""Longer than correlation minds how late an alert comes."""

log = logging.getLogger(__name__)

Build = Callable[[Sequence[Correction], Sequence[Learnt]], Correlator]
"""Returns an empty correlator that knows what people, and the past, taught."""


def correlators(topology: Topology, settings: CorrelationSettings) -> Build:
    """Return what builds a correlator for this topology with these settings."""
    knobs = Knobs(**settings.model_dump())
    return lambda corrections, learnt: Correlator(topology, knobs, corrections, learnt)


class Placing:
    """Runs beside the webhooks; call `wake` when alerts came. Several replicas may run it: one holds the duty."""

    def __init__(self, store: Store, build: Build, placements: Placements, worker: str) -> None:
        self._store = store
        self._build = build
        self._placements = placements
        self._worker = worker
        self._woken = asyncio.Event()
        self._placing = asyncio.Lock()
        self._memory: Memory | None = None
        self._fence: int | None = None
        self._renewed = 0.0
        self._changed = False
        self._corrections = 0
        self._learning = Learning(store)

    def wake(self) -> None:
        """Place what waits without delay."""
        self._woken.set()

    def rebuild(self, build: Build) -> None:
        """Go by another topology from the next alerts on; where alerts are already they stay."""
        self._build = build
        self._changed = True

    async def tick(self) -> None:
        """Place alerts as they come, for ever. Raises StoreError when the database does; then call it again."""
        if self._store.embedded:  # one process at a time runs such a database: whoever had the duty before is dead
            await self._store.write(lambda tx: leases.free(tx, DUTY))
        while True:
            while await self.place():
                pass
            await self._renew()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()

    async def place(self) -> int:
        """Place some of the alerts that wait, if this process has the duty; return how many there were."""
        async with self._placing:
            self._woken.clear()
            mine = self._fence is not None
            waiting = await self._waiting()
            if waiting and not mine and await self._on_duty():
                mine, waiting = True, await self._waiting()  # whoever had the duty may have placed them in between
            if not waiting or not mine:
                await self._hear_of_changes()
                return 0
            try:
                found = await self._found(waiting)
                await self._store.write(partial(self._write, found=found))
            except LeaseLost:
                self._forget()
                return 0
            except BaseException:
                self._forget()  # correlation has thought further than what is written down
                raise
            return len(waiting)

    async def _waiting(self) -> list[Placed]:
        return await self._store.read(partial(alerts.waiting, limit=AT_ONCE))

    async def _found(self, waiting: Sequence[Placed]) -> Found:
        """Return what correlation makes of alerts. Should it fail, which is a fault of ours, nobody goes unheard."""
        try:
            memory = await self._remembered(waiting)
            await self._look_at_changes(memory)
            return await asyncio.to_thread(memory.fold, waiting)
        except StoreError:
            raise
        except Exception:  # a fault in correlation must not keep every later alert from people
            reference = new_id("err")
            log.exception("correlation failed; alerts are put together by service alone, reference %s", reference)
            self._memory = None
            return _by_service(waiting, await self._store.read(rows.unresolved), reference)

    async def stop(self) -> None:
        """Let go of the duty, so that the next one need not wait."""
        fence, self._fence = self._fence, None
        self._memory = None
        if fence is not None:
            with contextlib.suppress(StoreError):
                await self._store.write(lambda tx: leases.drop(tx, DUTY, fence))

    async def _renew(self) -> None:
        """Keep the duty while there is nothing to do, or replicas would take it in turn and each read all again."""
        fence, now = self._fence, asyncio.get_running_loop().time()
        if fence is None or self._store.embedded or now < self._renewed + RENEW_S:
            return
        self._renewed = now
        try:
            await self._store.write(lambda tx: leases.hold(tx, DUTY, fence, LEASE_MS))
        except LeaseLost:
            self._forget()

    async def _on_duty(self) -> bool:
        self._fence = await self._store.write(lambda tx: leases.take(tx, DUTY, self._worker, LEASE_MS))
        return self._fence is not None

    async def _remembered(self, waiting: Sequence[Placed]) -> Memory:
        known = await self._store.read(corrections.count)
        if await self._learning.again(max(one.received_at for one in waiting)):
            self._changed = True
        if self._memory is None or self._memory.full or self._changed or known != self._corrections:
            self._changed = False
            said = await self._store.read(corrections.listed)
            taught = [Correction(at / 1000, one, other, together) for at, one, other, together in said]
            since = min(waiting[0].alert.starts_at, await self._store.now()) - LOOK_BACK_MS
            old = await self._store.read(partial(alerts.placed_since, since=since, limit=READ_ANEW))
            self._memory = await asyncio.to_thread(Memory.of, self._build(taught, self._learning.learnt), old)
            self._corrections = known
        return self._memory

    async def _look_at_changes(self, memory: Memory) -> None:
        """Have correlation know what was changed lately; read again only where that is not what it was."""
        mark = await self._store.read(changes.mark)
        if mark != memory.mark:
            now = await self._store.now()
            since = now - LOOK_BACK_MS
            known = partial(changes.between, since=since, until=now, limit=MOST_CHANGES)
            found = changed.for_correlation(await self._store.read(known))
            await asyncio.to_thread(memory.hear, found, since / 1000)
            memory.mark = mark

    async def _hear_of_changes(self) -> None:
        """Tell anew where incidents began that may be due to changes of which word came only after their alerts."""
        memory = self._memory
        if memory is None or self._fence is None:
            return
        await self._look_at_changes(memory)
        found = await asyncio.to_thread(memory.doubted)
        if found is None:
            return
        try:
            await self._store.write(partial(self._write_origins, found=found))
        except LeaseLost:
            self._forget()
        except StoreError:
            memory.doubt(found.groups)
            raise

    def _write(self, tx: Tx, found: Found) -> None:
        self._hold(tx)
        self._placements.write(tx, found)

    def _write_origins(self, tx: Tx, found: Found) -> None:
        self._hold(tx)
        self._placements.write_origins(tx, found)

    def _hold(self, tx: Tx) -> None:
        rows.lock(tx)
        assert self._fence is not None
        leases.hold(tx, DUTY, self._fence, LEASE_MS)

    def _forget(self) -> None:
        self._memory = None
        self._fence = None


def _by_service(waiting: Sequence[Placed], live: Sequence[Incident], reference: str) -> Found:
    reason = f"same service; correlation failed, reference {reference}"
    moved = {one.key: Explained(_service_of(one.alert), reason) for one in waiting}
    groups: dict[str, list[Key]] = {str(one.group): [] for one in moved.values()}
    for incident in live:  # the earliest that is about this service alone takes the alert in
        services = {_service_of(alert) for alert in incident.alerts}
        if len(services) == 1 and groups.get(name := services.pop()) == []:
            groups[name].append(key_of(incident.alerts[0]))
    for key, explained in moved.items():
        groups[str(explained.group)].append(key)
    return Found(moved, groups)


def _service_of(alert: Alert) -> str:
    return alert.service or alert.name
