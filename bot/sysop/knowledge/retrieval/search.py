"""Which pages answer, the best first, and whether any does at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sysop.knowledge.document import Document
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.retrieval.asked import Route, concepts
from sysop.knowledge.retrieval.exact import named
from sysop.knowledge.retrieval.features import figures, weigh
from sysop.knowledge.retrieval.lexical import Entry, Filters, Lexical
from sysop.knowledge.retrieval.ranking import Fit, Ranked, confidence, in_order, score
from sysop.knowledge.retrieval.vectors import Likeness, Progress, VectorStore
from sysop.knowledge.retrieval.weights import WEIGHTS

Mode = Literal["lexical", "hybrid"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that may answer. `section` is the place of its best one in `Document.sections`.

    `named` says that the question names the page: an alert's name, or its address. `known` is the share of what was
    asked that the page has words for.
    """

    id: str
    section: int
    score: float
    named: bool
    known: float


@dataclass(frozen=True, slots=True)
class Found:
    """The pages, the best first, with how sure it is that the first one answers (0 to 1)."""

    hits: tuple[Hit, ...]
    confidence: float

    @property
    def fits(self) -> bool:
        """Return whether any page answers; where none does, saying so is the honest answer."""
        return bool(self.hits) and self.confidence >= FITS


class Search:
    """Pages by words and, where there are vectors, by meaning as well."""

    def __init__(self, lexical: Lexical, vectors: VectorStore | None = None) -> None:
        self._lexical = lexical
        self._vectors = vectors

    @property
    def mode(self) -> Mode:
        """Return how it searches."""
        return "lexical" if self._vectors is None else "hybrid"

    def update(self, added: Iterable[Document], removed: Iterable[str], progress: Progress | None = None) -> None:
        """Take up pages, each in place of the one of its id, and forget others; durable when it returns."""
        pages, gone = list(added), list(removed)
        if self._vectors is not None:
            self._vectors.update(pages, gone, progress)
        self._lexical.update(pages, gone)

    def clear(self) -> None:
        """Forget everything."""
        if self._vectors is not None:
            self._vectors.clear()
        self._lexical.clear()

    def find(self, text: str, route: Route = "chat", filters: Filters = Filters(), limit: int = 10) -> Found:  # noqa: B008  frozen
        """Return the best pages for the text of an alert or a question."""
        exact, fits = self.fits(text, route, filters)
        weights = WEIGHTS[route, self.mode]
        order = in_order(Ranked(f.entry.id, score(f.figures, f.likeness, weights.signals), f) for f in fits)
        sure = 1.0 if exact else confidence(order, weights)
        order.sort(key=lambda page: page.id not in exact)
        return Found(tuple(_hit(page, page.id in exact) for page in order[:limit]), sure)

    def fits(self, text: str, route: Route, filters: Filters = Filters()) -> tuple[frozenset[str], list[Fit]]:  # noqa: B008  frozen
        """Return the ids of the pages a text names, and how each candidate fits, in no particular order."""
        asked = concepts(text, route)
        exact = self._lexical.named(named(text), filters)
        entries = self._lexical.candidates(asked, filters) | exact
        likes = self._near(text, entries, filters)
        question = weigh(asked, self._lexical.rarity, self._lexical.name_rarity)
        unlike = None if self._vectors is None else _UNLIKE
        fits = [Fit(entry, figures(question, entry.terms), likes.get(id, unlike)) for id, entry in entries.items()]
        return frozenset(exact), fits

    def _near(self, text: str, entries: dict[str, Entry], filters: Filters) -> Mapping[str, Likeness]:
        """Return likenesses, and add the pages nearest in meaning to the candidates."""
        if self._vectors is None:
            return {}

        def also(nearest: Iterable[str]) -> Sequence[str]:
            entries.update(self._lexical.entries((id for id in nearest if id not in entries), filters))
            return list(entries)

        return self._vectors.near(text, also)


_UNLIKE: Final = Likeness(0.0, 0.0, 0.0, None)
_NEAR: Final = 0.5


def _hit(page: Ranked, named: bool) -> Hit:
    """The part nearest in meaning is shown where it is near, else the one with most of the words."""
    fit, sections = page.fit, page.fit.entry.sections
    near = fit.likeness is not None and fit.likeness.part is not None and fit.likeness.best > _NEAR
    part = fit.likeness.part if near and fit.likeness is not None else fit.figures.part
    section = sections[part] if part is not None and part < len(sections) else 0
    return Hit(page.id, section, page.score, named, fit.figures.known)
