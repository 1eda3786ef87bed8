"""Plain lexical search over the sections of runbooks: BM25 on words, with the parts of identifiers.

`ServiceErrorRatioHigh` and `service_error_ratio` are found by "error ratio" and by each other. The score
ranks; the confidence is the share of the question's weight that a page covers, and below
`MIN_CONFIDENCE` no runbook fits, because a wrong one is worse than none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.page import Section
from sysop.knowledge.runbook import Runbook

MIN_CONFIDENCE: Final = 0.5
_K1, _B = 1.2, 0.75  # the usual values of BM25
_TITLE_WEIGHT, _HEADING_WEIGHT = 3, 2

_WORD: Final = re.compile(r"[A-Za-z0-9_]+|[^\W_]+")
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_STOP: Final = frozenset(
    re.findall(
        r"\w+",
        """a an and are as at be but by can did do does for from has have how i if in is it its me my no not of on or
        our please s so t that the their them then there they this to us was we what when where which who why will with
        you""",
    )
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that answers a question. `confidence` is between 0 and 1."""

    runbook: Runbook
    section: Section
    score: float
    confidence: float

    @property
    def citation(self) -> str:
        """Return `runbooks/x.md#section`."""
        return self.runbook.cite(self.section.slug)


@dataclass(frozen=True, slots=True)
class _Entry:
    runbook: Runbook
    section: Section
    counts: Counter[str]
    length: int


class Search:
    """An index over some runbooks, built once."""

    def __init__(self, runbooks: Iterable[Runbook]) -> None:
        self._entries = [_entry(r, s) for r in runbooks for s in (r.sections or (Section(r.title, "", "", 1),))]
        self._found_in = Counter(word for e in self._entries for word in e.counts)
        self._mean = sum(e.length for e in self._entries) / max(len(self._entries), 1) or 1.0

    def find(self, question: str, limit: int = 5) -> list[Hit]:
        """Return the best section of each of the best pages, best first, however weak."""
        asked = set(words(question))
        whole = sum(map(self._weight, asked))
        best: dict[str, tuple[float, _Entry]] = {}
        covered: dict[str, set[str]] = {}
        for entry in self._entries:
            common = asked & entry.counts.keys()
            score = sum(self._score(word, entry) for word in common)
            path = entry.runbook.path
            covered.setdefault(path, set()).update(common)
            if common and (path not in best or score > best[path][0]):
                best[path] = (score, entry)
        hits = [
            Hit(entry.runbook, entry.section, score, sum(map(self._weight, covered[path])) / whole)
            for path, (score, entry) in best.items()
        ]
        return sorted(hits, key=lambda h: (-h.score, h.runbook.path))[:limit]

    def _weight(self, word: str) -> float:
        total, found = len(self._entries), self._found_in[word]
        return math.log(1 + (total - found + 0.5) / (found + 0.5))

    def _score(self, word: str, entry: _Entry) -> float:
        count = entry.counts[word]
        return self._weight(word) * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * entry.length / self._mean))


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, identifiers whole and in parts, without stop words."""
    found: list[str] = []
    for word in _WORD.findall(text):
        parts = [_stem(p.lower()) for p in _PART.findall(word)]
        found += parts
        if len(parts) > 1:
            found.append(word.lower())
    return [w for w in found if w not in _STOP]


def _stem(word: str) -> str:
    """Return a word without its most usual endings, roughly: both sides of a comparison are treated alike."""
    for ending in ("ies", "ing", "ly", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def _entry(runbook: Runbook, section: Section) -> _Entry:
    counts = Counter(words(section.text))
    _add(counts, words(section.title), _HEADING_WEIGHT)
    _add(counts, words(" ".join((runbook.title, *runbook.alerts))), _TITLE_WEIGHT)
    return _Entry(runbook, section, counts, counts.total())


def _add(counts: Counter[str], found: Sequence[str], weight: int) -> None:
    for word in found:
        counts[word] += weight
