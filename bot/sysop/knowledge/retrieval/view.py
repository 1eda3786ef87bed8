"""What the index of words holds at one time: it stays as it is while another one is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import tantivy

from sysop.knowledge.retrieval.asked import Concept
from sysop.knowledge.retrieval.features import Terms
from sysop.knowledge.retrieval.kept import ANY, FILTERS, Kept

PAGES, PARTS = 30, 60
"""How many candidates by the words of whole pages, and by those of parts."""
_SURE: Final = 0.5  # what a question means less surely finds no candidate, it only ranks
_MAX_TERMS: Final = 64
_KEPT: Final = 512
_STEMS: Final = 16_384  # the names of thirty pages hold some hundred, and every candidate asks for them again
_MOST_NAMED: Final = 20


Place = tuple[int, int]
"""Of a document in the index: its segment, and its number there."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Only pages for one of these, or for any. Empty: all."""

    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A page as the index keeps it. `sections` says for each part the place of its section in the document."""

    id: str
    terms: Terms
    sections: Sequence[int]


class View:
    """The pages of one time. Any thread may ask."""

    def __init__(self, index: Any) -> None:
        self._schema = index.schema
        self._searcher = index.searcher()
        self.written: Final = int(self._searcher.doc_freq("kind", "page"))
        """How many pages there are, with those removed lately: every other frequency counts them as well."""
        self._entry = lru_cache(maxsize=_KEPT)(self._read)
        self._place = lru_cache(maxsize=_KEPT)(self._look_up)
        self._rarity = lru_cache(maxsize=_STEMS)(self._rarity_in)

    def __len__(self) -> int:
        """Return how many pages there are."""
        pages = tantivy.Query.term_query(self._schema, "kind", "page")
        return int(self._searcher.search(pages, limit=1).count)

    def rarity(self, term: str) -> float:
        """Return how rare a stem is among the pages: its inverse document frequency."""
        return self._rarity("page", term)

    def name_rarity(self, term: str) -> float:
        """Return how rare a stem is among the names of pages."""
        return self._rarity("name", term)

    def _rarity_in(self, field: str, term: str) -> float:
        found = self._searcher.doc_freq(field, term)
        return math.log(1 + (max(self.written - found, 0) + 0.5) / (found + 0.5))

    def candidates(self, concepts: Sequence[Concept], filters: Filters) -> dict[str, Entry]:
        """Return the pages whose words fit best, by id, in no particular order."""
        asked = _asked(concepts)
        by_page = self._hits(asked, (("name", 1.0), ("page", 1.0)), filters, PAGES)
        by_part = self._hits(asked, (("part", 1.0),), filters, PARTS)
        found = {entry.id: entry for entry in (self._entry(*place) for place in by_page)}
        more = dict.fromkeys(self._id(*place) for place in by_part)
        return found | self.entries(id for id in more if id not in found)

    def entries(self, ids: Iterable[str], filters: Filters = Filters()) -> dict[str, Entry]:
        """Return pages by their ids; one that is not there, or does not pass, is left out."""
        return {id: self._entry(*place) for id in ids if (place := self._place(id, filters)) is not None}

    def named(self, keys: Sequence[str], filters: Filters) -> tuple[dict[str, Entry], dict[str, Entry]]:
        """Return the pages that one of these keys of `exact` names, and those that only their titles name."""
        if not keys:
            return {}, {}
        exact = self._named("exact", keys, filters)
        titled = self._named("titled", keys, filters)
        return exact, {id: entry for id, entry in titled.items() if id not in exact}

    def _named(self, field: str, keys: Sequence[str], filters: Filters) -> dict[str, Entry]:
        wanted = tantivy.Query.term_set_query(self._schema, field, list(keys))
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, wanted), *self._must(filters)])
        entries = (self._entry(*place) for place in self._places(query, _MOST_NAMED))
        return {entry.id: entry for entry in entries}

    def _look_up(self, id: str, filters: Filters) -> Place | None:
        query = tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Must, tantivy.Query.term_query(self._schema, "id", id)),
                (tantivy.Occur.Must, tantivy.Query.term_query(self._schema, "kind", "page")),
                *self._must(filters),
            ]
        )
        return next(self._places(query, 1), None)

    def _places(self, query: Any, limit: int) -> Iterator[Place]:
        """Yield where the best documents of a query are."""
        for _, address in self._searcher.search(query, limit=limit, count=False).hits:
            yield address.segment_ord, address.doc

    def _read(self, segment: int, number: int) -> Entry:
        found = self._searcher.doc(tantivy.DocAddress(segment, number))
        kept = Kept.read(found["kept"][0])
        names = tuple(map(frozenset, kept.names))
        return Entry(found["id"][0], Terms(names, kept.lengths, kept.where), kept.sections)

    def _id(self, segment: int, number: int) -> str:
        return str(self._searcher.doc(tantivy.DocAddress(segment, number))["id"][0])

    def everything(self) -> Iterator[tuple[str, Kept]]:
        """Yield every page by its id, in no particular order."""
        pages = tantivy.Query.term_query(self._schema, "kind", "page")
        for place in self._places(pages, max(self.written, 1)):
            found = self._searcher.doc(tantivy.DocAddress(*place))
            yield found["id"][0], Kept.read(found["kept"][0])

    def _hits(
        self, asked: Mapping[str, float], fields: Sequence[tuple[str, float]], filters: Filters, limit: int
    ) -> Iterator[Place]:
        schema, query = self._schema, tantivy.Query
        wanted = [
            (tantivy.Occur.Should, query.boost_query(query.term_query(schema, field, term), boost * weight))
            for term, weight in asked.items()
            for field, boost in fields
        ]
        if not wanted:
            return
        must = self._must(filters)
        whole = query.boolean_query([(tantivy.Occur.Must, query.boolean_query(wanted)), *must] if must else wanted)
        yield from self._places(whole, limit)

    def _must(self, filters: Filters) -> list[tuple[Any, Any]]:
        wanted = zip(FILTERS, (filters.services, filters.environments, filters.owners), strict=True)
        return [
            (
                tantivy.Occur.Must,
                tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, field, [*values, ANY]), 0.0),
            )
            for field, values in wanted
            if values
        ]


def _asked(concepts: Sequence[Concept]) -> Mapping[str, float]:
    """Return the stems to look for, those that were said first where there are too many."""
    found: dict[str, float] = {}
    for sure in (1.0, _SURE):
        for concept in concepts:
            for name, grade in concept.called if not concept.small else ():
                if grade >= sure:
                    for term in name:
                        found[term] = max(found.get(term, 0.0), grade * concept.weight / len(name))
    return dict(list(found.items())[:_MAX_TERMS])
