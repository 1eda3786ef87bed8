"""One series under a watch: its samples, and the finding that may be open on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sysop.model import Alert
from sysop.watches.grid import Grid
from sysop.watches.judgement import Judgement
from sysop.watches.methods import Methods
from sysop.watches.track import Change, Track, step


@dataclass(frozen=True, slots=True)
class Seen:
    """What one sample came to: where it stands in the grid, how it was judged, and what changed by it."""

    place: int
    judgement: Judgement
    change: Change | None


class Series:
    """The samples of one series, judged in order, each once. `alert` is the finding that is open, if one is."""

    def __init__(self, labels: Mapping[str, str], methods: Methods, grid: Grid, alert: Alert | None = None) -> None:
        self.labels = dict(labels)
        self.grid = grid
        self.alert = alert
        self.newest = 0
        self._methods = methods
        self._track = Track() if alert is None else Track(opened=True)
        self._from = 0 if alert is None else grid.slot(alert.starts_at / 1000)

    def put(self, points: Iterable[tuple[float, float]]) -> None:
        """Take samples that were read."""
        self.newest = max(self.newest, self.grid.put(points))

    def adopt(self, alert: Alert) -> None:
        """Take over a finding that another process has opened on this series."""
        self.alert, self._track = alert, Track(opened=True)

    def walk(self, begin: int) -> Iterator[Seen]:
        """Judge every sample from a slot on, but none from before the finding that was open at first."""
        for slot in self.grid.slots(max(begin, self._from)):
            yield self._one(slot)

    def _one(self, slot: int) -> Seen:
        place = self.grid.place(slot)
        judgement = self._methods.judge(self.grid.values, place, slot)
        departure = self._methods.departure(judgement) if judgement.judged else None
        since = slot - (place - judgement.since)
        self._track, change = step(self._track, slot, departure, since, self._methods.rule)
        return Seen(place, judgement, change)
