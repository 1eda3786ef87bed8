"""How often each template came, window by window, and whether that has changed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from sysop.watches.spread import median, sigma

KEPT = 120
"""Windows remembered of each template."""

MIN_WINDOWS = 20
NEW_FOR = 60
"""A template born after the learning is new for so many windows; then it is as usual as any other."""

RECENT = 10
WHOLE = "*"
"""Stands for all lines of a log in place of a template's key."""

_SURELY = 14.0
"""With so many lines due, chance keeps all of them away less than once in a million times, if they are independent."""

_LONGER_THAN_EVER = 3
_FEW = 16
"""Added to volumes, so that chance among a few other lines does not look like a change of all."""


def steady(count: float) -> float:
    """Return a count on a scale where chance moves large and small ones alike, by about 1.

    Source: Anscombe, "The transformation of Poisson, binomial and negative-binomial data" (1948).
    """
    return 2 * math.sqrt(count + 0.375)


def departure(count: float, history: Sequence[int], limit: float) -> float:
    """Return how far a count is from those before it, as a share of what is still usual; its sign is the direction.

    Usual is within `limit` robust deviations, and those are never less than what chance alone makes of a rate.
    """
    scaled = [steady(one) for one in history]
    middle = median(scaled)
    return (steady(count) - middle) / (limit * max(1.0, sigma(scaled, middle)))


def drift(count: int, others: int, history: Sequence[int], before: Sequence[int], limit: float) -> float:
    """Return the departure of a template's count that the volume of all others does not explain; 0 if it does.

    `before` are the lines of all other templates in the windows of `history`.
    """
    alone = departure(count, history, limit)
    if abs(alone) < 1:
        return 0.0
    volume = (median(before) + _FEW) / (others + _FEW)
    beside = departure(count * volume, history, limit)
    return min(alone, beside, key=abs) if alone * beside > 0 else 0.0


def vanished(history: Sequence[int]) -> bool:
    """Tell whether a template has stayed away for longer than chance or its own past explains.

    `history` ends with the window just over. A template that comes in bursts may stay away thrice as long as ever.
    """
    gap = next((n for n, count in enumerate(reversed(history)) if count), len(history))
    past = history[: len(history) - gap]
    if not gap or len(past) < MIN_WINDOWS:
        return False
    longest = max((sum(1 for _ in run) for zero, run in groupby(past, key=lambda count: count == 0) if zero), default=0)
    active = sum(1 for count in past if count)
    due = gap * sum(past) / len(past)
    return active >= MIN_WINDOWS // 2 and due >= _SURELY and gap >= _LONGER_THAN_EVER * (longest + 1)


@dataclass(frozen=True, slots=True)
class Drift:
    """A template whose rate is unusual in the window just over.

    `kind` is new, more, fewer or vanished; `usual` is the median of the windows before, `count` the lines in this one,
    or in the last ten for a new one. `strength` orders them.
    """

    key: str
    kind: str
    count: int
    usual: float
    strength: float


class Rates:
    """Counts of one log by template. Windows without any line count for the whole only: the log stood still then."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self.totals: deque[int] = deque(maxlen=kept)
        self.volume: deque[int] = deque(maxlen=kept)
        """Lines in each window, those without any among them."""

        self.counts: dict[str, deque[int]] = {}
        self.born: dict[str, int] = {}
        self.window = 0
        """The number of the window that is open; windows of a log that stood still are not counted."""

    def forget(self, keys: Iterable[str]) -> None:
        """Let go of templates."""
        for key in keys:
            self.counts.pop(key, None)
            self.born.pop(key, None)

    def recent(self, key: str) -> list[int]:
        """Return what is known of a template's counts, oldest first."""
        return list(self.counts.get(key, ()))

    def close(self, window: dict[str, int], limit: float, often: int, learnt: int, judged: bool) -> list[Drift]:
        """Take the counts of a window and return what is unusual in it, the strongest first.

        `learnt` is the window from which on a template can be new. A window that is not `judged` says nothing of
        rates, such as the first one after a pause; only what was new in it is remembered.
        """
        for key in window:
            if key not in self.counts:
                self.counts[key] = deque(maxlen=self._kept)
                self.born[key] = self.window
        if not judged:
            return []
        total = sum(window.values())
        found = self._drifts(window, total, limit, often, learnt) if self.window >= learnt else []
        self.volume.append(total)
        if total:
            self._remember(window, total)
        return sorted(found, key=lambda one: (-one.strength, one.key))

    def _remember(self, window: dict[str, int], total: int) -> None:
        for key, counts in self.counts.items():
            counts.append(window.get(key, 0))
        self.totals.append(total)
        self.window += 1

    def _drifts(self, window: dict[str, int], total: int, limit: float, often: int, learnt: int) -> list[Drift]:
        found: list[Drift] = []
        totals = list(self.totals)
        for key, history in self.counts.items() if total else ():
            count = window.get(key, 0)
            one = self._new(key, count, history, often, learnt)
            one = one or self._changed(key, count, total, list(history), totals, limit, often)
            found += [one] if one else []
        explained = sum(window.get(one.key, 0) - one.usual for one in found)
        whole = self._volume(max(0, round(total - explained)), limit, often)
        return [*found, whole] if whole else found

    def _volume(self, total: int, limit: float, often: int) -> Drift | None:
        """Return what is unusual of all lines together, but for what single kinds of lines explain."""
        if len(self.volume) < MIN_WINDOWS:
            return None
        past = list(self.volume)
        usual = median(past)
        if total == 0 and vanished([*past, 0]):
            return Drift(WHOLE, "vanished", 0, usual, math.inf)
        far = departure(total, past, limit)
        if far >= 1 and total >= often:
            return Drift(WHOLE, "more", total, usual, far)
        return Drift(WHOLE, "fewer", total, usual, -far) if far <= -1 else None

    def _new(self, key: str, count: int, history: Sequence[int], often: int, learnt: int) -> Drift | None:
        born = self.born[key]
        if born < learnt or self.window - born >= NEW_FOR:
            return None
        recent = count + sum(list(history)[-(RECENT - 1) :])
        return Drift(key, "new", recent, 0.0, float(recent)) if recent >= often else None

    def _changed(
        self, key: str, count: int, total: int, past: list[int], totals: list[int], limit: float, often: int
    ) -> Drift | None:
        if len(past) < MIN_WINDOWS:
            return None
        usual = median(past)
        if count == 0 and vanished([*past, 0]):
            return Drift(key, "vanished", 0, usual, sum(past) / len(past))
        others = [all_ - own for all_, own in zip(totals[-len(past) :], past, strict=True)]
        far = drift(count, total - count, past, others, limit)
        if far >= 1 and count >= often:
            return Drift(key, "more", count, usual, far)
        return Drift(key, "fewer", count, usual, -far) if far <= -1 else None
