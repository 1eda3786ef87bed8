"""One metric watch: reads what is new, judges it, and says which findings opened or ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sysop.extension import MetricSeries
from sysop.model import Alert
from sysop.sections import MetricWatchSettings
from sysop.watches import findings
from sysop.watches.grid import Grid
from sysop.watches.methods import Methods
from sysop.watches.reading import MAX_SERIES, Read, read_series, slot_of
from sysop.watches.series import Seen, Series

LOOK_BACK_S = 3600
"""So far back samples are judged again after a restart, at least; a departure that began then gets its true start."""


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
        end = slot_of(self.settings, now) + 1
        begin, fresh = self._begin(end)
        if begin >= end:
            return []
        first = begin - self._methods.history if fresh else begin
        read = await read_series(self.settings, self._read, first, begin, end, firing)
        if fresh:
            self._series.clear()
        self._adopt(firing)
        for part in read:
            self._series_of(part, first, firing).put(part.points)
        found = await self._judge(begin, end, fresh)
        self._next = end
        over = end * self.settings.every_seconds * 1000
        return found + [replace(alert, ends_at=max(over, alert.starts_at)) for alert in self._unknown(firing)]

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

    def _adopt(self, firing: Mapping[str, Alert]) -> None:
        """Go on with findings that another process has told of: one that had other samples gave them another start."""
        for key, series in self._series.items():
            if series.alert is None and key in firing:
                series.adopt(firing[key])

    async def _judge(self, begin: int, end: int, fresh: bool) -> list[Alert]:
        found: list[Alert] = []
        for key, series in list(self._series.items()):
            series.grid.fill(end)
            before, changes = series.alert, list[Alert]()
            for seen in series.walk(begin):
                changes += [alert] if (alert := self._alert(series, seen)) else []
                await asyncio.sleep(0)  # a sample may take some milliseconds, and others want the event loop, too
            found += _settled(changes, before, series.alert) if fresh else changes
            if series.alert is None and end - series.newest > self._methods.history:
                del self._series[key]
        self._let_go(begin)
        return found

    def _let_go(self, begin: int) -> None:
        """Forget series that have gone silent, those longest gone first, while there are too many."""
        silent = [key for key, one in self._series.items() if one.newest < begin and one.alert is None]
        silent.sort(key=lambda key: self._series[key].newest)
        for key in silent[: max(0, len(self._series) - MAX_SERIES)]:
            del self._series[key]

    def _alert(self, series: Series, seen: Seen) -> Alert | None:
        """Return what a sample changed: an alert that fires, or one that ends."""
        if seen.change is None:
            return None
        at = seen.change.slot * self.settings.every_seconds
        if not seen.change.opened:
            ended, series.alert = series.alert, None
            return ended and replace(ended, ends_at=max(at * 1000, ended.starts_at))
        values = series.grid.values
        recent = values[max(0, seen.place + 1 - findings.SHOWN) : seen.place + 1]
        words = findings.told(self.settings, seen.judgement, values[seen.place], recent)
        series.alert = findings.metric_alert(self.settings, series.labels, at, words)
        return series.alert

    def _unknown(self, firing: Mapping[str, Alert]) -> Iterator[Alert]:
        """Yield findings of series that have given no sample for longer than anything is remembered."""
        for key, alert in firing.items():
            if key not in self._series:
                yield alert


def _settled(changes: Sequence[Alert], before: Alert | None, after: Alert | None) -> list[Alert]:
    """Return what is left to tell of samples that were judged again: what came and went among them was told then."""
    ended = [one for one in changes if before and not one.firing and one.starts_at == before.starts_at]
    return ended + ([after] if after is not None and after is not before else [])
