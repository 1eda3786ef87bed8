"""What pages are told: every change, in order, each to those who may see it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sysop.workspace.wire import Json

KEPT = 10_000

Sees = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `user` or `channel` narrows who sees it."""

    body: Json
    user: str | None
    channel: str | None


class Feed:
    """Publishes changes to the pages that listen, and keeps the last ones for those that come back."""

    def __init__(self, sees: Sees) -> None:
        self._sees = sees
        self._kept: deque[Change] = deque(maxlen=KEPT)
        self._listeners: dict[asyncio.Queue[Json | None], str] = {}
        self.last = 0

    def publish(self, type_: str, *, user: str | None = None, channel: str | None = None, **facts: Any) -> None:
        """Tell pages of a change."""
        self.last += 1
        body: Json = {"n": self.last, "type": type_, **facts}
        if channel is not None:
            body["channel"] = channel
        change = Change(body, user, channel)
        self._kept.append(change)
        for queue, listener in self._listeners.items():
            if self._visible(change, listener):
                queue.put_nowait(body)

    def after(self, n: int, user: str) -> list[Json]:
        """Return the changes somebody has not seen yet."""
        return [change.body for change in self._kept if change.body["n"] > n and self._visible(change, user)]

    @contextmanager
    def listen(self, user: str) -> Iterator[asyncio.Queue[Json | None]]:
        """Offer a queue of what happens while inside; None ends it."""
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._listeners[queue] = user
        try:
            yield queue
        finally:
            del self._listeners[queue]

    def close(self) -> None:
        """End every listener."""
        for queue in self._listeners:
            queue.put_nowait(None)

    def _visible(self, change: Change, user: str) -> bool:
        if change.user is not None and change.user != user:
            return False
        return change.channel is None or self._sees(user, change.channel)
