"""Scraped samples, and what Prometheus computes from them: rates, increases, slopes and latest values."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

WINDOW_SECONDS = 10.0

Point = tuple[float, float]
"""Seconds since the epoch, and the value then."""

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="([^"]*)"')


@dataclass(frozen=True)
class Fold:
    """What is made of the points of a window that ends now. `last` has no window."""

    function: Literal["rate", "increase", "deriv", "last"]
    seconds: float = WINDOW_SECONDS


RATE, LAST = Fold("rate"), Fold("last", 0.0)


@dataclass(frozen=True)
class Sample:
    """One folded series at one moment; a rate unless it says otherwise."""

    metric: str
    labels: Mapping[str, str]
    value: float
    fold: Fold = RATE


class Counters:
    """The samples of every scraped series that a fold may still need.

    `folds` says what is made of a metric; one that is not named is a counter, of which the rate is taken.
    """

    def __init__(self, folds: Mapping[str, Sequence[Fold]] | None = None) -> None:
        self._folds = folds or {}
        self._points: dict[tuple[str, str, str], deque[Point]] = {}
        self._latest: dict[str, dict[tuple[str, str], float]] = {}

    def add(self, at: float, text: str, target: str = "") -> None:
        """Take the samples of one scrape of a target in the Prometheus text format, as our services write it."""
        latest = self._latest[target] = {}
        for found in _LINE.finditer(text):
            metric, labels, value = found["name"], found["labels"], float(found["value"])
            latest[metric, labels] = value
            self._points.setdefault((target, metric, labels), deque()).append((at, value))

    def lose(self, target: str) -> None:
        """Forget the latest values of a target that does not answer or is gone; its rates fade with their windows."""
        self._latest.pop(target, None)

    def samples(self, at: float) -> Iterator[Sample]:
        """Yield every fold of every series at a time, and forget what no window needs any more."""
        yield from self._last()
        for (target, metric, labels), points in list(self._points.items()):
            folds = [fold for fold in self._folds.get(metric, (RATE,)) if fold != LAST]
            start = at - max((fold.seconds for fold in folds), default=0.0)
            while points and points[0][0] <= start:
                points.popleft()
            if not points:
                del self._points[target, metric, labels]
                continue
            named = dict(_LABEL.findall(labels))
            there = (metric, labels) in self._latest.get(target, ())
            for fold in folds:
                if fold.function == "deriv" and not there:
                    continue  # what is gone does not grow any more, whatever its last points say
                if (value := _folded(fold, points, at)) is not None:
                    yield Sample(metric, named, value, fold)

    def _last(self) -> Iterator[Sample]:
        for latest in self._latest.values():
            for (metric, labels), value in latest.items():
                if LAST in self._folds.get(metric, ()):
                    yield Sample(metric, dict(_LABEL.findall(labels)), value, LAST)


def _folded(fold: Fold, points: Sequence[Point], at: float) -> float | None:
    start = at - fold.seconds
    inside = [point for point in points if start < point[0] <= at]
    if fold.function == "deriv":
        return slope(inside)
    return _extrapolated(inside, start, at, fold.seconds if fold.function == "rate" else 1.0)


def extrapolated_rate(points: Sequence[Point], start: float, end: float) -> float | None:
    """Return what Prometheus's rate() gives for the points of a window: None for fewer than two."""
    return _extrapolated(points, start, end, end - start)


def _extrapolated(points: Sequence[Point], start: float, end: float, per: float) -> float | None:
    """Return the increase over a window, divided by a number of seconds.

    A falling value is a restarted counter. The increase between first and last sample is stretched to the window's
    ends, but not further than half a sample interval where the series seems to begin or end inside the window, and
    never below the moment where the counter must have been zero.
    """
    if len(points) < 2:
        return None
    (first_at, first), (last_at, last) = points[0], points[-1]
    resets = sum(before for (_, before), (_, after) in pairwise(points) if after < before)
    increase = last - first + resets
    sampled = last_at - first_at
    interval = sampled / (len(points) - 1)
    lead, tail = first_at - start, end - last_at
    if increase > 0 and first >= 0:
        lead = min(lead, sampled * (first / increase))
    stretched = sampled
    for gap in (lead, tail):
        stretched += gap if gap < interval * 1.1 else interval / 2
    return increase * (stretched / sampled / per)


def slope(points: Sequence[Point]) -> float | None:
    """Return what Prometheus's deriv() gives: the slope of the least-squares line, None for fewer than two points."""
    if len(points) < 2:
        return None
    first = points[0][0]
    times, values = [at - first for at, _ in points], [value for _, value in points]
    middle, mean = sum(times) / len(points), sum(values) / len(points)
    spread = sum((at - middle) ** 2 for at in times)
    together = sum((at - middle) * (value - mean) for at, value in zip(times, values, strict=True))
    return together / spread
