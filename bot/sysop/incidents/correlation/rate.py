"""How often alerts start by chance, learnt as the stream goes; every step can be taken back."""

from __future__ import annotations

import math
from bisect import bisect_right

# A place nobody has watched yet: one event in five minutes, worth ten minutes of watching and at most 32 starts.
PRIOR_RATE, PRIOR_TIME, PRIOR_STARTS = 1 / 300, 600.0, 32.0
MOST_DEAD = 0.2  # the correction for uncounted starts never multiplies by more than five
BURST = 8.0  # alerts of one burst: the rate of events is at least the rate of starts by this

Saved = tuple[float, float, float, float, float]


class Rate:
    """The usual rate of events in one place. An event is a start more than `quiet_s` after the one counted before."""

    __slots__ = ("counted", "events", "last", "memory_s", "quiet_s", "starts", "watched")

    def __init__(self, memory_s: float, quiet_s: float) -> None:
        self.memory_s, self.quiet_s = memory_s, quiet_s
        self.events = self.watched = self.starts = 0.0
        self.last = self.counted = -math.inf

    def tick(self, t: float) -> Saved:
        """Count a start not earlier than the last one; return what `restore` needs to take it back."""
        events, watched, last, counted, starts = saved = (
            self.events,
            self.watched,
            self.last,
            self.counted,
            self.starts,
        )
        if last == -math.inf:
            self.events, self.last, self.counted, self.starts = 1.0, t, t, 1.0
            return saved
        keep = math.exp((last - t) / self.memory_s)
        self.watched = watched * keep + (1 - keep) * self.memory_s
        self.starts = starts * keep + 1
        if t - counted > self.quiet_s:
            self.events, self.counted = events * keep + 1, t
        else:
            self.events = events * keep
        self.last = t
        return saved

    def restore(self, saved: Saved) -> None:
        """Take the last tick back."""
        self.events, self.watched, self.last, self.counted, self.starts = saved

    def per_second(self) -> float:
        """Return the usual rate of events: corrected for the starts not counted, never far below the rate of starts."""
        starts = self.starts
        prior = PRIOR_TIME * PRIOR_STARTS / (PRIOR_STARTS + starts)
        time = self.watched + prior
        rate = (self.events + PRIOR_RATE * prior) / time
        alive = 1 - rate * self.quiet_s
        rate /= alive if alive > MOST_DEAD else MOST_DEAD
        least = (starts + PRIOR_RATE * prior) / time / BURST
        return rate if rate > least else least


class History:
    """What the rate was at every start, so that a burst can be measured against the time before it."""

    __slots__ = ("rates", "times")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.rates: list[float] = []

    def calm(self, t: float, ago_s: float) -> float:
        """Return the rate as it was some seconds before a moment; what nobody watched yet is taken for quiet."""
        at = bisect_right(self.times, t - ago_s)
        return self.rates[at - 1] if at else PRIOR_RATE


class Clustering:
    """Whether related alerts of one cluster come together more often than chance has it."""

    NEAR_S = 60.0  # pairs closer than this may share a cause
    FAR = 2 / 3  # pairs in the last third of what is looked at show chance
    FULL = 3.0  # full trust when related alerts are this many times as frequent near as far; also the first opinion
    WORTH = 20.0  # near pairs that first opinion is worth
    FADE, LEAST = 0.995, 0.1

    __slots__ = ("_far_worth", "_scale", "_shift", "far", "far_s", "near", "window_s")

    def __init__(self, look_s: float) -> None:
        self.near = self.far = 0.0
        self.far_s = look_s * self.FAR
        self.window_s = look_s - self.far_s
        self._far_worth = self.WORTH * self.window_s / self.NEAR_S / self.FULL
        self._shift = 1 / (self.FULL - 1)  # trust is 0 at a ratio of 1, and 1 at one of FULL
        self._scale = self._shift * self.window_s / self.NEAR_S

    def trust(self) -> float:
        """Return 0.1 (chance explains it all) to 1."""
        trust = self._scale * (self.near + self.WORTH) / (self.far + self._far_worth) - self._shift
        return 1.0 if trust > 1.0 else trust if trust > self.LEAST else self.LEAST

    def learn(self, near: float, far: float) -> tuple[float, float] | None:
        """Count pairs; return what `restore` needs, None if there was nothing to count."""
        if not near and not far:
            return None
        saved = (self.near, self.far)
        self.near, self.far = self.near * self.FADE + near, self.far * self.FADE + far
        return saved

    def restore(self, saved: tuple[float, float] | None) -> None:
        """Take the last lesson back."""
        if saved is not None:
            self.near, self.far = saved
