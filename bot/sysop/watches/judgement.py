"""What a method says of one sample: how far it is from normal, and what normal would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

LARGEST = 1e300
"""Beyond it differences have no finite value; such a sample counts as missing."""


@dataclass(frozen=True, slots=True)
class Band:
    """What would be normal, in the units of the query."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """One method's answer for one sample.

    `excess` is the distance from the middle of the band as a share of its half width: beyond 1 or -1 is abnormal. It is
    0 where nothing was judged; `band` is None then, and `reason` says why. `since` is the place of the first sample
    that departs, which a method that looks at several samples knows to be an earlier one.
    """

    method: str
    band: Band | None
    excess: float
    reason: str
    since: int

    @property
    def judged(self) -> bool:
        """Tell whether there was enough to go by."""
        return self.band is not None


class Judge(Protocol):
    """Judges the sample at a place by those before it. A missing sample is NaN; nothing after the place is looked at.

    `slot` is the time of the sample, in steps since the epoch, for what goes by the clock.
    """

    def __call__(self, values: Sequence[float], place: int, slot: int = 0, /) -> Judgement:
        """Return the answer."""
        ...


def usable(values: Sequence[float]) -> list[float]:
    """Return the samples that are there, without NaN and what is too large to reckon with."""
    return [value for value in values if -LARGEST <= value <= LARGEST]


def not_judged(method: str, place: int, reason: str) -> Judgement:
    """Return the answer for a sample of which nothing can be said."""
    return Judgement(method, None, 0.0, reason, place)


def band_judgement(
    method: str, value: float, place: int, middle: float, sigma: float, limit: float, least: float
) -> Judgement:
    """Judge a value by where it should be: within `limit` deviations of `sigma`, or within `least`, is normal."""
    half = max(limit * sigma, least)
    band = Band(middle - half, middle, middle + half)
    excess = (value - middle) / half
    word = "outside" if abs(excess) >= 1 else "within"
    reason = (
        f"{value:.4g} is {word} {band.low:.4g} to {band.high:.4g}, {abs(value - middle) / sigma:.1f} deviations off"
    )
    return Judgement(method, band, excess, reason, place)
