"""What a search in the runbooks at hand gives: sections, with how sure it is that they answer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.document import Document
from sysop.knowledge.page import Section
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.runbook import Runbook

MOSTLY: Final = 0.5
"""So much of a question must be known to a page that is followed, or answered from, without being named."""
_OPENING: Final = Section("", "", "", 1)


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that may answer. `confidence` is between 0 and 1: that this page is the one.

    `known` is the share of what was asked that the page has words for, 1 where the question names it.
    """

    runbook: Runbook
    section: Section
    confidence: float
    known: float

    @property
    def leads(self) -> bool:
        """Return whether a planner may go by it: in a short question one word can fit well and mean another thing."""
        return self.confidence >= FITS and self.known >= MOSTLY

    @property
    def citation(self) -> str:
        """Return `runbooks/x.md#section`."""
        return self.runbook.cite(self.section.slug)


class Pages:
    """Some runbooks, searched by words in memory."""

    def __init__(self, runbooks: Iterable[Runbook]) -> None:
        from sysop.knowledge.retrieval.lexical import Lexical  # 25 ms, for those who search only
        from sysop.knowledge.retrieval.search import Search

        self._runbooks = {book.path: book for book in runbooks}
        self._search = Search(Lexical())
        self._search.update(map(of_runbook, self._runbooks.values()), ())

    def find(self, question: str, limit: int = 5) -> list[Hit]:
        """Return the best section of each of the best pages, best first, however weak."""
        found = self._search.find(question, limit=limit)
        hits = []
        for hit in found.hits:
            book = self._runbooks[hit.id]
            section = book.sections[hit.section] if hit.section < len(book.sections) else _OPENING
            # a page that ranks below the first is as much less likely as their scores say
            likely = found.confidence * math.exp(min(hit.score - found.hits[0].score, 0.0))
            hits.append(Hit(book, section, likely, 1.0 if hit.named else hit.known))
        return hits


def of_runbook(book: Runbook) -> Document:
    """Return a runbook as search knows it; its id is its path."""
    return Document(
        id=book.path,
        path=book.path,
        digest=book.digest,
        title=book.title,
        sections=book.sections,
        alerts=book.alerts,
        services=book.services,
        environments=book.environments,
        owner=book.owner,
        reviewed=book.reviewed,
        kind="runbook" if book.steps else "page",
    )
