"""Refused requests, counted: an attacker cannot fill the audit log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field

from sysop.errors import StoreError
from sysop.store.store import Store

EVERY_S = 60.0

log = logging.getLogger(__name__)


@dataclass
class Refusals:
    """Counts refused requests of one surface; one audit entry a minute says how many."""

    store: Store
    actor: str
    counts: Counter[str] = field(default_factory=Counter)
    written_at: float = float("-inf")

    async def add(self, reason: str) -> None:
        """Count one refusal."""
        self.counts[reason] += 1
        if time.monotonic() - self.written_at < EVERY_S:
            return
        await self.flush()

    def note(self, reason: str) -> None:
        """Count one refusal whose answer must not wait for the database."""
        self.counts[reason] += 1

    async def keep_writing(self) -> None:
        """Write once a minute what was only noted, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted since the last entry."""
        if not self.counts:
            return
        counts, self.counts, self.written_at = self.counts, Counter(), time.monotonic()
        try:
            await self.store.write(lambda tx: tx.audit("system", "ingress.refused", self.actor, counts=counts))
        except StoreError:
            self.counts.update(counts)
            log.exception("refused requests could not be counted in the audit log")
