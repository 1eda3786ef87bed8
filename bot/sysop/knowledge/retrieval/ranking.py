"""How the figures of a page make its rank, and how those of the best pages say whether any fits.

Both are logistic models with weights learnt from questions whose right pages are known (`weights.py`); see
`benchmarks/learn_ranking.py` for the method and docs/figures.md for what they reach on pages they were not learnt from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.retrieval.asked import Concept, Route
from sysop.knowledge.retrieval.features import Figures
from sysop.knowledge.retrieval.intent import intents
from sysop.knowledge.retrieval.nearby import Likeness
from sysop.knowledge.retrieval.products import products
from sysop.knowledge.retrieval.view import Entry

_LEAST_KNOWN: Final = 0.125
_DOUBTFUL: Final = 0.4  # a cosine below it says nothing
_FAR: Final = 0.2  # texts that have nothing to do with each other are about so near
_SHORT: Final = 2


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one route and mode: of each signal, then of each proof, and what the proofs must come to."""

    signals: tuple[float, ...]
    proofs: tuple[float, ...]
    least: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a question before any page is looked at: how many things it names, and what it wants.

    `products` are those of its concepts that are software or protocols.
    """

    route: Route
    things: int
    intents: tuple[float, ...]
    products: tuple[Concept, ...]

    @classmethod
    def of(cls, text: str, route: Route, concepts: Sequence[Concept]) -> Asked:
        """Return it for a text and its concepts."""
        wants = intents(text) if route == "chat" else ()
        named = tuple(one for one in concepts if one.called[0][0][0] in products() and len(one.called[0][0]) == 1)
        return cls(route, sum(not one.small for one in concepts), wants, named)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a page fits a question. `likeness` is None where there are no vectors."""

    entry: Entry
    figures: Figures
    likeness: Likeness | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A page with its score among the others of one question."""

    id: str
    score: float
    fit: Fit


def signals(figures: Figures, likeness: Likeness | None) -> tuple[float, ...]:
    """Return what a page's rank is made from: nine values of its words, then five of its meaning."""
    both = figures.asked_in_name * figures.name_asked
    found = (
        figures.asked_in_name,
        figures.name_asked,
        figures.name_asked**2,
        figures.page,
        figures.best,
        figures.lead,
        figures.known,
        both,
        math.sqrt(both),
    )
    if likeness is None:
        return found
    nearest = max(likeness.name, likeness.best)
    return (*found, likeness.name, likeness.best, likeness.three, nearest, max(likeness.best - _DOUBTFUL, 0.0))


def score(figures: Figures, likeness: Likeness | None, weights: Sequence[float]) -> float:
    """Return how well a page fits, to be compared with other pages of the same question only."""
    return sum(value * weight for value, weight in zip(signals(figures, likeness), weights, strict=True))


def proofs(ranked: Sequence[Ranked], asked: Asked) -> tuple[float, ...]:
    """Return what tells a question that is answered from one that is not, from its pages in their order."""
    return (
        *_by_words(ranked),
        *_by_meaning(ranked, asked.route),
        *_by_products(ranked[0], asked),
        *_by_question(asked),
    )


def _by_words(ranked: Sequence[Ranked]) -> tuple[float, ...]:
    first = ranked[0].fit
    best, second, sixth = (ranked[min(n, len(ranked) - 1)].score for n in (0, 1, 5))
    return (
        1.0,
        first.figures.asked_in_name,
        first.figures.name_asked,
        first.figures.page,
        first.figures.best,
        first.figures.known,
        best,
        min(best - second, 3.0),
        min(best - sixth, 4.0),
        max(page.fit.figures.known for page in ranked),
        max(page.fit.figures.asked_in_name for page in ranked),
    )


def _by_meaning(ranked: Sequence[Ranked], route: Route) -> tuple[float, ...]:
    first, likes = ranked[0].fit.likeness, [page.fit.likeness for page in ranked if page.fit.likeness is not None]
    if first is None:
        return ()
    found = (first.name, first.best, first.three, max(n.name for n in likes), max(n.best for n in likes))
    if route == "alert":
        return found
    near = sorted((max(like.name, like.best) for like in likes), reverse=True)
    return (*found, near[0] - _mean(near[1:6], near[0]), near[0] - _mean(near[10:30], near[-1]))


def _by_products(first: Ranked, asked: Asked) -> tuple[float, ...]:
    """Return how surely a product that is asked about is missing in the page, and how surely one is there."""
    there = [first.fit.entry.terms.mentions(product.called) for product in asked.products]
    return (1 - min(there), max(there)) if there else (0.0, 0.0)


def _by_question(asked: Asked) -> tuple[float, ...]:
    if asked.route == "alert":
        return ()
    return (math.log1p(asked.things), float(asked.things <= _SHORT), *asked.intents)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def confidence(ranked: Sequence[Ranked], asked: Asked, weights: Weights) -> float:
    """Return how sure it is that the first page answers, between 0 and 1; from 0.5 on it is taken to fit."""
    if not ranked or all(map(_strange, ranked)):
        return 0.0
    total = sum(value * weight for value, weight in zip(proofs(ranked, asked), weights.proofs, strict=True))
    return 1 / (1 + math.exp(max(min(weights.least - total, 500.0), -500.0)))


def _strange(page: Ranked) -> bool:
    """Return whether a page has words for less than an eighth of the question: in a small library chance ranks it."""
    return page.fit.figures.known < _LEAST_KNOWN and far(page.fit)


def far(fit: Fit) -> bool:
    """Return whether a page is no nearer in meaning than any text, which is also so where there are no vectors."""
    return fit.likeness is None or max(fit.likeness.name, fit.likeness.best) < _FAR


def in_order(pages: Iterable[Ranked]) -> list[Ranked]:
    """Return pages, the best first, equal ones by their id."""
    return sorted(pages, key=lambda page: (-page.score, page.id))
