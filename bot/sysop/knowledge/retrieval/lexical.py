"""The index of words: which pages to look at for a question, among a hundred thousand parts.

Tantivy finds the candidates and keeps, beside each page, the stems its figures are made from; `features` ranks them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import tantivy

from sysop.knowledge.document import Document
from sysop.knowledge.retrieval.asked import Concept
from sysop.knowledge.retrieval.chunks import names, page_terms, parts
from sysop.knowledge.retrieval.exact import called as called_exactly
from sysop.knowledge.retrieval.features import Terms
from sysop.knowledge.retrieval.words import terms, title_terms

ANY: Final = "*"
"""What a page is filed under that names no service, environment or owner: it fits all."""
PAGES, PARTS = 30, 60
"""How many candidates by the words of whole pages, and by those of parts."""
_HEAP: Final = 20_000_000  # bytes; the least Tantivy takes is 15 MB
_SURE: Final = 0.5  # what a question means less surely finds no candidate, it only ranks
_MAX_TERMS: Final = 64
_KEPT: Final = 512
_STEMS: Final = 16_384  # the names of thirty pages hold some hundred, and every candidate asks for them again

_FILTERS: Final = ("service", "environment", "owner")
_MOST_NAMED: Final = 20


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


class Lexical:
    """Pages by their words, in a folder or, without one, in memory. One process at a time may update a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._index = tantivy.Index(_schema(), path=str(folder) if folder else None)
        self._index.register_tokenizer("stems", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
        self._refresh()

    def _refresh(self) -> None:
        self._index.reload()
        self._searcher = self._index.searcher()
        self._pages = self._searcher.doc_freq("kind", "page")  # with those removed lately, as in every other frequency
        self._entry = lru_cache(maxsize=_KEPT)(self._read)
        self._rarity = lru_cache(maxsize=_STEMS)(self._rarity_in)

    def __len__(self) -> int:
        """Return how many pages there are."""
        pages = tantivy.Query.term_query(self._index.schema, "kind", "page")
        return int(self._searcher.search(pages, limit=1).count)  # type: ignore[attr-defined]  # missing in its stubs

    def reload(self) -> None:
        """See what another process has written since."""
        self._refresh()

    def update(self, added: Iterable[Document], removed: Iterable[str]) -> None:
        """Write pages, each in place of the one of its id, and remove others; durable when it returns."""
        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        try:
            for id in removed:
                writer.delete_documents_by_term("id", id)
            for document in added:
                writer.delete_documents_by_term("id", document.id)
                for row in _rows(document):
                    writer.add_document(row)
            writer.commit()
        finally:
            writer.wait_merging_threads()  # what was not committed is dropped with the writer
        self._refresh()

    def clear(self) -> None:
        """Remove everything."""
        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        writer.delete_all_documents()
        writer.commit()
        writer.wait_merging_threads()
        self._refresh()

    def rarity(self, term: str) -> float:
        """Return how rare a stem is among the pages: its inverse document frequency."""
        return self._rarity("page", term)

    def name_rarity(self, term: str) -> float:
        """Return how rare a stem is among the names of pages."""
        return self._rarity("name", term)

    def _rarity_in(self, field: str, term: str) -> float:
        found = self._searcher.doc_freq(field, term)
        return math.log(1 + (max(self._pages - found, 0) + 0.5) / (found + 0.5))

    def candidates(self, concepts: Sequence[Concept], filters: Filters) -> dict[str, Entry]:
        """Return the pages whose words fit best, by id, in no particular order."""
        asked = _asked(concepts)
        by_page = self._hits(asked, (("name", 1.0), ("page", 1.0)), filters, PAGES)
        by_part = self._hits(asked, (("part", 1.0),), filters, PARTS)
        ids = dict.fromkeys([*by_page, *by_part])
        return self.entries(ids)

    def entries(self, ids: Iterable[str], filters: Filters = Filters()) -> dict[str, Entry]:
        """Return pages by their ids; one that is not there, or does not pass, is left out."""
        return {id: entry for id in ids if (entry := self._entry(id, filters)) is not None}

    def named(self, keys: Sequence[str], filters: Filters) -> dict[str, Entry]:
        """Return the pages that one of these keys of `exact` names."""
        if not keys:
            return {}
        wanted = tantivy.Query.term_set_query(self._index.schema, "exact", list(keys))
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, wanted), *self._must(filters)])
        hits = self._searcher.search(query, limit=_MOST_NAMED, count=False).hits
        return self.entries((self._searcher.doc(address)["id"][0] for _, address in hits), filters)

    def _read(self, id: str, filters: Filters) -> Entry | None:
        query = tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Must, tantivy.Query.term_query(self._index.schema, "id", id)),
                (tantivy.Occur.Must, tantivy.Query.term_query(self._index.schema, "kind", "page")),
                *self._must(filters),
            ]
        )
        hits = self._searcher.search(query, limit=1, count=False).hits
        if not hits:
            return None
        kept = json.loads(self._searcher.doc(hits[0][1])["kept"][0])
        return Entry(id, Terms(tuple(map(frozenset, kept["names"])), kept["lengths"], kept["where"]), kept["sections"])

    def _hits(
        self, asked: Mapping[str, float], fields: Sequence[tuple[str, float]], filters: Filters, limit: int
    ) -> Iterator[str]:
        schema, query = self._index.schema, tantivy.Query
        wanted = [
            (tantivy.Occur.Should, query.boost_query(query.term_query(schema, field, term), boost * weight))
            for term, weight in asked.items()
            for field, boost in fields
        ]
        if not wanted:
            return
        must = self._must(filters)
        whole = query.boolean_query([(tantivy.Occur.Must, query.boolean_query(wanted)), *must] if must else wanted)
        for _, address in self._searcher.search(whole, limit=limit, count=False).hits:
            yield self._searcher.doc(address)["id"][0]

    def _must(self, filters: Filters) -> list[tuple[Any, Any]]:
        wanted = zip(_FILTERS, (filters.services, filters.environments, filters.owners), strict=True)
        return [
            (
                tantivy.Occur.Must,
                tantivy.Query.const_score_query(
                    tantivy.Query.term_set_query(self._index.schema, field, [*values, ANY]), 0.0
                ),
            )
            for field, values in wanted
            if values
        ]


def _schema() -> Any:
    build = tantivy.SchemaBuilder()
    build.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    build.add_text_field("kind", tokenizer_name="raw", index_option="basic")
    for field in ("exact", *_FILTERS):
        build.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in ("name", "page", "part"):
        build.add_text_field(field, tokenizer_name="stems", index_option="freq")
    build.add_bytes_field("kept", stored=True, indexed=False)
    return build.build()


def _rows(document: Document) -> Iterator[Any]:
    title = " ".join(terms(" ".join((document.title, document.id, *document.alerts))))
    pieces = list(parts(document))
    texts = [f"{title} {' '.join(terms(f'{part.heading} {part.text}'))}" for part in pieces] or [title]
    filed = {
        "service": list(document.services) or [ANY],
        "environment": list(document.environments) or [ANY],
        "owner": [document.owner or ANY],
    }
    found = page_terms(document)
    kept = {
        "names": [sorted(name) for name in found.names],
        "lengths": found.lengths,
        "where": found.where,
        "sections": [part.section for part in pieces] or [0],
    }
    called = {term for name in names(document) for term in title_terms(name)}
    page = {"id": document.id, "kind": "page", "name": " ".join(sorted(called)), "page": " ".join(texts), **filed}
    page["exact"] = called_exactly(document)
    yield tantivy.Document.from_dict({**page, "kept": json.dumps(kept, separators=(",", ":")).encode()})
    for text in texts:
        yield tantivy.Document.from_dict({"id": document.id, "kind": "part", "part": text, **filed})


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
