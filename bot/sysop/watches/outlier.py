"""The method `outlier`: a value far from the middle of those before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sysop.watches.judgement import LARGEST, Judgement, band_judgement, not_judged, usable
from sysop.watches.spread import median, sigma

MIN_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Outlier:
    """Compares a value with the `history` samples before it, by median and median absolute deviation.

    This is the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993), with a limit in
    robust standard deviations. The `gap` samples right before it are left out: a departure must not be measured by
    itself while it waits to be told.
    """

    history: int
    limit: float
    least: float = 0.0
    gap: int = 0

    def __call__(self, values: Sequence[float], place: int, _slot: int = 0) -> Judgement:
        """Judge the sample at a place."""
        value = values[place]
        if not -LARGEST <= value <= LARGEST:
            return not_judged("outlier", place, "there is no sample")
        end = max(0, place - self.gap)
        before = usable(values[max(0, end - self.history) : end])
        if len(before) < MIN_SAMPLES:
            reason = f"not enough history: {len(before)} samples, {MIN_SAMPLES} are needed"
            return not_judged("outlier", place, reason)
        middle = median(before)
        return band_judgement("outlier", value, place, middle, sigma(before, middle), self.limit, self.least)
