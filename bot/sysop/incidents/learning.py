"""What correlation learns from incidents that are over: it changes at the turn of an hour, and at no other moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from sysop.incidents.correlation import Firing, Learnt, learn
from sysop.store import past
from sysop.store.store import Store

HOUR_MS = 3_600_000
BACK_MS = 30 * 24 * HOUR_MS


class Learning:
    """Reads the alerts of incidents that are over, once an hour."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hour = -1
        self.learnt: Sequence[Learnt] = ()

    async def again(self, now: int) -> bool:
        """Read the past if an hour has begun since the last time; tell whether what it teaches has changed.

        What was over before an hour counts for alerts that start in it or later, whenever that is read, so that whoever
        takes the duty of placing over goes by the same. `now` is in milliseconds. Raises StoreError.
        """
        hour = now // HOUR_MS
        if hour <= self._hour:
            return False
        until = hour * HOUR_MS
        found = await self._store.read(partial(past.firings, since=until - BACK_MS, until=until))
        before, self.learnt = self.learnt, tuple(await asyncio.to_thread(_learn, found))
        self._hour = hour
        return before != self.learnt


def _learn(found: Sequence[past.Fired]) -> list[Learnt]:
    return learn(
        Firing((one.name, one.service), one.environment, one.starts_at / 1000, _hour_after(one.over_at))
        for one in found
    )  # fmt: skip


def _hour_after(moment: int) -> float:
    return (moment // HOUR_MS + 1) * HOUR_MS / 1000
