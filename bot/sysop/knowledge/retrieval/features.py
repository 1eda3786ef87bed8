"""How well one page fits a question, in a handful of figures between 0 and 1 that do not depend on other pages.

Each is a share of what was asked or of a name of the page, weighed by how rare the words are in the library (the usual
inverse document frequency), with the saturation of repeated words and of long texts as in BM25.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.retrieval.asked import Concept

_K1: Final = 1.2
_PAGE, _PART = (0.5, 300.0), (0.4, 60.0)  # (how much length counts, a usual length in words)
_OF_A_PHRASE: Final = 0.7

Rarity = Callable[[str], float]
Name = tuple[str, ...]
"""The stems of one word or phrase."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The stems of one page: of each of its names, and where they stand.

    `where` holds for each stem the number of a part and how often it stands there, in turn: "0 2 5 1". It is text
    because few of a page's stems are asked for, and numbers nobody looks at take longest to read. `lengths` are those
    of the parts, in words.
    """

    names: tuple[frozenset[str], ...]
    lengths: Sequence[int]
    where: Mapping[str, str]

    def mentions(self, called: Iterable[tuple[Name, float]]) -> float:
        """Return how surely the page speaks of something that is called so."""
        return max((sure for name, sure in called if all(term in self.where for term in name)), default=0.0)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A concept with its weight in texts and in names, and what it is called with how surely, the rarity in it.

    `begins` are the first stems of what it is called: a page with none of them need not be looked at.
    """

    concept: Concept
    text: float
    name: float
    called: tuple[tuple[Name, float], ...]
    begins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, weighed for one library. `means` holds stems with how surely the question means them."""

    concepts: tuple[Weighed, ...]
    text: float
    name: float
    means: Mapping[str, float]
    name_rarity: Rarity


@dataclass(frozen=True, slots=True)
class Figures:
    """How a page fits. `part` is the best one's number."""

    asked_in_name: float
    name_asked: float
    page: float
    best: float
    lead: float
    known: float
    part: int


def weigh(concepts: Iterable[Concept], rarity: Rarity, name_rarity: Rarity) -> Question:
    """Return a question with its weights in one library, whose rarities are given."""
    weighed = tuple(_weighed(concept, rarity, name_rarity) for concept in concepts)
    means: dict[str, float] = {}
    for one in weighed:
        for name, sure in one.concept.called:
            for term in name:
                means[term] = max(means.get(term, 0.0), sure if len(name) == 1 else _OF_A_PHRASE * sure)
    text, names = sum(one.text for one in weighed) or 1.0, sum(one.name for one in weighed) or 1.0
    return Question(weighed, text, names, means, name_rarity)


def _weighed(concept: Concept, rarity: Rarity, name_rarity: Rarity) -> Weighed:
    asked = concept.called[0][0]
    own = _of(asked, rarity)
    called = tuple((name, sure * min(own, _of(name, rarity)) / own) for name, sure in concept.called) if own else ()
    text = 0.0 if concept.small else own * concept.weight
    begins = frozenset(name[0] for name, _ in called)
    return Weighed(concept, text, _of(asked, name_rarity) * concept.weight, called, begins)


def _of(name: Name, rarity: Rarity) -> float:
    """A phrase is as rare as the mean of its words."""
    return sum(map(rarity, name)) / len(name) if name else 0.0


def figures(question: Question, page: Terms) -> Figures:
    """Return how a page fits a question."""
    found = [0.0] * len(page.lengths)
    whole = known = 0.0
    length = sum(page.lengths)
    here = page.where.keys() & question.means.keys()
    for one in question.concepts:
        if not one.text or one.begins.isdisjoint(here):
            continue
        total, parts, has = _standing(one.called, page, length)
        whole += total * one.text
        known += has * one.text
        for part, value in parts.items():
            found[part] += value * one.text
    best = max(range(len(found)), key=found.__getitem__)
    return Figures(
        asked_in_name=max((_asked_in(question, name) for name in page.names), default=0.0),
        name_asked=max((_asked_of(question, name) for name in page.names), default=0.0),
        page=whole / question.text,
        best=found[best] / question.text,
        lead=found[0] / question.text,
        known=known / question.text,
        part=best,
    )


def _standing(
    called: Iterable[tuple[Name, float]], page: Terms, length: int
) -> tuple[float, Mapping[int, float], float]:
    """Return how a concept stands in the whole page, in its parts, and how surely it is there at all."""
    whole = has = 0.0
    parts: dict[int, float] = {}
    where, lengths = page.where, page.lengths
    for name, sure in called:
        if name[0] not in where or not (places := _places(name, where)):
            continue
        has = max(has, sure)
        whole = max(whole, sure * _full(sum(places.values()), length, *_PAGE))
        for part, count in places.items():
            value = sure * _full(count, lengths[part], *_PART)
            if value > parts.get(part, 0.0):
                parts[part] = value
    return whole, parts, has


def _places(name: Name, where: Mapping[str, str]) -> Mapping[int, int]:
    found = _counts(where[name[0]])
    for term in name[1:]:
        if term not in where:
            return {}
        here = _counts(where[term])
        found = {part: min(found[part], here[part]) for part in found.keys() & here.keys()}
    return found


def _counts(flat: str) -> dict[int, int]:
    figures = [int(figure) for figure in flat.split()]
    return dict(zip(figures[::2], figures[1::2], strict=True))


def _full(count: int, length: int, lengthy: float, usual: float) -> float:
    return count / (count + _K1 * (1 - lengthy + lengthy * length / usual))


def _asked_in(question: Question, name: frozenset[str]) -> float:
    if name.isdisjoint(question.means):
        return 0.0
    found = 0.0
    for one in question.concepts:
        found += one.name * max((sure for called, sure in one.concept.called if name.issuperset(called)), default=0.0)
    return found / question.name


def _asked_of(question: Question, name: frozenset[str]) -> float:
    rarity, means = question.name_rarity, question.means
    if name.isdisjoint(means):
        return 0.0
    whole = sum(map(rarity, name))
    return sum(rarity(term) * means[term] for term in name if term in means) / whole if whole else 0.0
