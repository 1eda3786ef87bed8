"""The method `seasonal`: a value unlike those at the same time of earlier days or weeks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from sysop.watches.judgement import LARGEST, Judgement, band_judgement, not_judged, usable
from sysop.watches.spread import median, sigma

MIN_PERIODS = 3
NEAR = 2
"""So many samples before and after the same time say what is expected: nothing happens on the second every day."""

AROUND = 15
"""So many samples before and after the same time say how far apart periods are."""

_MEDIAN_TO_MEAN = 1.57
"""The median of normal noise varies this much more than the mean does."""


@dataclass(frozen=True, slots=True)
class Seasonal:
    """Compares a value with the same time in up to `periods` earlier periods of `period` samples each.

    A seasonal median and deviations from it follow Hochenbaum, Vallis and Kejariwal, "Automatic Anomaly Detection in
    the Cloud Via Statistical Learning" (2017). At each time the median of the periods is expected; how far they lie
    from it around that time is the spread, in which a steep part of the day counts for nothing, since it is the same
    every day. One strange day among several changes neither. Few periods widen the band: their median may be off.
    The same time is that of the clocks of `zone`, which may change; samples are `step` seconds apart.
    """

    period: int
    periods: int
    limit: float
    least: float = 0.0
    zone: tzinfo = UTC
    step: int = 60

    @property
    def history(self) -> int:
        """Return how many samples before one are looked at."""
        return self.period * self.periods + AROUND + (0 if self.zone is UTC else 3600 // self.step)

    def __call__(self, values: Sequence[float], place: int, slot: int = 0) -> Judgement:
        """Judge the sample at a place."""
        if not -LARGEST <= values[place] <= LARGEST:
            return not_judged("seasonal", place, "there is no sample")
        earlier = self._earlier(place, slot)
        times = {shift: _at(values, place, earlier, shift) for shift in range(-AROUND, AROUND + 1)}
        most = max(len(times[shift]) for shift in range(-NEAR, NEAR + 1))
        if most < MIN_PERIODS:
            reason = f"not enough history: {most} periods have samples at this time, {MIN_PERIODS} are needed"
            return not_judged("seasonal", place, reason)
        expected = {shift: median(found) for shift, found in times.items() if len(found) >= MIN_PERIODS}
        middle = median([expected[shift] for shift in range(-NEAR, NEAR + 1) if shift in expected])
        apart = [one - expected[shift] + middle for shift in expected for one in times[shift]]
        spread = sigma(apart, middle) * math.sqrt((1 + _MEDIAN_TO_MEAN / most) * most / (most - 1))
        return band_judgement("seasonal", values[place], place, middle, spread, self.limit, self.least)

    def _earlier(self, place: int, slot: int) -> list[int]:
        """Return where the clocks showed the same time in earlier periods."""
        back = range(self.period, self.period * self.periods + 1, self.period)
        if self.zone is UTC:
            return [place - one for one in back]
        now = self._ahead(slot)
        return [place - one + round((now - self._ahead(slot - one)) / self.step) for one in back]

    def _ahead(self, slot: int) -> float:
        """Return by how many seconds the clocks were ahead of UTC."""
        ahead = datetime.fromtimestamp(slot * self.step, self.zone).utcoffset()
        return ahead.total_seconds() if ahead else 0.0


def _at(values: Sequence[float], place: int, earlier: Sequence[int], shift: int) -> list[float]:
    """Return the samples of earlier periods, none of them later than the one to judge."""
    return usable([values[at + shift] for at in earlier if 0 <= at + shift < place])
