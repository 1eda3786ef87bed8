"""The database's clock of a test: it runs as the host's does, and can be moved on."""

from __future__ import annotations

from datetime import timedelta

from sysop.store.writer import host_clock


class Moving:
    """Tells the time in milliseconds. PostgreSQL has a clock of its own, which nobody can move."""

    def __init__(self) -> None:
        self._ahead = 0

    def __call__(self) -> int:
        """Return the time."""
        return host_clock() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._ahead += int(by.total_seconds() * 1000)
