"""Asks a metric source again and again for the calls that traces have shown, and hands the topology on that follows."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from sysop.errors import CallError, SettingsError
from sysop.extension import MetricQuery, MetricSeries
from sysop.incidents.correlation import Topology
from sysop.incidents.observed import KEEP_S, WINDOW_S, Observed, Pair, pairs_of, question
from sysop.inventory import Inventory

EVERY_MS = 600_000

Ask = Callable[[MetricQuery], Awaitable[Sequence[MetricSeries]]]

log = logging.getLogger(__name__)


class Observing:
    """Call `tick` every second or so; it asks every ten minutes. `learnt` is told when edges have come or gone."""

    def __init__(
        self, inventory: Inventory, ask: Ask, learnt: Callable[[Topology], None], clock: Callable[[], int]
    ) -> None:
        self._inventory = inventory
        self._ask = ask
        self._learnt = learnt
        self._clock = clock
        self._observed = Observed()
        self._begun = False
        self._due = 0
        self._well = True

    async def tick(self) -> None:
        """Ask, if it is time; without an answer what was known stays good, and the log says so once."""
        now = self._clock()
        if now < self._due <= now + EVERY_MS:  # a clock that was set back does not stop it
            return
        self._due = now + EVERY_MS
        try:
            pairs = await self._pairs(now // 1000)
        except (CallError, SettingsError) as failed:
            if self._well:
                log.warning("who calls whom cannot be learnt from traces: %s; asked again every ten minutes", failed)
            self._well = False
            return
        self._well = self._begun = True
        before, self._observed = self._observed, self._observed.after(pairs, now)
        if before.seen.keys() != self._observed.seen.keys():
            self._learnt(self._observed.topology(self._inventory))

    async def _pairs(self, at: int) -> frozenset[Pair]:
        """Return who called whom lately, at first in all the time that is remembered: a restart forgets nothing."""
        if not self._begun:
            with suppress(CallError):  # a server may refuse to reckon over a whole day
                return await self._pairs_in(KEEP_S, at)
        return await self._pairs_in(WINDOW_S, at)

    async def _pairs_in(self, window_s: int, at: int) -> frozenset[Pair]:
        return pairs_of(await self._ask(MetricQuery(question(window_s), at, at, 60)))
