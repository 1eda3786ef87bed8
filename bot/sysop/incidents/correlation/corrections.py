"""What people's merges and splits, and the past, have taught: symptoms that belong together, and that do not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from sysop.incidents.correlation.learnt import counts
from sysop.incidents.correlation.model import Correction, Learnt, Symptom
from sysop.incidents.correlation.state import Member

STEP, MOST = 8.0, 64.0  # one correction counts as much as a strong relation; two are as far as it goes
HABIT = 8.0  # as much as one correction

Pair = tuple[Symptom, Symptom]


class Corrections:
    """Multiplies the odds of pairs that were judged before they started: by people, or else by the past."""

    def __init__(self, corrections: Sequence[Correction], learnt: Sequence[Learnt] = ()) -> None:
        self._said: dict[Pair, list[Correction]] = {}
        for correction in sorted(corrections, key=lambda c: c.at):
            for pair in _both_ways(correction.one, correction.other):
                self._said.setdefault(pair, []).append(correction)
        self._learnt: dict[Pair, list[Learnt]] = {}
        for step in sorted(learnt, key=lambda step: step.at):
            for pair in _both_ways(step.one, step.other):
                self._learnt.setdefault(pair, []).append(step)
        self._about = {one for pairs in (self._said, self._learnt) for one, _ in pairs}

    def concern(self, member: Member) -> bool:
        """Tell whether anything was ever judged about the symptom of an occurrence."""
        return member.kind.told in self._about

    def factor(self, earlier: Member, later: Member) -> float:
        """Return what the odds of two occurrences are multiplied by; 1 where nothing is known of such a pair."""
        pair = (earlier.kind.told, later.kind.told)
        if pair not in self._said and pair not in self._learnt:
            return 1.0
        said = self._by_people(pair, earlier.t)
        return HABIT if said == 1 and self._habit(pair, earlier.t) is not None else said

    def words(self, earlier: Member, later: Member) -> str:
        """Return who or what has judged such a pair, empty where nobody and nothing has."""
        pair = (earlier.kind.told, later.kind.told)
        factor = self._by_people(pair, earlier.t)
        if factor != 1:
            return f"people {'merged' if factor > 1 else 'split'} such alerts before"
        habit = self._habit(pair, earlier.t)
        return f"fired together in {habit.together} of {habit.episodes} earlier episodes" if habit else ""

    def _by_people(self, pair: Pair, before: float) -> float:
        factor = 1.0
        for correction in self._said.get(pair, ()):
            if correction.at <= before:
                factor = min(MOST, max(1 / MOST, factor * (STEP if correction.together else 1 / STEP)))
        return factor

    def _habit(self, pair: Pair, before: float) -> Learnt | None:
        steps = self._learnt.get(pair, ())
        at = bisect_right(steps, before, key=lambda step: step.at)
        return steps[at - 1] if at and counts(steps[at - 1]) else None


def _both_ways(one: Symptom, other: Symptom) -> Iterator[Pair]:
    yield one, other
    if one != other:
        yield other, one
