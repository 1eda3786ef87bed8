"""How what is started will go: step by step as it is looked at, so that nothing depends on the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

START = 1_790_000_000
"""Seconds since the epoch of what was there before anybody came."""
_AGO = 300


def iso(seconds: int) -> str:
    """Return a time as text."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Clock:
    """A clock that goes on by a second whenever it is read. It begins five minutes ago, since clients know the time."""

    def __init__(self) -> None:
        self._now = int(time.time()) - _AGO

    def now(self) -> int:
        """Return the time in seconds."""
        self._now += 1
        return self._now


@dataclass(frozen=True, slots=True)
class Outcome:
    """How something will end: `good` or not, `looks` being how often it is looked at before it has ended."""

    good: bool = True
    log: str = ""
    annotations: Sequence[Mapping[str, Any]] = ()
    looks: int = 2


@dataclass(slots=True)
class Progress:
    """How far something has come."""

    outcome: Outcome
    began: int
    looked: int = 0
    stopped: bool = False
    ended: int | None = None

    @property
    def state(self) -> str:
        """Return `queued`, `running`, `good`, `bad` or `stopped`."""
        if self.ended is None:
            return "running" if self.looked else "queued"
        return "stopped" if self.stopped else "good" if self.outcome.good else "bad"

    def look(self, now: int) -> None:
        """Go on by one state."""
        self.looked += 1
        if self.ended is None and (self.stopped or self.looked >= self.outcome.looks):
            self.ended = now
