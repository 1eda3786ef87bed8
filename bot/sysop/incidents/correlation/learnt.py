"""What the past teaches: symptoms that fire together in most of their episodes, counted from alerts, never groups."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sysop.incidents.correlation.model import Learnt, Symptom

APART_S = 3600.0  # a symptom that was quiet for so long starts an episode of its own
NEAR_S = 300.0  # two symptoms meet where their episodes start this close: the `for:` of a rule
FEWEST, SHARE = 3, 0.5  # meetings, and their share of all episodes of the two, from which they count
BESIDE = 16  # episodes that one is compared with: it bounds the cost of a storm
MOST_PAIRS, MOST_STEPS = 2000, 100

Pair = tuple[Symptom, Symptom]


class Firing(NamedTuple):
    """A symptom started somewhere, in seconds; `known` is when the incident it was part of was over."""

    symptom: Symptom
    where: str
    at: float
    known: float


def learn(firings: Iterable[Firing]) -> list[Learnt]:
    """Return which pairs of symptoms met in most of their episodes, and from when on that was known.

    What is returned for one moment goes by what was known at that moment: firings of a later hour change nothing of it.
    """
    episodes = sorted(_episodes(firings), key=lambda one: (one.at, one))
    known: dict[Symptom, list[float]] = {}
    for one in episodes:
        known.setdefault(one.symptom, []).append(one.known)
    for moments in known.values():
        moments.sort()
    often = [one for one in episodes if len(known[one.symptom]) >= FEWEST]
    found = [(pair, sorted(met)) for pair, met in _meetings(often).items() if len(met) >= FEWEST]
    found.sort(key=lambda one: (-len(one[1]), one[0]))
    steps = (_steps(pair, met, known[pair[0]], known[pair[1]]) for pair, met in found)
    return [step for some in islice(filter(None, steps), MOST_PAIRS) for step in some]


def _episodes(firings: Iterable[Firing]) -> Iterator[Firing]:
    """Yield the first firing of every episode."""
    last: dict[tuple[Symptom, str], float] = {}
    for one in sorted(firings, key=lambda one: (one.at, one.known)):
        before = last.get((one.symptom, one.where))
        last[one.symptom, one.where] = one.at
        if before is None or one.at - before > APART_S:
            yield one


def _meetings(episodes: Sequence[Firing]) -> dict[Pair, list[float]]:
    """Return, for every pair of symptoms, when each of their meetings was known."""
    found: dict[Pair, list[float]] = {}
    near: dict[str, deque[Firing]] = {}
    for one in episodes:
        beside = near.setdefault(one.where, deque(maxlen=BESIDE))
        for other in beside:
            if one.at - other.at <= NEAR_S and one.symptom != other.symptom:
                first, second = sorted((one.symptom, other.symptom))
                found.setdefault((first, second), []).append(max(one.known, other.known))
        beside.append(one)
    return found


def _steps(pair: Pair, met: list[float], one: list[float], other: list[float]) -> list[Learnt]:
    """Return what was known of a pair from each moment on that changed it; empty if it never counted."""
    steps = []
    for at in sorted({*met, *one, *other})[-MOST_STEPS:]:
        together = bisect_right(met, at)
        every = bisect_right(one, at) + bisect_right(other, at) - together
        steps.append(Learnt(at, *pair, together, every))
    return steps if any(map(counts, steps)) else []


def counts(step: Learnt) -> bool:
    """Tell whether two symptoms have met often enough to speak for a common cause."""
    return step.together >= FEWEST and step.together >= SHARE * step.episodes
