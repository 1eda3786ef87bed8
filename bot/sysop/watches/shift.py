"""The method `shift`: the level has changed, be it by less than a single sample could show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sysop.watches.judgement import LARGEST, Band, Judgement, not_judged
from sysop.watches.spread import median, sigma

WINDOW = 120
"""Samples looked at. A change is seen until half of them are later than it; then the new level is the normal one."""

MIN_SAMPLES = 30
MIN_SIDE = 8
_CLEARLY = 0.05
"""Two levels must explain so much more of the variation than a line does."""


@dataclass(frozen=True, slots=True)
class Split:
    """Where samples change most: `at` of them come before. `statistic` is Pettitt's K.

    `climbs` tells that two levels fit their ranks not clearly better than a straight line: nothing has changed then,
    the series was on its way all the time.
    """

    at: int
    statistic: float
    climbs: bool


def split(values: Sequence[float]) -> Split:
    """Return where the ranks of samples change most.

    Source: Pettitt, "A Non-Parametric Approach to the Change-Point Problem", Applied Statistics 28 (1979): with
    midranks r, U(t) = 2 (r1 + ... + rt) - t (n + 1), and K is the largest |U(t)|.
    """
    n = len(values)
    best, at, total = 0.0, 0, 0.0
    ranked = ranks(values)
    for place, rank in enumerate(ranked, start=1):
        total += rank
        found = abs(2 * total - place * (n + 1))
        if found > best and place < n:
            best, at = found, place
    clearly = _CLEARLY * sum((rank - (n + 1) / 2) ** 2 for rank in ranked)
    return Split(at, best, climbs=_along_line(ranked) > _along_levels(best, at, n) - clearly)


def _along_line(ranked: Sequence[float]) -> float:
    """Return how much of the variation of ranks a line through their middle explains, as a sum of squares."""
    n = len(ranked)
    steps = [place - (n - 1) / 2 for place in range(n)]
    along = sum(step * rank for step, rank in zip(steps, ranked, strict=True))
    return along * along / max(sum(step * step for step in steps), 1.0)


def _along_levels(statistic: float, at: int, n: int) -> float:
    """Return the same of two levels; their means follow from K."""
    return statistic * statistic * n / (4 * at * (n - at)) if 0 < at < n else 0.0


def ranks(values: Sequence[float]) -> list[float]:
    """Return each sample's rank from 1; equal samples share the middle of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end + 1 < len(order) and values[order[end + 1]] == values[order[begin]]:
            end += 1
        for place in range(begin, end + 1):
            found[order[place]] = (begin + end) / 2 + 1
        begin = end + 1
    return found


def chance(statistic: float, n: int, share: float = 1.0) -> float:
    """Return Pettitt's bound on how likely a K this large is without any change, at most 1.

    `share` is how much each sample counts for, see `independence`.
    """
    return min(1.0, 2 * math.exp(-6 * share * statistic**2 / (n**3 + n**2)))


def independence(residuals: Sequence[float]) -> float:
    """Return what share of a sample is news: less than 1 where neighbours are alike.

    Source: Bayley and Hammersley, "The effective number of independent observations in an autocorrelated time series"
    (1946), for a first-order dependence: (1 - r) / (1 + r). Samples that move against their neighbours count once.
    """
    power = sum(one * one for one in residuals)
    if not 0 < power < math.inf:
        return 1.0
    r = sum(one * other for one, other in pairwise(residuals)) / power
    r = min(max(r, 0.0), 0.99)
    return (1 - r) / (1 + r)


@dataclass(frozen=True, slots=True)
class Shift:
    """Looks for the place where the last `WINDOW` samples change, and whether the newest ones are on the other side.

    A change counts if chance makes one so clear less often than `chance_below`, and if the newest samples lie `size`
    robust deviations, and `least`, from the level before it.
    """

    chance_below: float
    size: float
    least: float = 0.0

    def __call__(self, values: Sequence[float], place: int, _slot: int = 0) -> Judgement:
        """Judge the samples up to a place."""
        if not -LARGEST <= values[place] <= LARGEST:
            return not_judged("shift", place, "there is no sample")
        first = max(0, place - WINDOW + 1)
        places = [at for at in range(first, place + 1) if -LARGEST <= values[at] <= LARGEST]
        if len(places) < MIN_SAMPLES:
            reason = f"not enough history: {len(places)} samples, {MIN_SAMPLES} are needed"
            return not_judged("shift", place, reason)
        return self._judge([values[at] for at in places], places)

    def _judge(self, recent: list[float], places: list[int]) -> Judgement:
        found = split(recent)
        if found.climbs or not MIN_SIDE <= found.at <= len(recent) - MIN_SIDE:
            return self._steady(recent, places[-1])
        before, after = recent[: found.at], recent[found.at :]
        old, new = median(before), median(after)
        share = independence([*(v - old for v in before), *(v - new for v in after)])
        likely = chance(found.statistic, len(recent), share)
        if likely >= self.chance_below:
            return self._steady(recent, places[-1])
        band = self._band(before)
        excess = (median(recent[-MIN_SIDE:]) - old) / (band.high - old)
        reason = f"the level went from {old:.4g} to {new:.4g}; chance does so less than once in {1 / likely:.2g}"
        return Judgement("shift", band, excess, reason, places[found.at])

    def _steady(self, recent: list[float], place: int) -> Judgement:
        return Judgement("shift", self._band(recent), 0.0, "the level has not changed", place)

    def _band(self, samples: list[float]) -> Band:
        middle = median(samples)
        half = max(self.size * sigma(samples, middle), self.least)
        return Band(middle - half, middle, middle + half)
