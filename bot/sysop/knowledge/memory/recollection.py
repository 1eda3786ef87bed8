"""Past incidents searched by words, as pages are: an index in memory that follows the database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sysop.knowledge.hits import MOSTLY, hits
from sysop.knowledge.memory import learned
from sysop.knowledge.memory.background import background
from sysop.knowledge.memory.learned import Learned
from sysop.knowledge.memory.recall import Memory, incident_of, recall_these
from sysop.knowledge.retrieval import FITS
from sysop.store.store import Store

if TYPE_CHECKING:
    from sysop.knowledge.retrieval.asked import Route
    from sysop.knowledge.retrieval.search import Found, Search

T = TypeVar("T")

FEW: Final = 5
_HERE: Final = "memory"
_CANDIDATES: Final = 30
"""So many of the likest are weighed by age and by what people thought of them."""
_PAST: Final = re.compile(
    r"(?i)\b(?:already|again|before|earlier|ever|happen(?:ed|s)?|history|incidents?|last|months?|past|previous(?:ly)?"
    r"|recently|remember|same|seen|similar|since|times?|today|weeks?|years?|yesterday|we)\b"
)
"""Words that say only that the past is meant, or when: all that is remembered is past."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A past incident that fits some words. `confidence` is between 0 and 1: that it is what was asked for.

    `named` says that the words hold the name of an alert that it had.
    """

    memory: Memory
    confidence: float
    named: bool


class Recollection:
    """Finds past incidents. One a process: it is built when it is first asked, within `recall.MOST` incidents.

    Whatever any process has written is known to the next answer; what somebody said to forget is in none.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._search: Search | None = None
        self._position = ""

    async def find(
        self, text: str, route: Route = "chat", services: Sequence[str] = (), limit: int = FEW
    ) -> list[Recalled]:
        """Return the incidents that fit, the best first, newer ones and those that helped people before others.

        None come where nothing like it is remembered, nor any of other services than these.
        """
        told = _asked(text, services) if route == "chat" else text
        if not told.strip():
            return []
        search = await self._apart(self._followed())
        if search is None:
            return []
        found = await asyncio.to_thread(_find, search, told, route, services)
        ids = [incident_of(hit.id) for hit in found.hits]
        memories = await self._store.read(lambda conn: recall_these(conn, ids)) if ids else []
        known = {memory.document.id: memory for memory in memories}
        return _weighed(found, known, MOSTLY if route == "chat" and not services else 0.0)[:limit]

    async def _apart(self, work: Coroutine[Any, Any, T]) -> T:
        """Await what goes on to its end even if nobody waits for it any more: updates must come in their order."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    def _over(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits is told, and where nobody does, the next one who asks meets it again

    async def _followed(self) -> Search | None:
        """Return the index as it must be for what the database holds now, None where that is nothing."""
        async with self._turn:
            new = await learned.since(self._store, self._position)
            old = None if new.whole else self._search
            changed = new.added or (new.removed and old is not None)
            self._search = await asyncio.to_thread(_updated, old, new) if changed else old
            self._position = new.position
            return self._search


def _updated(search: Search | None, new: Learned) -> Search:
    from sysop.knowledge.retrieval.lexical import Lexical  # 25 ms, for those who ask only
    from sysop.knowledge.retrieval.search import Search

    pages = [replace(document, environments=()) for document in new.added]  # they are filed apart from the background
    if search is None:
        search = Search(Lexical())
        pages += background()
    search.update(pages, new.removed)
    return search


def _find(search: Search, text: str, route: Route, services: Sequence[str]) -> Found:
    from sysop.knowledge.retrieval.view import Filters

    return search.find(text, route, Filters(services=tuple(services), environments=(_HERE,)), _CANDIDATES)


def _asked(text: str, services: Sequence[str]) -> str:
    """Return what a question asks for, without what every incident of these services has in it: their names."""
    for name in services:
        text = re.sub(rf"(?i)(?<![\w-]){re.escape(name)}(?![\w-])", " ", text)
    return _PAST.sub(" ", text)


def _weighed(found: Found, memories: Mapping[str, Memory], known: float) -> list[Recalled]:
    """Return the memories that fit and have so much of the question: what is likely, and counts, comes first."""
    named = {hit.id for hit in found.hits if hit.named}
    told = hits(found, {id: each.document for id, each in memories.items()}.get)
    fitting = [hit for hit in told if hit.confidence >= FITS and hit.known >= known]
    past = [Recalled(memories[hit.page.id], hit.confidence, hit.page.id in named) for hit in fitting]
    return sorted(past, key=lambda one: (-one.confidence * one.memory.weight, one.memory.incident))
