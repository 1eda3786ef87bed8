"""Small charts of text, for an annotation and for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """Return the newest values as bars, from their least to their largest; a gap stands for a missing one."""
    shown = columns(values, width)
    known = [value for value in shown if math.isfinite(value)]
    if not known:
        return _GAP * len(shown)
    low, high = min(known), max(known)
    return "".join(_GAP if not math.isfinite(value) else _BARS[_level(value, low, high, len(_BARS))] for value in shown)


def columns(values: Sequence[float], width: int) -> list[float]:
    """Return at most `width` values: of each stretch the one farthest from the middle of all, which is what matters."""
    if len(values) <= width:
        return list(values)
    known = sorted(value for value in values if math.isfinite(value))
    middle = known[len(known) // 2] if known else 0.0
    edges = [round(place * len(values) / width) for place in range(width + 1)]
    return [_farthest(values[a:b], middle) for a, b in pairwise(edges)]


def _farthest(values: Sequence[float], middle: float) -> float:
    known = [value for value in values if math.isfinite(value)]
    return max(known, key=lambda value: abs(value - middle)) if known else math.nan


def _level(value: float, low: float, high: float, levels: int) -> int:
    span = high / 2 - low / 2  # halves, since the whole may have no finite value
    if span <= 0:
        return levels // 2
    return min(levels - 1, max(0, int((value / 2 - low / 2) / span * levels)))


@dataclass(frozen=True, slots=True)
class Mark:
    """What a column of a chart shows: a value, what would be normal, and whether it lies in a finding."""

    value: float
    low: float
    high: float
    found: bool


def thin(marks: Sequence[Mark], width: int) -> list[Mark]:
    """Return at most `width` marks: of each stretch the one that departs most, and the finding if it touches one."""
    if len(marks) <= width:
        return list(marks)
    edges = [round(place * len(marks) / width) for place in range(width + 1)]
    return [_most(marks[a:b]) for a, b in pairwise(edges)]


def _most(marks: Sequence[Mark]) -> Mark:
    def departs(mark: Mark) -> float:
        outside = max(mark.low - mark.value, mark.value - mark.high)
        return outside if math.isfinite(outside) else -math.inf

    worst = max(marks, key=departs)
    return Mark(worst.value, worst.low, worst.high, any(mark.found for mark in marks))


def rows(marks: Sequence[Mark], height: int = 12) -> list[str]:
    """Return a chart's lines, top first: `●` in a finding, `•` otherwise, `░` what would be normal.

    Numbers on the left say what the rows stand for. A series without any value gives no lines.
    """
    if not any(math.isfinite(mark.value) for mark in marks):
        return []
    low, high = _extent(marks)
    grid = [[" "] * len(marks) for _ in range(height)]
    for column, mark in enumerate(marks):
        _draw(grid, column, mark, low, high)
    labels = [f"{high - (high - low) * row / (height - 1):.4g}" if row % 3 == 0 else "" for row in range(height)]
    wide = max(map(len, labels))
    return [f"{label:>{wide}} │{''.join(cells).rstrip()}" for label, cells in zip(labels, grid, strict=True)]


def _extent(marks: Sequence[Mark]) -> tuple[float, float]:
    """Return what fits into the chart: every value, and the band but where it is wider than nearly everywhere."""
    values = [mark.value for mark in marks if math.isfinite(mark.value)]
    lows = sorted(mark.low for mark in marks if math.isfinite(mark.low))
    highs = sorted(mark.high for mark in marks if math.isfinite(mark.high))
    spare = len(lows) // 20
    return min(values + lows[spare : spare + 1]), max(values + highs[len(highs) - 1 - spare :][:1])


def _draw(grid: list[list[str]], column: int, mark: Mark, low: float, high: float) -> None:
    height = len(grid)
    if math.isfinite(mark.low) and math.isfinite(mark.high):
        for level in range(_level(mark.low, low, high, height), _level(mark.high, low, high, height) + 1):
            grid[height - 1 - level][column] = "░"
    if math.isfinite(mark.value):
        grid[height - 1 - _level(mark.value, low, high, height)][column] = "●" if mark.found else "•"
