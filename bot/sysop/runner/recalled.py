"""What past incidents teach about a run's own, or about what somebody asks, for the people who look after it now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from sysop.agent.collect import named
from sysop.extension import Remembered
from sysop.incidents.similar import similar
from sysop.knowledge.memory.recall import Memory, recall_these, teaches, worth
from sysop.knowledge.memory.recollection import Recollection
from sysop.model import Incident, Run
from sysop.store import incidents
from sysop.store.recalled import told
from sysop.store.store import Store

LIKE: Final = 0.5
"""So alike a past incident must be to be brought up unasked; `sysop incidents similar` shows others, too."""
MOST: Final = 2
_TEXTS: Final = ("summary", "description", "message")
"""The annotations of an alert that say what is wrong."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered, and who asks: the services that are known, and the database."""

    store: Store
    recollection: Recollection
    services: Collection[str] = ()

    async def recalled(self, run: Run) -> tuple[Remembered, ...]:
        """Return what past incidents teach that fit a run's words or its incident, the likest first.

        What an earlier run about the incident has told is not told again.
        """
        known = await self.store.read(partial(told, incident=run.incident, run=run.id)) if run.incident else []
        found = [*await self._asked(run.text), *await self._alike(run.incident)]
        others = (one for one in found if one.incident not in {run.incident, *known})
        return tuple({one.incident: _remembered(one) for one in others}.values())[:MOST]

    async def _asked(self, text: str) -> list[Memory]:
        if not text:
            return []
        services = named(text, self.services)
        return [one.memory for one in await self.recollection.find(text, "chat", services, MOST)]

    async def _alike(self, incident: str | None) -> list[Memory]:
        """Return the incidents like one by alerts, origin and title; only where there is none, by what those say."""
        if incident is None:
            return []
        this = await self.store.read(partial(incidents.load, incident=incident))
        alike = await self.store.read(partial(_by_alerts, incident=this))
        if alike or not (words := _words(this)):
            return alike
        found = await self.recollection.find(words, "alert", this.services)
        before = [one for one in found if not one.named and one.memory.at < this.opened_at]
        return [one.memory for one in before if one.confidence * worth(one.memory.rated) >= LIKE]


def _by_alerts(conn: Connection, incident: Incident) -> list[Memory]:
    scores = {one.incident: one.score for one in similar(conn, incident)}
    counts = {one: scores[one.incident] * worth(one.rated) for one in recall_these(conn, scores)}
    return sorted((one for one in counts if counts[one] >= LIKE), key=lambda one: (-counts[one], one.incident))


def _words(incident: Incident) -> str:
    said = [alert.annotations.get(name, "") for alert in incident.alerts for name in _TEXTS]
    return "\n".join(dict.fromkeys(filter(None, (incident.title, *said))))


def _remembered(memory: Memory) -> Remembered:
    text = teaches(memory)
    return Remembered(memory.incident, f"{text[0].upper()}{text[1:]} ({memory.incident}).")
