"""Samples of one series on a fixed grid of times, so that the same time of another day is a place to look at."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise


class Grid:
    """Samples by slot; a slot is a time divided by `step` seconds. What is missing is NaN. Old ones are let go of.

    It holds at most `keep` samples, eight bytes each, and is trimmed when it has grown by a quarter more.
    """

    def __init__(self, step: int, keep: int, first: int) -> None:
        self._step = step
        self._keep = keep
        self._first = first
        self._values = array("d")

    @property
    def values(self) -> Sequence[float]:
        """Return all samples, oldest first."""
        return self._values

    @property
    def end(self) -> int:
        """Return the slot after the newest one."""
        return self._first + len(self._values)

    def put(self, points: Iterable[tuple[float, float]]) -> int:
        """Take samples with their times in seconds and return the newest slot with a value, 0 if there is none.

        Slots in between are missing; samples older than those held are dropped.
        """
        newest = 0
        for at, value in points:
            slot = self.slot(at)
            if slot < self._first:
                continue
            self.fill(slot + 1)
            self._values[slot - self._first] = value
            newest = slot if value == value else newest
        return newest

    def fill(self, end: int) -> None:
        """Say that nothing is known up to a slot, and let go of what is too old."""
        self._values.extend([math.nan] * (end - self.end))
        extra = len(self._values) - self._keep
        if extra > self._keep // 4:
            del self._values[:extra]
            self._first += extra

    def slot(self, at: float) -> int:
        """Return the slot of a time in seconds."""
        return round(at / self._step)

    def place(self, slot: int) -> int:
        """Return where in `values` a slot is; negative or too large for one that is not held."""
        return slot - self._first

    def slots(self, begin: int) -> Iterator[int]:
        """Yield the slots held, from one on."""
        yield from range(max(begin, self._first), self.end)

    def time(self, place: int) -> int:
        """Return the time of a place in seconds since the epoch."""
        return (self._first + place) * self._step


def increases(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return how much a counter grew each second, at the end of each step.

    A counter that is smaller than before has begun again at 0, as Prometheus reckons. NaN stays out.
    """
    known = [(at, value) for at, value in points if math.isfinite(value)]
    found = []
    for (before, old), (at, new) in pairwise(known):
        if at > before:
            found.append((at, (new - old if new >= old else new) / (at - before)))
    return found


def looks_like_counter(values: Sequence[float]) -> bool:
    """Tell whether samples only ever grow, but for falls to near 0: a counter where a rate was probably meant."""
    known = [value for value in values if math.isfinite(value)]
    steps = [(new - old, new, old) for old, new in pairwise(known) if new != old]
    resets = sum(1 for step, new, old in steps if step < 0 and 0 <= new < old / 10)
    grows = sum(1 for step, _, _ in steps if step > 0)
    return grows >= max(10, len(known) // 2) and grows + resets == len(steps)
