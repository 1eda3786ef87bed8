"""The record of changes: what webhooks and asked places tell is written down, each change once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sysop.errors import SysopError
from sysop.extension import ChangeSource, PluginContext
from sysop.model import Change
from sysop.store import changes as rows
from sysop.store import leases
from sysop.store.changes import Told
from sysop.store.store import Store

DUTY = "asking for changes"
LEASE_MS = 180_000
FIRST_LOOK_MS = 24 * 3_600_000
OVERLAP_MS = 2 * 3_600_000
"""So far back a place is asked again: a deploy is known by when it was asked for, and may take long to end."""
MOST = 500
AT_ONCE = 100
LONGEST_S = 120.0
"""A place that does not answer in this time is ill: the others must not wait for it for ever."""

log = logging.getLogger(__name__)


def fit(changes: Iterable[Change]) -> list[Change]:
    """Return changes as a list. Raises ValueError, naming the field, for one that cannot be told from others."""
    found = list(changes)
    for number, change in enumerate(found):
        for field, fault in _faults(change):
            raise ValueError(f"changes[{number}].{field}: {fault}")
    return found


def _faults(change: Change) -> Iterator[tuple[str, str]]:
    if not change.source:
        yield "source", "must not be empty"
    if not change.id:
        yield "id", "must not be empty; by it a change that is told twice is known"
    if change.at == 0:
        yield "at", "is missing"
    yield from rows.faults(change)


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is asked, and what its plugin sees."""

    source: ChangeSource
    context: Callable[[], PluginContext]


class Feed:
    """Takes in what is told. `tick` asks the places that are due; call it every second or so, in any process.

    Of several processes one asks: on PostgreSQL whoever has the duty, and SQLite has one runner anyway.
    """

    def __init__(self, store: Store, places: Sequence[Place], secret: Callable[[str], str], worker: str) -> None:
        self._store = store
        self._places = places
        self._secret = secret
        self._worker = worker
        self._due: dict[str, float] = {}
        self._since: dict[str, int] = {}
        self._ill: set[str] = set()

    async def delivered(self, changes: Sequence[Change], moved: Sequence[str]) -> None:
        """Store what a webhook told, durable on return, and have post-checks look that wait for what has moved."""
        for first in range(0, len(changes), AT_ONCE):  # a large delivery must not keep effects from their ledger
            some = changes[first : first + AT_ONCE]
            await self._store.write(partial(rows.take, changes=some, told=Told.DELIVERED))
        if moved:  # apart: the rows of runs and those of changes are locked in another order by effects
            await self._store.write(partial(rows.note, keys=moved))

    async def tick(self) -> None:
        """Ask the places that are due. What goes wrong there is logged, once while it lasts."""
        now = asyncio.get_running_loop().time()
        due = [place for place in self._places if self._due.get(_name(place), now) <= now]
        if not due:
            return
        self._due.update({_name(place): now + place.source.every for place in due})
        if await self._on_duty():
            await asyncio.gather(*map(self.ask, due))

    async def ask(self, place: Place) -> None:
        """Ask one place."""
        name, now = _name(place), await self._store.now()
        since = self._since.get(name, now - FIRST_LOOK_MS)
        try:
            async with asyncio.timeout(LONGEST_S):
                found = fit(await place.source.look(place.context(), self._secret, since))
        except (SysopError, OSError, ValueError) as bad:
            self._fell_ill(name, "%s cannot be asked for changes: %s", name, str(bad) or "no answer in time")
            return
        except Exception as broken:  # plugin code: the other places are asked all the same, and this one again
            source = place.source
            self._fell_ill(
                name, "the plugin %s failed to ask %s for changes", source.plugin, source.name, exc_info=broken
            )
            return
        if len(found) > MOST:
            log.warning("%s told of %d changes at once; the newest %d are kept", name, len(found), MOST)
        await self._keep(sorted(found, key=lambda change: change.at)[-MOST:])
        self._since[name] = now - OVERLAP_MS
        self._ill.discard(name)

    def _fell_ill(self, name: str, *words: str, exc_info: Exception | None = None) -> None:
        if name not in self._ill:
            log.warning(*words, exc_info=exc_info)
        self._ill.add(name)

    async def _keep(self, found: Sequence[Change]) -> None:
        new = await self._store.read(partial(rows.unknown, changes=found, told=Told.ASKED))
        if new:
            await self._store.write(partial(rows.take, changes=new, told=Told.ASKED))

    async def _on_duty(self) -> bool:
        if self._store.embedded:
            return True
        fence = await self._store.write(lambda tx: leases.take(tx, DUTY, self._worker, LEASE_MS))
        return fence is not None


def _name(place: Place) -> str:
    return f"{place.source.plugin}/{place.source.name}"


Delivered = Callable[[Sequence[Change], Sequence[str]], Awaitable[None]]
"""Takes what a webhook told of changes, and the names of what has moved on."""
