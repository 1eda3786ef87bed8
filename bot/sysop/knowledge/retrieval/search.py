"""Which pages answer, the best first, and whether any does at all."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from sysop.errors import LibraryError
from sysop.knowledge.document import Document
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.retrieval.asked import Route, concepts, shortened
from sysop.knowledge.retrieval.exact import named
from sysop.knowledge.retrieval.features import figures, weigh
from sysop.knowledge.retrieval.lexical import Lexical
from sysop.knowledge.retrieval.mark import Mark
from sysop.knowledge.retrieval.nearby import Likeness, Nearby
from sysop.knowledge.retrieval.ranking import Asked, Fit, Ranked, confidence, far, in_order, score
from sysop.knowledge.retrieval.semantic import MeaningAway
from sysop.knowledge.retrieval.vectors import Progress, VectorStore
from sysop.knowledge.retrieval.view import Entry, Filters, View
from sysop.knowledge.retrieval.weights import WEIGHTS

Mode = Literal["lexical", "hybrid"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that may answer. `section` is the place of its best one in `Document.sections`.

    `named` says that the question names the page: an alert's name, or its address. `known` is the share of what was
    asked that the page has words for. `confidence` is how sure it is that this page answers (0 to 1), 1 where it is
    named.
    """

    id: str
    section: int
    score: float
    named: bool
    known: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Found:
    """The pages, the best first, with how sure it is that the first one answers (0 to 1).

    `note` says why they were looked for by words alone although there is an embedder, else it is empty.
    """

    hits: tuple[Hit, ...]
    confidence: float
    note: str = ""

    @property
    def fits(self) -> bool:
        """Return whether any page answers; where none does, saying so is the honest answer."""
        return bool(self.hits) and self.confidence >= FITS


@dataclass(frozen=True, slots=True)
class Fits:
    """How each candidate fits, in no particular order, found in which mode, and why not in the mode of the search.

    `named` holds the ids of the pages that the question names, with 2, or 1 where only a title does.
    """

    asked: Asked
    named: Mapping[str, int]
    fits: Sequence[Fit]
    mode: Mode
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Now:
    """What is known at one time, by words and by meaning. `note` says why there is no meaning although there should."""

    words: View
    meaning: Nearby | None
    note: str = ""


class Search:
    """Pages by words and, where there are vectors, by meaning as well. Any thread may ask while another updates.

    `marks` are files that say that everything was told, `outdated` those that an update here makes untrue; see
    `open_search`.
    """

    def __init__(
        self,
        lexical: Lexical,
        vectors: VectorStore | None = None,
        marks: Sequence[Mark] = (),
        outdated: Sequence[Mark] = (),
    ) -> None:
        self._lexical = lexical
        self._vectors = vectors
        self._marks = tuple(marks)
        self._outdated = tuple(outdated)
        self._turn = threading.RLock()
        self._now: _Now | None = None

    @property
    def mode(self) -> Mode:
        """Return how it searches."""
        return "lexical" if self._vectors is None else "hybrid"

    def __len__(self) -> int:
        """Return how many pages there are."""
        return len(self._lexical)

    def update(self, added: Iterable[Document], removed: Iterable[str], progress: Progress | None = None) -> None:
        """Take up pages, each in place of the one of its id, and forget others; durable when it returns.

        Raises LibraryError where it cannot be written, as the other methods that write.
        """
        pages, gone = list(added), list(removed)
        with _written():
            for mark in self._outdated:
                mark.remove()
            if self._vectors is not None:
                self._vectors.update(pages, gone, progress)
            self._lexical.update(pages, gone)
        self._look()

    def clear(self) -> None:
        """Forget everything. What is told again before `settle` costs no model anything."""
        with _written():
            for mark in (*self._marks, *self._outdated):
                mark.remove()
            if self._vectors is not None:
                self._vectors.clear()
            self._lexical.clear()
        self._look()

    def settle(self) -> None:
        """Note that everything has been told again after `clear`, or after `open_search` found something missing."""
        with _written():
            if self._vectors is not None:
                self._vectors.settle()
            for mark in self._marks:
                mark.write()

    def reload(self) -> None:
        """See what another process has written since; where it wrote nothing, this costs next to nothing."""
        self._lexical.reload()
        if self._vectors is not None:
            self._vectors.reload()
        self._look()

    def catch_up(self, progress: Progress | None = None) -> int:
        """Read pages whose vectors could not be had when they came; return how many still wait for them."""
        if self._vectors is None or not self._vectors.waiting:
            return 0
        with _written():
            self._vectors.catch_up(progress)
        self._look()
        return self._vectors.waiting

    def close(self) -> None:
        """Close the files."""
        if self._vectors is not None:
            self._vectors.close()

    def _look(self) -> None:
        """Ask from now on what is there now, in words and in meaning at once."""
        with self._turn:
            if self._now is not None:
                self._now = self._seen()

    def _seen(self) -> _Now:
        words = self._lexical.view
        if self._vectors is None:
            return _Now(words, None)
        try:
            return _Now(words, self._vectors.view)
        except sqlite3.DatabaseError as bad:
            log.warning("the index of meaning cannot be read; it is made anew at the next start: %s", bad)
            for mark in self._marks:
                mark.remove()
            return _Now(words, None, f"found by words alone: the index of meaning cannot be read ({bad})")

    def _at_hand(self) -> _Now:
        now = self._now
        if now is None:
            with self._turn:
                now = self._now = self._now or self._seen()
        return now

    def find(self, text: str, route: Route = "chat", filters: Filters = Filters(), limit: int = 10) -> Found:  # noqa: B008  frozen
        """Return the best pages for the text of an alert or a question, of which the first `MAX_TEXT` characters count.

        Pages that are named come first, and of these the ones that more than their titles name.
        """
        found = self.fits(text, route, filters)
        weights = WEIGHTS[route, found.mode]
        order = in_order(Ranked(f.entry.id, score(f.figures, f.likeness, weights.signals), f) for f in found.fits)
        sure = confidence(order, found.asked, weights)
        best = order[0].score if order else 0.0
        order.sort(key=lambda page: -found.named.get(page.id, 0))
        hits = []
        for page in order[:limit]:
            named = page.id in found.named
            # a page that ranks below the first is as much less likely as their scores say
            hits.append(_hit(page, named, 1.0 if named else sure * math.exp(page.score - best)))
        return Found(tuple(hits), 1.0 if found.named else sure, found.note)

    def fits(self, text: str, route: Route, filters: Filters = Filters()) -> Fits:  # noqa: B008  frozen
        """Return how pages fit; what shares no word with the question and is far from it in meaning is left out."""
        now, text = self._at_hand(), shortened(text)
        things = concepts(text, route)
        exact, titled = now.words.named(named(text), filters)
        entries = now.words.candidates(things, filters) | exact | titled
        likes, note = self._near(now, text, entries, filters)
        question = weigh(things, now.words.rarity, now.words.name_rarity)
        unlike = None if likes is None else _UNLIKE
        named_by = dict.fromkeys(titled, 1) | dict.fromkeys(exact, 2)
        fits = [
            Fit(entry, figures(question, entry.terms), likes.get(id, unlike) if likes is not None else None)
            for id, entry in entries.items()
        ]
        kept = [fit for fit in fits if fit.figures.known or fit.entry.id in named_by or not far(fit)]
        mode: Mode = "lexical" if likes is None else "hybrid"
        return Fits(Asked.of(text, route, things), named_by, kept, mode, note)

    def _near(
        self, now: _Now, text: str, entries: dict[str, Entry], filters: Filters
    ) -> tuple[Mapping[str, Likeness] | None, str]:
        """Return likenesses, and add the pages nearest in meaning to the candidates; None and why without vectors."""
        if now.meaning is None or self._vectors is None:
            return None, now.note
        if not now.meaning.spans:
            return (None, "no page has been read for its meaning yet") if len(now.words) else ({}, "")

        def also(nearest: Iterable[str]) -> Sequence[str]:
            entries.update(now.words.entries((id for id in nearest if id not in entries), filters))
            return list(entries)

        try:
            asked = self._vectors.embedder.ask(text)
        except MeaningAway as away:
            return None, f"found by words alone: {away}"
        return now.meaning.near(asked, also), ""


@contextmanager
def _written() -> Iterator[None]:
    """Say in our words what files and SQLite raise."""
    try:
        yield
    except (OSError, sqlite3.Error) as bad:
        raise LibraryError(f"the index cannot be written ({bad}); free disk space") from bad


_UNLIKE: Final = Likeness(0.0, 0.0, 0.0, None)
_NEAR: Final = 0.5


def _hit(page: Ranked, named: bool, likely: float) -> Hit:
    """The part nearest in meaning is shown where it is near, else the one with most of the words."""
    fit, sections = page.fit, page.fit.entry.sections
    near = fit.likeness is not None and fit.likeness.part is not None and fit.likeness.best > _NEAR
    part = fit.likeness.part if near and fit.likeness is not None else fit.figures.part
    section = sections[part] if part is not None and part < len(sections) else 0
    return Hit(page.id, section, page.score, named, fit.figures.known, likely)
