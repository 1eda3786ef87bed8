"""The constants of correlation, each with its reason. docs/correlation.md says what happens when they change."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

SEVERITIES = ("none", "info", "warning", "error", "critical", "page")
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Knobs:
    """Every setting of the engine. Raises ValueError naming the field that is out of its range.

    `join`: mean belief needed to join a group. A pair gains pairwise F1 when its belief is above half of F1, about
    0.33; a little more, because the errors of one group come together.
    `merge`: mean belief between two groups needed to merge them: more likely than not; a wrong merge costs more.
    `brings`: alerts one more alert of the same incident brings along; incidents of three to eight alerts.
    `fast_s`, `slow_s`, `fast_share`: how soon a related alert follows: a scrape and an evaluation, or a rule's `for:`.
    `look_s`: no evidence from pairs further apart; what is left of the curve by then is one part in ninety.
    `settle_s`: every alert is looked at again once, this much later, with what came after it.
    `memory_s`: what "usual" refers to, for the rate of alerts and for flapping.
    `quiet_s`: starts closer than this count as one event in the usual rate, so that a burst is not its own background.
    `alone_from`: the severity from which a lone, credible symptom is an incident; "never" holds all of them back.
    `held`: occurrences kept, at most; older ones are forgotten a quarter at a time.
    `largest`: members after which a group takes no more: it bounds cost, and what one wrong join can swallow.
    `ahead_s`: how far a start may lie after the moment of its arrival before it is taken for a broken clock.
    """

    join: float = 0.40
    merge: float = 0.50
    brings: float = 4.0
    fast_s: float = 30.0
    slow_s: float = 200.0
    fast_share: float = 0.5
    look_s: float = 900.0
    settle_s: float = 300.0
    memory_s: float = 3600.0
    quiet_s: float = 20.0
    alone_from: str = "error"
    held: int = 20_000
    largest: int = 5_000
    ahead_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("join", "merge", "fast_share"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, both excluded; it is {getattr(self, name)}")
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "alone_from" and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{item.name} must be a number above 0; it is {value}")
        if self.alone_from != NEVER and self.alone_from not in SEVERITIES:
            raise ValueError(f"alone_from must be one of {', '.join(SEVERITIES)} or {NEVER}; it is {self.alone_from!r}")
        if self.held < 1000:
            raise ValueError(f"held must be at least 1000; it is {self.held}")

    @property
    def lone_rank(self) -> int:
        """Return the rank of `alone_from`; above every severity for "never"."""
        return SEVERITIES.index(self.alone_from) if self.alone_from != NEVER else len(SEVERITIES)

    def curve(self) -> list[float]:
        """Return, per second of gap, the density with which a related alert follows: two exponentials mixed."""
        return [
            self.fast_share * math.exp(-gap / self.fast_s) / self.fast_s
            + (1 - self.fast_share) * math.exp(-gap / self.slow_s) / self.slow_s
            for gap in (whole + 0.5 for whole in range(int(self.look_s) + 1))
        ]
