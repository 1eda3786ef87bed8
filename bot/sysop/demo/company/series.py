"""Scraped counters, and their rates as Prometheus computes them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

WINDOW_SECONDS = 10.0

Point = tuple[float, float]
"""Seconds since the epoch, and the counter's value then."""

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="([^"]*)"')


@dataclass(frozen=True)
class Rate:
    """The per-second rate of one counter."""

    metric: str
    labels: dict[str, str]
    value: float


class Counters:
    """The samples of every scraped counter that a rate may still need."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, str], deque[Point]] = {}

    def add(self, at: float, text: str) -> None:
        """Take the samples of one scrape in the Prometheus text format, as our services write it."""
        for found in _LINE.finditer(text):
            points = self._points.setdefault((found["name"], found["labels"]), deque())
            points.append((at, float(found["value"])))

    def rates(self, at: float) -> Iterator[Rate]:
        """Yield the rates over the window that ends at a time, and forget what is older."""
        start = at - WINDOW_SECONDS
        for (metric, labels), points in list(self._points.items()):
            while points and points[0][0] <= start:
                points.popleft()
            if not points:
                del self._points[metric, labels]
            elif (value := extrapolated_rate(points, start, at)) is not None:
                yield Rate(metric, dict(_LABEL.findall(labels)), value)


def extrapolated_rate(points: Sequence[Point], start: float, end: float) -> float | None:
    """Return what Prometheus's rate() gives for the points of a window: None for fewer than two.

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
    return increase * (stretched / sampled / (end - start))
