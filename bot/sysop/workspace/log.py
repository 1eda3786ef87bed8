"""The inspector's log: every envelope, Web API call and answer in order, with no token in it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from sysop.workspace.clock import Clock
from sysop.workspace.wire import Json

KEPT = 5_000
_TOKEN = re.compile(r"\b(xox[a-z]|xapp)-[\w-]+")
_TICKET = re.compile(r"(ticket=|/hooks/|/upload/)[\w-]+")


class Log:
    """Keeps the last entries; each has its number `n` and the time `at`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: deque[Json] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, kind: str, **facts: Any) -> None:
        """Note one thing that happened."""
        self._count += 1
        clean = {name: redacted(value) for name, value in facts.items()}
        self._entries.append({"n": self._count, "at": self._clock.now(), "kind": kind, **clean})

    def after(self, n: int) -> list[Json]:
        """Return what was noted after entry `n`."""
        return [entry for entry in self._entries if entry["n"] > n]


def redacted(value: Any) -> Any:
    """Return a copy with tokens and one-use addresses made unreadable."""
    if isinstance(value, str):
        return _TICKET.sub(r"\1…", _TOKEN.sub(r"\1-…", value))
    if isinstance(value, Mapping):
        return {name: "…" if name == "token" else redacted(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(part) for part in value]
    return value
