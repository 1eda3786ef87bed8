"""All watches of one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sysop.extension import MetricQuery, MetricSeries
from sysop.model import Alert
from sysop.sections import LogWatchSettings, WatchSettings
from sysop.watches.findings import WATCH_LABEL
from sysop.watches.logs.log_watch import LogWatch
from sysop.watches.metric_watch import MetricWatch
from sysop.watches.turns import AT_ONCE, Firing, Take, Turn

FOLDER = "watches"

Ask = Callable[[str, MetricQuery], Awaitable[Sequence[MetricSeries]]]
"""Has a metric source, by its name, answer a query. Raises CallError or SettingsError."""


def state_file(state: Path, watch: LogWatchSettings) -> Path:
    """Return where a log watch keeps what it knows, below the state folder."""
    return state / FOLDER / f"{watch.name}.json"


class Watches:
    """Call each of `ticks` every second or so; close it. Findings go where alerts are taken in.

    `state` is the state folder, `known` gives credentials that must not stand in an alert, and `clock` the time in
    seconds since the epoch.
    """

    def __init__(
        self,
        settings: WatchSettings,
        ask: Ask,
        firing: Firing,
        take: Take,
        state: Path,
        clock: Callable[[], float],
        known: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._firing = firing
        self._take = take
        self._clock = clock
        self._logs = [LogWatch(watch, state_file(state, watch), clock, known) for watch in settings.logs]
        self._names = {*(watch.name for watch in settings.metrics), *(watch.name for watch in settings.logs)}
        places: defaultdict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, AT_ONCE))
        self._turns = [
            *(self._turn(MetricWatch(one, partial(ask, one.source)), places[one.source]) for one in settings.metrics),
            *(self._turn(watch, asyncio.Semaphore()) for watch in self._logs),
        ]
        self._cleared = False

    @property
    def ticks(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """Return what to call again and again, one for each watch: a slow query holds up no other."""
        return (self.clear, *(turn.tick for turn in self._turns))

    async def clear(self) -> None:
        """End, once, what watches found that are no more."""
        if not self._cleared:
            await self._end_nobodys()
            self._cleared = True

    def close(self) -> None:
        """Close the files that are followed."""
        for watch in self._logs:
            watch.close()

    def _turn(self, watch: MetricWatch | LogWatch, places: asyncio.Semaphore) -> Turn:
        return Turn(watch.settings.name, watch, self._firing, self._take, self._clock, places)

    async def _end_nobodys(self) -> None:
        now = int(self._clock() * 1000)
        left: list[Alert] = [one for one in await self._firing() if one.labels.get(WATCH_LABEL) not in self._names]
        if left:
            await self._take([replace(alert, ends_at=max(now, alert.starts_at)) for alert in left])
