"""All watches of one process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sysop.extension import MetricQuery, MetricSeries
from sysop.model import Alert
from sysop.sections import WatchSettings
from sysop.watches.findings import WATCH_LABEL
from sysop.watches.logs.log_watch import LogWatch
from sysop.watches.metric_watch import MetricWatch
from sysop.watches.turns import Firing, Take, Turns

FOLDER = "watches"

Ask = Callable[[str, MetricQuery], Awaitable[Sequence[MetricSeries]]]
"""Has a metric source, by its name, answer a query. Raises CallError or SettingsError."""


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
        metrics = {watch.name: MetricWatch(watch, partial(ask, watch.source)) for watch in settings.metrics}
        self._logs = {
            watch.name: LogWatch(watch, state / FOLDER / f"{watch.name}.json", clock, known) for watch in settings.logs
        }
        self._names = {*metrics, *self._logs}
        self._metric_turns = Turns(metrics, firing, take, clock)
        self._log_turns = Turns(self._logs, firing, take, clock)
        self._cleared = False

    @property
    def ticks(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """Return what to call again and again; a slow metric source does not hold up the logs."""
        return self.tick_metrics, self.tick_logs

    async def tick_metrics(self) -> None:
        """Let the metric watches look that are due. The first time, end what watches found that are no more."""
        if not self._cleared:
            await self._end_nobodys()
            self._cleared = True
        await self._metric_turns.tick()

    async def tick_logs(self) -> None:
        """Let the log watches read on."""
        await self._log_turns.tick()

    def close(self) -> None:
        """Close the files that are followed."""
        for watch in self._logs.values():
            watch.close()

    async def _end_nobodys(self) -> None:
        now = int(self._clock() * 1000)
        left: list[Alert] = [one for one in await self._firing() if one.labels.get(WATCH_LABEL) not in self._names]
        if left:
            await self._take([replace(alert, ends_at=max(now, alert.starts_at)) for alert in left])
