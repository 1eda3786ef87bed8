"""A page in the pieces that are ranked: its names, and its sections in parts of some hundred words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.document import Document
from sysop.knowledge.retrieval.features import Terms
from sysop.knowledge.retrieval.words import terms, title_terms

WORDS: Final = 140
"""Of one part: what a small embedding model reads in one go. A longer section is cut with an overlap."""
_OVERLAP: Final = 20
MAX_PARTS: Final = 400
"""Of one page: about 50,000 words, after which it is a book and should be several pages."""

_MARKUP: Final = re.compile(r"\]\([^)]*\)|!\[|https?://\S+|[#*`>|\[\]{}_~]+")
_FENCED: Final = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)[ \t]*$", re.S | re.M)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a page. `section` is its place in `Document.sections`."""

    section: int
    heading: str
    text: str


def parts(document: Document) -> Iterator[Part]:
    """Yield the parts of a page in order, at most `MAX_PARTS`."""
    count = 0
    for number, section in enumerate(document.sections):
        for text in _cut(section.text):
            if count == MAX_PARTS:
                return
            count += 1
            yield Part(number, section.title, text)


def _cut(text: str) -> Iterator[str]:
    words = [found.start() for found in re.finditer(r"\S+", text)]
    if len(words) <= WORDS + _OVERLAP:
        yield text
        return
    for start in range(0, len(words) - _OVERLAP, WORDS):
        end = start + WORDS + _OVERLAP
        yield text[words[start] : words[end] if end < len(words) else None]


def names(document: Document) -> tuple[str, ...]:
    """Return what a page is called: its title, its file, its alerts."""
    found = (document.title, document.id.rpartition("/")[2], *document.alerts)
    return tuple(dict.fromkeys(name for name in found if name))


def page_terms(document: Document) -> Terms:
    """Return the stems of a page. Its title and names count as said once in each part."""
    called = {frozenset(title_terms(name)) for name in names(document)} - {frozenset()}
    title = Counter(terms(" ".join((document.title, document.id, *document.alerts))))
    where: dict[str, list[int]] = {}
    lengths: list[int] = []
    for number, part in enumerate(parts(document) if document.sections else [Part(0, "", "")]):
        counts = title + Counter(terms(f"{part.heading}\n{part.text}"))
        lengths.append(counts.total())
        for term, count in counts.items():
            where.setdefault(term, []).extend((number, count))
    found = {term: " ".join(map(str, flat)) for term, flat in where.items()}
    return Terms(tuple(sorted(called, key=sorted)), lengths, found)


def readable(part: Part, title: str) -> str:
    """Return a part as a model of meaning reads it: in words, with its title, without code and markup."""
    prose = _MARKUP.sub(" ", _FENCED.sub(" ", part.text))
    return " ".join(f"{in_words(title)}. {in_words(part.heading)}. {prose}".split())


def in_words(name: str) -> str:
    """Return a name with its identifiers taken apart: `KubePodCrashLooping` as `Kube Pod Crash Looping`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-/.]+", " ", name)
