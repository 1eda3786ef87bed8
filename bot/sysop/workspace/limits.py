"""How often a method may be called: Slack's tiers, one bucket a method on the workspace's clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from sysop.workspace.clock import Clock
from sysop.workspace.errors import RateLimited


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls at once, and so many more each minute."""

    burst: int
    per_minute: float


class Tier(Enum):
    """Slack's tiers. Slack says "n or more a minute"; here it is n, with one minute's worth at once."""

    TWO = Rate(20, 20)
    THREE = Rate(50, 50)
    FOUR = Rate(100, 100)
    POST = Rate(5, 60)
    OFTEN = Rate(600, 600)


class Limiter:
    """Counts calls by key. A refused call costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str, rate: Rate) -> None:
        """Take one call from a bucket, or say when to come back."""
        now = self._clock.now()
        left, at = self._buckets.get(key, (float(rate.burst), now))
        left = min(rate.burst, left + (now - at) * rate.per_minute / 60)
        if left < 1:
            self._buckets[key] = (left, now)
            raise RateLimited(max(1, math.ceil((1 - left) * 60 / rate.per_minute)))
        self._buckets[key] = (left - 1, now)
