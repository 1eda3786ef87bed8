"""Watches take turns: each looks when it is due, and what it finds is handed in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from sysop.errors import SysopError
from sysop.model import Alert

Firing = Callable[[], Awaitable[Sequence[Alert]]]
"""Reads the findings that have not ended."""

Take = Callable[[Iterable[Alert]], Awaitable[object]]
"""Takes alerts in, durable on return."""

AT_ONCE = 8
"""So many watches look at the same time: all of them are due when a minute begins."""

log = logging.getLogger(__name__)


class Watch(Protocol):
    """What looks when it is due."""

    @property
    def every_seconds(self) -> int:
        """Return how often to look."""
        ...

    def is_mine(self, alert: Alert) -> bool:
        """Tell whether a finding is this watch's."""
        ...

    def judges(self, now: float) -> bool:
        """Tell whether a look at this time would judge, for which it must be told what is open."""
        ...

    async def look(self, now: float, firing: Mapping[str, Alert]) -> list[Alert]:
        """Return the findings that opened or ended; `firing` are its open ones by fingerprint."""
        ...

    async def keep(self) -> None:
        """Write down what it remembers, now that what it found is stored."""
        ...


class Turns:
    """Some watches by name. What is open is asked of the database each time; what could not be stored is kept."""

    def __init__(self, watches: Mapping[str, Watch], firing: Firing, take: Take, clock: Callable[[], float]) -> None:
        self._watches = watches
        self._firing = firing
        self._take = take
        self._clock = clock
        self._due: dict[str, float] = {}
        self._unsent: list[Alert] = []
        self._trouble: dict[str, str] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def tick(self) -> None:
        """Let every watch look that is due, and hand in what was found."""
        now = self._clock()
        due = [name for name in self._watches if self._is_due(name, now)]
        if not due and not self._unsent:
            return
        firing = await self._firing() if any(self._watches[name].judges(now) for name in due) else ()
        for found in await asyncio.gather(*(self._look(name, now, firing) for name in due)):
            self._unsent += found
        if self._unsent:
            await self._take(tuple(self._unsent))
            self._unsent.clear()
        for name in due:
            await self._keep(name)

    def _is_due(self, name: str, now: float) -> bool:
        """Tell whether a watch is due; a clock that was set back does not make it wait until it is as late again."""
        due = self._due.get(name, 0.0)
        return due <= now or due > now + self._watches[name].every_seconds

    async def _look(self, name: str, now: float, firing: Sequence[Alert]) -> list[Alert]:
        watch = self._watches[name]
        self._due[name] = (now // watch.every_seconds + 1) * watch.every_seconds
        mine = {alert.fingerprint: alert for alert in firing if watch.is_mine(alert)}
        try:
            async with self._places:
                found = await watch.look(now, mine)
        except (SysopError, OSError) as bad:
            self._say(name, f"cannot look: {bad}")
            return []
        self._say(name, "")
        return found

    async def _keep(self, name: str) -> None:
        try:
            await self._watches[name].keep()
        except OSError as bad:
            log.warning("the watch %s cannot write its state, so that a restart would count again: %s", name, bad)

    def _say(self, name: str, trouble: str) -> None:
        """Log what keeps a watch from looking, once until it changes."""
        before = self._trouble.pop(name, "")
        if trouble:
            self._trouble[name] = trouble
        if trouble and trouble != before:
            log.warning("the watch %s %s", name, trouble)
        elif before and not trouble:
            log.info("the watch %s looks again", name)
