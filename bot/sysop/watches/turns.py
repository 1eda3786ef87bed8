"""A watch takes its turn: it looks when it is due, and what it finds is handed in."""

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
"""So many watches of one source look at the same time: all of them are due when a minute begins."""

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


class Turn:
    """One watch, and what it found that could not be stored yet. What is open is asked of the database each time.

    `places` are shared by the watches that ask the same source, so that not all of them ask at once.
    """

    def __init__(
        self,
        name: str,
        watch: Watch,
        firing: Firing,
        take: Take,
        clock: Callable[[], float],
        places: asyncio.Semaphore,
    ) -> None:
        self._name = name
        self._watch = watch
        self._firing = firing
        self._take = take
        self._clock = clock
        self._places = places
        self._due = 0.0
        self._unsent: list[Alert] = []
        self._trouble = ""

    async def tick(self) -> None:
        """Look, if the watch is due, and hand in what was found.

        What is left of an earlier look goes first: which findings are open is only known once it is stored.
        """
        await self._hand_in()
        now = self._clock()
        if not self._is_due(now):
            return
        firing = await self._firing() if self._watch.judges(now) else ()
        self._unsent += await self._look(now, firing)
        await self._hand_in()
        await self._keep()

    def _is_due(self, now: float) -> bool:
        """Tell whether it is time; a clock that was set back does not make it wait until it is as late again."""
        return self._due <= now or self._due > now + self._watch.every_seconds

    async def _hand_in(self) -> None:
        if self._unsent:
            await self._take(tuple(self._unsent))
            self._unsent.clear()

    async def _look(self, now: float, firing: Sequence[Alert]) -> list[Alert]:
        watch = self._watch
        self._due = (now // watch.every_seconds + 1) * watch.every_seconds
        mine = {alert.fingerprint: alert for alert in firing if watch.is_mine(alert)}
        try:
            async with self._places:
                found = await watch.look(now, mine)
        except (SysopError, OSError) as bad:
            self._say(f"cannot look: {bad}")
            return []
        self._say("")
        return found

    async def _keep(self) -> None:
        try:
            await self._watch.keep()
        except OSError as bad:
            log.warning("the watch %s cannot write its state, so that a restart would count again: %s", self._name, bad)

    def _say(self, trouble: str) -> None:
        """Log what keeps the watch from looking, once until it changes."""
        before, self._trouble = self._trouble, trouble
        if trouble and trouble != before:
            log.warning("the watch %s %s", self._name, trouble)
        elif before and not trouble:
            log.info("the watch %s looks again", self._name)
