"""How the figures of a page make its rank, and how those of the best pages say whether any fits.

Both are logistic models with weights learnt from questions whose right pages are known (`weights.py`); see
`benchmarks/learn_ranking.py` for the method and docs/figures.md for what they reach on pages they were not learnt from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.retrieval.features import Figures
from sysop.knowledge.retrieval.lexical import Entry
from sysop.knowledge.retrieval.vectors import Likeness

_LEAST_KNOWN: Final = 0.125
_DOUBTFUL: Final = 0.4  # a cosine below it says nothing


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one route and mode: of each signal, then of each proof, and what the proofs must come to."""

    signals: tuple[float, ...]
    proofs: tuple[float, ...]
    least: float


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


def proofs(ranked: Sequence[Ranked]) -> tuple[float, ...]:
    """Return what tells a question that is answered from one that is not, from its pages in their order."""
    first = ranked[0].fit
    best, second, sixth = (ranked[min(n, len(ranked) - 1)].score for n in (0, 1, 5))
    found = (
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
    if first.likeness is None:
        return found
    like, likes = first.likeness, [page.fit.likeness for page in ranked if page.fit.likeness is not None]
    return (*found, like.name, like.best, like.three, max(n.name for n in likes), max(n.best for n in likes))


def confidence(ranked: Sequence[Ranked], weights: Weights) -> float:
    """Return how sure it is that the first page answers, between 0 and 1; from 0.5 on it is taken to fit."""
    if not ranked or _strange(ranked):
        return 0.0
    total = sum(value * weight for value, weight in zip(proofs(ranked), weights.proofs, strict=True))
    return 1 / (1 + math.exp(max(min(weights.least - total, 500.0), -500.0)))


def _strange(ranked: Sequence[Ranked]) -> bool:
    """Return whether no page has words for an eighth of the question: in a small library chance would rank first."""
    return all(page.fit.likeness is None and page.fit.figures.known < _LEAST_KNOWN for page in ranked)


def in_order(pages: Iterable[Ranked]) -> list[Ranked]:
    """Return pages, the best first, equal ones by their id."""
    return sorted(pages, key=lambda page: (-page.score, page.id))
