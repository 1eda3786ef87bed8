"""The company's own record of what was changed, by whom, and when."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["deploy", "config", "scale", "restart", "cleanup", "certificate", "checks"]


@dataclass(frozen=True)
class Change:
    """One thing that was changed, or checks that ran. `at` is in seconds since the epoch."""

    at: float
    kind: Kind
    service: str
    before: str
    after: str
    by: str


@dataclass
class Changes:
    """Every change since the start, oldest first."""

    made: list[Change] = field(default_factory=list)

    def note(self, kind: Kind, service: str, before: str, after: str, by: str) -> None:
        """Record a change that was just made."""
        self.made.append(Change(round(time.time(), 3), kind, service, before, after, by))

    def last(self, kind: Kind, service: str) -> Change | None:
        """Return the newest change of a kind to a service."""
        return next((one for one in reversed(self.made) if (one.kind, one.service) == (kind, service)), None)

    def told(self) -> list[dict[str, Any]]:
        """Return the record as JSON values."""
        now = time.time()
        return [{**asdict(one), "seconds_ago": round(now - one.at, 3)} for one in self.made]

    def deploys(self) -> list[dict[str, Any]]:
        """Return the deploys alone, as service, version and how long ago."""
        now = time.time()
        return [
            {"service": one.service, "version": one.after, "seconds_ago": round(now - one.at, 3)}
            for one in self.made
            if one.kind == "deploy"
        ]
