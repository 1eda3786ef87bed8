"""Middle and spread of samples, such that a few wild ones change neither."""

from __future__ import annotations

from collections.abc import Sequence

MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of normal noise times this is its standard deviation."""

_MEAN_DEVIATION_TO_SIGMA = 1.2533
_TOP_TO_SIGMA = 1.96
_TOP = 0.95
RELATIVE_FLOOR = 0.002
_ABSOLUTE_FLOOR = 1e-9


def middle_of(ordered: Sequence[float]) -> float:
    """Return the median of sorted samples, of which there is at least one."""
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else ordered[half - 1] / 2 + ordered[half] / 2


def median(values: Sequence[float]) -> float:
    """Return the median of samples, of which there is at least one."""
    return middle_of(sorted(values))


def sigma(values: Sequence[float], middle: float) -> float:
    """Return what stands for the standard deviation of samples around their middle; never 0.

    It is the scaled median absolute deviation (Hampel 1974, "The influence curve and its role in robust estimation").
    That is 0 where over half the samples equal the middle, such as counts that are mostly 0: then the other samples
    say how far they go, by their mean and by the farthest twentieth. A series that never moves gets a floor of 0.2 % of
    its level, so that only a change by more than about a hundredth of it can be unusual.
    """
    ordered = sorted([abs(value - middle) for value in values])
    found = middle_of(ordered) * MAD_TO_SIGMA
    if not found:
        mean = sum(ordered) / len(ordered)
        top = ordered[min(len(ordered) - 1, int(len(ordered) * _TOP))]
        found = max(mean * _MEAN_DEVIATION_TO_SIGMA, top / _TOP_TO_SIGMA)
    return max(found, RELATIVE_FLOOR * abs(middle), _ABSOLUTE_FLOOR)
