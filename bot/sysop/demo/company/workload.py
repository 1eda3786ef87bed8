"""One service of the company as a whole: how many replicas of which release there should be, and those there are."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from sysop.demo.company.child import ChildFailed
from sysop.demo.company.releases import Fault, Release
from sysop.demo.company.replica import Keeper, Replica, Spawn, Template, ill

ROLLOUT_SECONDS = 10.0
"""How long a deploy waits for its rollout."""

LOOK_SECONDS = 0.02
JUDGED_SECONDS = 5.0


class RolloutHangs(ChildFailed):
    """New replicas did not become ready in time; what served before still does."""


@dataclass(frozen=True)
class Fares:
    """How a service answered over the last seconds. None while it answered nothing."""

    success_ratio: float | None
    latency_seconds: float | None


class Workload:
    """Brings what there is to what there should be, without losing a request. `changed` is told of every move."""

    def __init__(self, name: str, release: Release, spawn: Spawn, changed: Callable[[], None]) -> None:
        self.name = name
        self.template = Template(release)
        self.wanted = 1
        self.replicas: list[Replica] = []
        self.restarts = 0
        self.rollout_began: float | None = None
        self.keeper = Keeper(name, spawn, self._moved)
        self._changed = changed
        self._news = asyncio.Event()
        self._counted: deque[tuple[float, dict[str, tuple[float, float, float]]]] = deque()
        self._gone_restarts = 0

    async def tend(self) -> None:
        """Go on until cancelled."""
        self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            await self._settle()

    @property
    def live(self) -> Release:
        """Return the release that answers: the wanted one as soon as a replica of it is ready."""
        ready = [replica for replica in self.replicas if replica.ready]
        ready.sort(key=self._fits)
        return ready[-1].template.release if ready else self.template.release

    @property
    def ready(self) -> int:
        """Return how many replicas serve."""
        return sum(replica.ready for replica in self.replicas)

    @property
    def complete(self) -> bool:
        """Say whether there is exactly what there should be."""
        fresh = [replica for replica in self.replicas if self._fits(replica)]
        return len(fresh) == len(self.replicas) == self.wanted and all(replica.ready for replica in fresh)

    @property
    def rollout_seconds(self) -> float:
        """Return for how long a rollout has been under way, 0 while none is."""
        return 0.0 if self.rollout_began is None else time.monotonic() - self.rollout_began

    async def roll_out(self, release: Release) -> None:
        """Replace every replica by one of a release. Raises RolloutHangs; then the rollout goes on by itself."""
        self.release(release)
        await self._completed(release)

    def release(self, release: Release) -> None:
        """Let every replica be replaced by one of a release."""
        self.want(replace(self.template, release=release))

    def want(self, template: Template | None = None, replicas: int | None = None) -> None:
        """Say what there should be from now on."""
        if template is not None and template != self.template:
            self.template, self.rollout_began = template, time.monotonic()
        self.wanted = self.wanted if replicas is None else replicas
        self._news.set()

    def restart(self) -> None:
        """Let every replica be replaced by a new one of the same release."""
        self.want(replace(self.template, generation=self.template.generation + 1))

    def afflict(self, culprit: str, fault: Fault | None) -> None:
        """Let something be wrong with every replica there is and will be; None when it no longer is."""
        self.keeper.illness.pop(culprit, None)
        if fault is not None:
            self.keeper.illness[culprit] = fault
        self.tell(ill(culprit, fault))

    def tell(self, text: str) -> None:
        """Send a command to every process there is."""
        for replica in self.replicas:
            replica.tell(text)

    def fares(self) -> Fares:
        """Return how the service answered lately, by its own count."""
        now = time.monotonic()
        counts = {
            f"{replica.name} {replica.restarts}": (told["answered"], told["failed"], told["seconds"])
            for replica in self.replicas
            if (told := replica.vitals)
        }
        self._counted.append((now, counts))
        while len(self._counted) > 1 and self._counted[1][0] <= now - JUDGED_SECONDS:
            self._counted.popleft()
        before = self._counted[0][1]
        zero = (0.0, 0.0, 0.0)
        grown = [
            tuple(new - old for new, old in zip(values, before.get(key, zero), strict=True))
            for key, values in counts.items()
        ]
        answered, failed, seconds = (sum(column) for column in zip(*grown, strict=True)) if grown else zero
        if not answered:
            return Fares(None, None)
        return Fares(round(1 - failed / answered, 4), round(seconds / answered, 4))

    async def close(self) -> None:
        """Stop bringing anything up."""
        await self.keeper.close()

    def _fits(self, replica: Replica) -> bool:
        return replica.template == self.template

    def _moved(self) -> None:
        self.restarts = self._gone_restarts + sum(replica.restarts for replica in self.replicas)
        self._news.set()
        self._changed()

    async def _settle(self) -> None:
        fresh = [replica for replica in self.replicas if self._fits(replica)]
        self.replicas += [self.keeper.launch(self.template) for _ in range(self.wanted - len(fresh))]
        if sum(replica.ready for replica in fresh) < self.wanted:
            return
        fresh.sort(key=lambda replica: not replica.ready)
        surplus = [replica for replica in self.replicas if not self._fits(replica)] + fresh[self.wanted :]
        self.rollout_began = None
        for replica in surplus:
            replica.leaving = True
        self._changed()
        await asyncio.gather(*(self.keeper.retire(replica) for replica in surplus))
        self.replicas = [replica for replica in self.replicas if replica not in surplus]
        self._gone_restarts += sum(replica.restarts for replica in surplus)
        if surplus:
            self._changed()

    async def _completed(self, release: Release) -> None:
        what = f"{self.name} {release.version}"
        try:
            async with asyncio.timeout(ROLLOUT_SECONDS):
                while not (self.complete and self.rollout_began is None):
                    if self.template.release != release:
                        raise RolloutHangs(f"{what} was replaced by {self.template.release.version} before it was live")
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as late:
            raise RolloutHangs(
                f"{what} did not become ready within {ROLLOUT_SECONDS:.0f} s; "
                f"the rollout goes on, {self.live.version} still serves"
            ) from late
