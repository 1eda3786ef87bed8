"""The methods of a watch, as its settings name them, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from zoneinfo import ZoneInfo

from sysop.sections import MetricWatchSettings
from sysop.watches import shift
from sysop.watches.judgement import Judge, Judgement
from sysop.watches.outlier import Outlier
from sysop.watches.seasonal import Seasonal
from sysop.watches.track import Rule

GONE_S = 3600
"""A finding whose series gives no samples for so long has ended."""


@dataclass(frozen=True, slots=True)
class Strictness:
    """What a sensitivity means: robust deviations of a value, and the chance and the size of a change of level."""

    limit: float
    chance_below: float
    size: float


STRICTNESS: Mapping[str, Strictness] = {
    "low": Strictness(8.0, 1e-7, 2.0),
    "normal": Strictness(6.0, 1e-5, 1.5),
    "high": Strictness(4.0, 1e-3, 1.0),
}

PERIOD_S: Mapping[str, int] = {"day": 86_400, "week": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Methods:
    """Everything of a watch that judges samples; pure, the same for the live watch and for `sysop watches test`."""

    judges: tuple[Judge, ...]
    direction: str
    rule: Rule
    history: int

    @classmethod
    def of(cls, watch: MetricWatchSettings) -> Methods:
        """Return what a watch's settings ask for; `history` is how many samples all of it needs."""
        every = watch.every_seconds
        lasts, calm = -(-watch.for_seconds // every), -(-watch.calm_seconds // every)
        outlier_samples = watch.history_hours * 3600 // every
        period = PERIOD_S[watch.period] // every
        judges: dict[str, tuple[Judge, int]] = {}
        strict = STRICTNESS[watch.sensitivity]
        outlier = Outlier(outlier_samples, strict.limit, watch.least_change, lasts)
        judges["outlier"] = outlier, outlier_samples + lasts
        zone = UTC if watch.timezone == "UTC" else ZoneInfo(watch.timezone)
        earlier = Seasonal(period, watch.periods, strict.limit, watch.least_change, zone, every)
        judges["seasonal"] = earlier, earlier.history
        judges["shift"] = shift.Shift(strict.chance_below, strict.size, watch.least_change), shift.WINDOW
        wanted = [judges[name] for name in dict.fromkeys(watch.methods)]
        rule = Rule(lasts, calm, max(GONE_S // every, calm, 1))
        return cls(tuple(judge for judge, _ in wanted), watch.direction, rule, max(n for _, n in wanted))

    def judge(self, values: Sequence[float], place: int, slot: int = 0) -> Judgement:
        """Return what the method says that sees the largest departure in the watched direction.

        Where none could judge, it is the answer of the first.
        """
        said = [judge(values, place, slot) for judge in self.judges]
        judged = [one for one in said if one.judged]
        return max(judged, key=self.departure) if judged else said[0]

    def departure(self, judgement: Judgement) -> float:
        """Return how far a judgement departs in the watched direction."""
        if self.direction == "both":
            return abs(judgement.excess)
        return max(judgement.excess if self.direction == "up" else -judgement.excess, 0.0)
