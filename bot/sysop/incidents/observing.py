"""Asks a metric source again and again for the calls that traces have shown, and hands the topology on that follows."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from sysop.errors import ActionFailed, CallError, SettingsError
from sysop.extension import MetricQuery, MetricSeries
from sysop.incidents.correlation import Topology
from sysop.incidents.observed import MAX_EDGES, Edge, Observed, question, summed
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
        self._due = 0
        self._well = True

    async def tick(self) -> None:
        """Ask, if it is time; without an answer what was known stays good, and the log says so once."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + EVERY_MS
        at = now // 1000
        try:
            edges = edges_of(await self._ask(MetricQuery(question(), at, at, 60)))
        except (CallError, SettingsError) as failed:
            if self._well:
                log.warning("who calls whom cannot be learnt from traces: %s; asked again every ten minutes", failed)
            self._well = False
            return
        self._well = True
        before, self._observed = self._observed, self._observed.after(edges, now)
        if before.edges.keys() != self._observed.edges.keys():
            self._learnt(self._observed.topology(self._inventory))


def edges_of(series: Sequence[MetricSeries]) -> tuple[Edge, ...]:
    """Return the edges that the newest value of each series tells of. Raises ActionFailed for too many to be true."""
    if len(series) > MAX_EDGES:
        raise ActionFailed(f"{len(series)} edges, at most {MAX_EDGES} are read")
    return summed((one.labels, one.points[-1][1] if one.points else 0.0) for one in series)
