"""How much of what strangers send is held in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Full(Exception):
    """There is no room for more. What was sent must be sent again."""


@dataclass
class Backlog:
    """Bounds deliveries that are not answered yet: bytes of all of them, and how many wait for the database.

    Only senders that are proven genuine count among those that wait, so nobody else can take their places.
    """

    max_waiting: int
    max_bytes: int
    waiting: int = 0
    bytes: int = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """Give one delivery its share, until it is answered."""
        share = Share(self)
        try:
            yield share
        finally:
            share.give_back()


@dataclass
class Share:
    """What one delivery takes of the backlog."""

    backlog: Backlog
    bytes: int = 0
    waits: bool = False

    def grow(self, size: int) -> None:
        """Hold so many more bytes. Raises Full."""
        if self.backlog.bytes + size > self.backlog.max_bytes:
            raise Full
        self.backlog.bytes += size
        self.bytes += size

    def wait(self) -> None:
        """Stand in the line for the database. Raises Full."""
        if self.backlog.waiting >= self.backlog.max_waiting:
            raise Full
        self.backlog.waiting += 1
        self.waits = True

    def give_back(self) -> None:
        """Leave everything to others."""
        self.backlog.bytes -= self.bytes
        self.backlog.waiting -= self.waits
