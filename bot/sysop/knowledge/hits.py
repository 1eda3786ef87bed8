"""What a search in pages gives: sections, with how sure it is that they answer. And the pages of some runbooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from sysop.errors import RunbookError
from sysop.inventory import nearest
from sysop.knowledge.document import Document
from sysop.knowledge.page import Section
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.runbook import Runbook

if TYPE_CHECKING:
    from sysop.knowledge.retrieval.asked import Route
    from sysop.knowledge.retrieval.search import Found, Search
    from sysop.knowledge.retrieval.view import Filters

MOSTLY: Final = 0.5
"""So much of a question must be known to a page that is followed, or answered from, without being named."""
_OPENING: Final = Section("", "", "", 1)


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that may answer. `confidence` is between 0 and 1: that this page is the one.

    `known` is the share of what was asked that the page has words for, 1 where the question names it. `note` says why
    pages were found by words alone although meaning should count as well, else it is empty.
    """

    page: Document
    section: Section
    confidence: float
    known: float
    note: str = ""

    @property
    def leads(self) -> bool:
        """Return whether a planner may go by it: in a short question one word can fit well and mean another thing."""
        return self.confidence >= FITS and self.known >= MOSTLY

    @property
    def citation(self) -> str:
        """Return `runbooks/x.md#section`."""
        return self.page.cite(self.section.slug)


class Pages(Protocol):
    """All pages there are, whether a machine can follow them or only people. Any thread may ask."""

    def find(self, asked: str, limit: int = 5, route: Route = "chat", filters: Filters | None = None) -> list[Hit]:
        """Return the best section of each of the best pages for a question or an alert's text, best first."""
        ...

    def get(self, name: str) -> Document:
        """Return a page by its path, id, file name or file name without suffix. Raises RunbookError."""
        ...

    def by_alert(self, name: str) -> Sequence[Document]:
        """Return the pages whose front matter names an alert, those that can be followed first."""
        ...

    def by_url(self, url: str) -> Sequence[Document]:
        """Return the pages that people read at an address."""
        ...

    def documents(self) -> Iterable[Document]:
        """Return every page, by path."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...


class Few:
    """Some runbooks, searched in memory."""

    def __init__(self, runbooks: Mapping[str, Runbook]) -> None:
        self._pages = {path: of_runbook(runbooks[path]) for path in sorted(runbooks)}

    def find(self, asked: str, limit: int = 5, route: Route = "chat", filters: Filters | None = None) -> list[Hit]:
        """Return the best section of each of the best pages, best first, however weak."""
        from sysop.knowledge.retrieval.view import Filters

        return hits(self._search.find(asked, route, filters or Filters(), limit), self._pages.get)

    def get(self, name: str) -> Document:
        """Return a page. Raises RunbookError."""
        for page in self._pages.values():
            if name in (page.path, page.id, page.file, page.stem):
                return page
        raise RunbookError(f"there is no runbook {name!r}{nearest(name, {page.stem for page in self._pages.values()})}")

    def by_alert(self, name: str) -> Sequence[Document]:
        """Return the pages that name an alert."""
        return [page for page in self._pages.values() if name in page.alerts]

    def by_url(self, url: str) -> Sequence[Document]:
        """Return nothing: nobody said where people read these."""
        return ()

    def documents(self) -> Iterable[Document]:
        """Return every page, by path."""
        return self._pages.values()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._pages)

    @cached_property
    def _search(self) -> Search:
        from sysop.knowledge.retrieval.lexical import Lexical  # 25 ms, for those who search only
        from sysop.knowledge.retrieval.search import Search

        made = Search(Lexical())
        made.update(self._pages.values(), ())
        return made


class Page(Protocol):
    """Returns a page by its id, None for one that is gone by now."""

    def __call__(self, id: str, /) -> Document | None:
        """Return it."""
        ...


def hits(found: Found, page: Page) -> list[Hit]:
    """Return what a search found, with the pages themselves."""
    told: list[Hit] = []
    for hit in found.hits:
        if (document := page(hit.id)) is None:
            continue
        told.append(
            Hit(document, _shown(document, hit.section), hit.confidence, 1.0 if hit.named else hit.known, found.note)
        )
    return told


def _shown(document: Document, number: int) -> Section:
    """Return a section, or where it is a heading alone the next one with text: people are to read something."""
    sections = document.sections[number:] or (_OPENING,)
    return next((section for section in sections if section.text.strip()), sections[0])


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
