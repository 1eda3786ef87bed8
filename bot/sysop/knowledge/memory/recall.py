"""Past incidents as pages: what a search finds, what is said of it in a sentence, and what has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from sysop.knowledge.document import Document
from sysop.knowledge.memory import lesson as lessons
from sysop.knowledge.memory.lesson import Lesson, told
from sysop.store import bygone
from sysop.store.bygone import Bygone
from sysop.store.ratings import Rated
from sysop.store.writer import Tx

MOST: Final = 5000
"""Only so many of the newest incidents are remembered."""
HALF_LIFE_MS: Final = 90 * 86_400_000
HELPFUL: Final = 1.25
MOST_HELPFUL: Final = 2
"""So many people who found it helpful count; a crowd cannot lift one memory over all others."""
_SAID: Final = 300


@dataclass(frozen=True, slots=True)
class Memory:
    """A past incident and what it teaches. `at` is when it was opened, in milliseconds.

    `helped` is None where Sysop changed nothing. `minutes` is how long after the change that helped it was over.
    `weight` tells how much it counts among others: less with age and with every person who found it wrong. `as_of` is
    the time to which age and words are meant. `rated` is what people thought of it. `correction` is what a person wrote
    later, by `corrected_by`.
    """

    document: Document
    at: int
    minutes: int | None
    helped: bool | None
    weight: float
    as_of: int
    lesson: Lesson
    rated: Rated
    correction: str = ""
    corrected_by: str = ""

    @property
    def incident(self) -> str:
        """Return the id of the incident."""
        return incident_of(self.document.id)


def incident_of(document: str) -> str:
    """Return the incident that a memory's document is about, by the document's id."""
    return document.removeprefix("incident/")


def weight(age_ms: int, rated: Rated) -> float:
    """Return how much a memory counts: half after 90 days, a quarter more for each of up to two people whom it helped,
    half for each person who found it wrong.
    """
    fresh: float = 0.5 ** (max(0, age_ms) / HALF_LIFE_MS)
    return fresh * worth(rated)


def worth(rated: Rated) -> float:
    """Return how much a memory counts for what people thought of it alone, 1.0 where nobody has said a word."""
    return HELPFUL ** min(rated.helpful, MOST_HELPFUL) * 0.5**rated.wrong


def recall(conn: Connection, limit: int = MOST) -> list[Memory]:
    """Return what the newest incidents that are over teach, newest first, without those somebody said to forget."""
    now = Tx(conn).now()
    return [_memory(one, now) for one in bygone.load(conn, min(limit, MOST))]


def recall_these(conn: Connection, incidents: Iterable[str]) -> list[Memory]:
    """Return what these incidents teach, newest first; those that are open, unknown or forgotten are left out."""
    now = Tx(conn).now()
    return [_memory(one, now) for one in bygone.load_these(conn, dict.fromkeys(incidents))]


def teaches(memory: Memory) -> str:
    """Return in one sentence what a past incident teaches; what a person corrected comes before what rows show."""
    when = f"seen before on {_day(memory.at, memory.as_of)}"
    if memory.correction:
        words = lessons.line(memory.correction, _SAID).replace('"', "'")
        return f'{when}: {memory.corrected_by} corrected: "{words}"'
    return f"{when}: {_ended(memory.lesson)}"


def _ended(found: Lesson) -> str:
    if found.minutes is not None and found.quiet:
        return f"{found.fix} fixed it in {told(found.minutes)}"
    if found.minutes is not None:
        return f"{found.fix} helped, and it was closed {told(found.minutes)} later"
    how = f"no alert fired any more after {told(found.lasted)}" if found.quiet else f"closed after {told(found.lasted)}"
    if found.changes == 0:
        return f"{how}; Sysop changed nothing"
    tried = "1 change was tried" if found.changes == 1 else f"{found.changes} changes were tried"
    return f"{how}; {tried}, and none is known to have helped"


def _day(ms: int, now: int) -> str:
    date, today = (datetime.fromtimestamp(at / 1000, UTC) for at in (ms, now))
    return f"{date.day} {date.strftime('%b')}{'' if date.year == today.year else f' {date.year}'}"


def _memory(one: Bygone, now: int) -> Memory:
    found = lessons.lesson(one)
    correction = one.notes.correction
    return Memory(
        document=_document(one, found),
        at=one.opened_at,
        minutes=found.minutes,
        helped=found.helped,
        weight=weight(now - one.opened_at, one.rated),
        as_of=now,
        lesson=found,
        rated=one.rated,
        correction=correction.text if correction else "",
        corrected_by=lessons.person(correction.actor) if correction else "",
    )


def _document(one: Bygone, found: Lesson) -> Document:
    title, sections = lessons.line(one.title), lessons.sections(one, found)
    page = "\n\n".join([f"# {title}", *(f"## {each.title}\n\n{each.text}" for each in sections)])
    return Document(
        id=bygone.shown_as(one.id),
        path=bygone.shown_as(one.id),
        digest=hashlib.sha256(page.encode()).hexdigest(),
        title=title,
        sections=sections,
        alerts=_distinct(each.name for each in one.alerts),
        services=_distinct((*one.services, *(each.service for each in one.alerts))),
        environments=_distinct(each.environment for each in one.alerts),
        kind="incident",
        at=one.opened_at,
    )


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))
