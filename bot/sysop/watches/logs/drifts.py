"""From drifts in single windows to findings: what lasts opens one, what is over for a while ends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sysop.watches.logs.rates import Drift

LASTS = 2
"""A changed rate must be seen in so many windows one after another; a new template has come often by itself."""

MOST = 5
"""So many findings may open in one window: after a deployment a hundred new templates are one piece of news."""


@dataclass(frozen=True, slots=True)
class Open:
    """A finding that is open, or will be if it lasts. `start` is when its first window began, in seconds."""

    key: str
    kind: str
    start: int
    seen: int = 1
    calm: int = 0
    told: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {"key": self.key, "kind": self.kind, "start": self.start, "calm": self.calm, "told": self.told}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Open:
        """Read one. Raises KeyError, TypeError or ValueError for what is none."""
        told = bool(value["told"])
        return cls(str(value["key"]), str(value["kind"]), int(value["start"]), 1, int(value["calm"]), told)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a window changed: findings that opened, with what was seen, and findings that ended, each with the time
    at which the first calm window began.

    `left_out` is how many more would have opened.
    """

    opened: tuple[tuple[Open, Drift], ...]
    ended: tuple[tuple[Open, int], ...]
    left_out: int


class Drifts:
    """Holds the findings of one log, at most one for each template."""

    def __init__(self, calm: int, held: Iterable[Open] = ()) -> None:
        self._calm = calm
        self._open = {one.key: one for one in held}

    @property
    def open(self) -> list[Open]:
        """Return the findings that were told and have not ended."""
        return [one for one in self._open.values() if one.told]

    def turn(self, found: Iterable[Drift], start: int, end: int) -> Turn:
        """Take what is unusual in the window between two times, in seconds; the strongest come first."""
        by_key = {drift.key: drift for drift in found}
        ended = [(one, end - one.calm * (end - start)) for one in self._without(by_key)]
        opened: list[tuple[Open, Drift]] = []
        left_out = 0
        for key, drift in by_key.items():
            held = self._seen(key, drift, start)
            if held.told or held.seen < (1 if drift.kind == "new" else LASTS):
                continue
            if len(opened) >= MOST:
                left_out += 1
                continue
            self._open[key] = replace(held, told=True)
            opened.append((self._open[key], drift))
        return Turn(tuple(opened), tuple(ended), left_out)

    def _seen(self, key: str, drift: Drift, start: int) -> Open:
        held = self._open.get(key)
        if held is None or (not held.told and held.kind != drift.kind):
            held = Open(key, drift.kind, start, seen=0)
        self._open[key] = replace(held, seen=held.seen + 1, calm=0)
        return self._open[key]

    def _without(self, by_key: Mapping[str, Drift]) -> list[Open]:
        """Count a calm window for every finding that is not in it, and return those that have ended by it."""
        over = []
        for key, held in list(self._open.items()):
            if key in by_key:
                continue
            calmer = replace(held, calm=held.calm + 1, seen=0)
            if held.told and calmer.calm < self._calm:
                self._open[key] = calmer
                continue
            del self._open[key]
            if held.told:
                over.append(calmer)
        return over
