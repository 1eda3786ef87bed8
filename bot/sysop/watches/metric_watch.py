"""One metric watch: reads what is new, judges it, and says which findings opened or ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from sysop.errors import InvalidCall
from sysop.extension import MetricQuery, MetricSeries
from sysop.model import Alert
from sysop.sections import MetricWatchSettings
from sysop.watches import findings
from sysop.watches.grid import Grid, increases
from sysop.watches.methods import Methods
from sysop.watches.series import Seen, Series

MAX_SERIES = 100
MAX_POINTS = 1_000
"""Points of one series in one query: a hundred series stay far below what is read of an answer."""

LOOK_BACK_S = 3600
"""So far back samples are judged again after a restart, at least; a departure that began then gets its true start."""

Read = Callable[[MetricQuery], Awaitable[Sequence[MetricSeries]]]


class MetricWatch:
    """Holds the samples of a watch's series in memory: eight bytes each, at most `MAX_SERIES` series.

    After a restart the open findings come from the alerts that fire, and everything else from the samples, which are
    read again.
    """

    def __init__(self, settings: MetricWatchSettings, read: Read) -> None:
        self.settings = settings
        self._read = read
        self._methods = Methods.of(settings)
        rule = self._methods.rule
        self._back = max(LOOK_BACK_S // settings.every_seconds, 2 * (rule.lasts + rule.calm) + 2)
        self._series: dict[str, Series] = {}
        self._next: int | None = None

    @property
    def every_seconds(self) -> int:
        """Return how often to look."""
        return self.settings.every_seconds

    def is_mine(self, alert: Alert) -> bool:
        """Tell whether a finding is of this watch."""
        return alert.labels.get(findings.WATCH_LABEL) == self.settings.name

    async def keep(self) -> None:
        """Write nothing: all that is remembered can be read again."""

    def judges(self, now: float) -> bool:
        """Say yes: it looks only to judge."""
        return True

    async def look(self, now: float, firing: Mapping[str, Alert]) -> list[Alert]:
        """Judge what is new and return the findings that opened or ended.

        `firing` are the open findings of this watch by fingerprint. Raises CallError where the query cannot be
        answered; what it missed is read the next time.
        """
        end = int(now // self.settings.every_seconds) + 1
        begin, fresh = self._begin(end)
        if begin >= end:
            return []
        first = begin - self._methods.history if fresh else begin
        read = await read_series(self.settings, self._read, first, end)
        if fresh:
            self._series.clear()
        for part in read:
            self._series_of(part, first, firing).put(part.points)
        found = await self._judge(begin, end, fresh)
        self._next = end
        gone = [replace(alert, ends_at=end * self.settings.every_seconds * 1000) for alert in self._unknown(firing)]
        return found + gone

    def _begin(self, end: int) -> tuple[int, bool]:
        """Return the first slot to judge, and whether all before it has to be read, too.

        That is so at first, after a long pause, and when the clock was set back by more than a slot.
        """
        if self._next is not None and -1 <= end - self._next <= self._back:
            return self._next, False
        return end - self._back, True

    def _series_of(self, read: MetricSeries, first: int, firing: Mapping[str, Alert]) -> Series:
        key = findings.of_series(self.settings, read.labels)
        if key not in self._series:
            grid = Grid(self.settings.every_seconds, self._methods.history + self._back, first)
            self._series[key] = Series(read.labels, self._methods, grid, firing.get(key))
        return self._series[key]

    async def _judge(self, begin: int, end: int, fresh: bool) -> list[Alert]:
        found: list[Alert] = []
        for key, series in list(self._series.items()):
            series.grid.fill(end)
            before = series.alert
            changes = [alert for seen in series.walk(begin) if (alert := self._alert(series, seen))]
            found += _settled(changes, before, series.alert) if fresh else changes
            if series.alert is None and end - series.newest > self._methods.history:
                del self._series[key]
            await asyncio.sleep(0)  # others want the event loop, too
        return found

    def _alert(self, series: Series, seen: Seen) -> Alert | None:
        """Return what a sample changed: an alert that fires, or one that ends."""
        if seen.change is None:
            return None
        at = seen.change.slot * self.settings.every_seconds
        if seen.change.opened:
            values = series.grid.values
            recent = values[max(0, seen.place + 1 - findings.SHOWN) : seen.place + 1]
            words = findings.told(self.settings, seen.judgement, values[seen.place], recent)
            series.alert = findings.metric_alert(self.settings, series.labels, at, words)
            return series.alert
        ended, series.alert = series.alert, None
        return ended and replace(ended, ends_at=max(at * 1000, ended.starts_at))

    def _unknown(self, firing: Mapping[str, Alert]) -> Iterator[Alert]:
        """Yield findings of series that have given no sample for longer than anything is remembered."""
        for key, alert in firing.items():
            if key not in self._series:
                yield alert


def _settled(changes: Sequence[Alert], before: Alert | None, after: Alert | None) -> list[Alert]:
    """Return what is left to tell of samples that were judged again: what came and went among them was told then."""
    ended = [one for one in changes if before and not one.firing and one.starts_at == before.starts_at]
    return ended + ([after] if after is not None and after is not before else [])


async def read_series(watch: MetricWatchSettings, read: Read, begin: int, end: int) -> list[MetricSeries]:
    """Return every series from one slot to before another, in as many queries as it takes. Raises CallError."""
    step, whole = watch.every_seconds, dict[str, MetricSeries]()
    begin -= 1 if watch.counter else 0
    for first in range(begin, end, MAX_POINTS):
        last = min(first + MAX_POINTS, end) - 1
        for part in await read(MetricQuery(watch.query, first * step, last * step, step)):
            key = findings.of_series(watch, part.labels)
            known = whole.get(key, MetricSeries(part.labels, ()))
            asked_for = [point for point in part.points if first * step <= point[0] <= last * step]
            whole[key] = replace(known, points=(*known.points, *asked_for))
        if len(whole) > MAX_SERIES:
            raise InvalidCall(f"query: gives {len(whole)} series, at most {MAX_SERIES} are watched; aggregate it")
    if not watch.counter:
        return list(whole.values())
    return [replace(one, points=increases(one.points)) for one in whole.values()]
