"""Which group an occurrence belongs to, by the belief its links carry. Every change can be taken back."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from sysop.incidents.correlation.knobs import Knobs
from sysop.incidents.correlation.state import Group, Member, Move

FEWEST, SHARE = 3, 0.34  # the better third of a group counts, and at least three
CORE = 24  # members of a group that can count: it bounds the cost
_COUNTED = [max(1, min(reach, max(FEWEST, math.ceil(SHARE * reach)))) for reach in range(CORE + 1)]
BETTER = 0.03  # a settled member moves only for this much more


class Grouping:
    """All groups, and which members have changed since anyone asked."""

    def __init__(self, knobs: Knobs) -> None:
        self._join, self._merge, self._look = knobs.join, knobs.merge, knobs.look_s
        self._largest = knobs.largest
        self.groups: dict[str, Group] = {}
        self.touched: dict[Member, None] = {}
        self._moves: list[Move] = []

    def group(self, name: str) -> Group:
        """Return a group by id, a new one if there is none."""
        found = self.groups.get(name)
        if found is None:
            found = self.groups[name] = Group(name)
        return found

    def place(self, member: Member, alike: Group | None) -> None:
        """Put a new member where its links carry the most belief, and merge the groups it ties together.

        Where they carry too little, it goes to the group of its own symptom, `alike`, if there is one.
        """
        member.alike = False
        join, largest = self._join, self._largest
        scores = self.scores(member) if member.links else {}
        fitting = [(score, group) for group, score in scores.items() if score >= join and len(group.members) < largest]
        if not fitting:
            member.alike = alike is not None and self.has_room(alike)
            self.put(member, alike if alike is not None and member.alike else self.group("I-" + member.key))
            return
        best = max(fitting, key=_score_then_id)[1] if len(fitting) > 1 else fitting[0][1]
        self.put(member, best)
        for _, rival in sorted(fitting, key=_id) if len(fitting) > 1 else ():
            if rival is not best and member.group is not None:
                self._try_merge(member.group, rival)

    def settle(self, member: Member) -> None:
        """Look once more, now that its followers are known: move it, or let it stand alone, if that is better."""
        home = member.group
        if len(member.links) == member.linked or home is None:
            return
        scores = self.scores(member)
        here = scores.pop(home, 0.0) if len(home.members) > 1 else self._join
        best = self._better(scores, here)
        if best is not None:
            self._move(member, best)
        elif len(home.members) > 1 and here < self._join and not member.alike:
            self._move(member, self.group("S-" + member.key))

    def _better(self, scores: dict[Group, float], here: float) -> Group | None:
        best, top = None, max(here + BETTER, self._join)
        for group, score in scores.items():
            if score < top or not self.has_room(group):
                continue
            if score > top or (best is not None and group.id < best.id):
                best, top = group, score
        return best

    def has_room(self, group: Group) -> bool:
        """Tell whether a group takes more members."""
        return len(group.members) < self._largest

    def scores(self, member: Member) -> dict[Group, float]:
        """Return, per group, the mean belief over the better third of its members in reach, at least three of them."""
        oldest, home = member.t - self._look, member.group
        scores: dict[Group, float] = {}
        for group, weights in _by_group(member).items():
            if group is None:
                continue
            times = group.times
            reach = len(times) - (group is home)
            if times and times[0] < oldest:
                reach -= bisect_left(times, oldest)
            count = _COUNTED[reach] if reach < CORE else _COUNTED[CORE]
            if len(weights) > count:
                weights.sort(reverse=True)
                del weights[count:]
            scores[group] = sum(weights) / count
        return scores

    def _try_merge(self, one: Group, other: Group) -> None:
        if not one.members or not other.members or one is other:
            return
        if len(one.members) + len(other.members) > self._largest:
            return
        large, small = (other, one) if len(other.members) > len(one.members) else (one, other)
        pairs = min(CORE, len(large.members)) * min(CORE, len(small.members))
        count = min(pairs, max(FEWEST, (pairs + 1) // 2))
        weights = sorted(_between(small, large), reverse=True)[:count]
        if sum(weights) / count > self._merge:
            keep, gone = (large, small) if _onset(large) <= _onset(small) else (small, large)
            for member in list(gone.members):
                self._move(member, keep)

    def put(self, member: Member, group: Group) -> None:
        """Add a member, noting whose visible group changes by it."""
        members = group.members
        if not members:
            self.groups[group.id] = group
        was = group.real
        group.take(member)
        self.touched[member] = None
        if group.real is not was and len(members) > 1:
            self.touched.update(dict.fromkeys(members))

    def remove(self, member: Member) -> None:
        """Take a member out of its group, noting whose visible group changes by it."""
        group = member.group
        if group is not None:
            was = group.real
            group.drop(member)
            self.touched[member] = None
            if was is not group.real:
                self.touched.update(dict.fromkeys(group.members))

    def forget(self, member: Member) -> None:
        """Let go of a member that can no longer change; its symptom goes on counting for its group."""
        group = member.group
        if group is None:
            return
        if group.members[0] is member:
            del group.members[0], group.times[0]
        else:
            group.members.remove(member)
            group.times.remove(member.t)
        if not group.members:
            self.groups.pop(group.id, None)

    def _move(self, member: Member, to: Group) -> None:
        home = member.group
        if home is not None:
            self.remove(member)
            self.put(member, to)
            self._moves.append((member, home, to))

    def take_moves(self) -> Sequence[Move]:
        """Return the moves since the last call."""
        if not self._moves:
            return ()
        moves, self._moves = self._moves, []
        return moves

    def undo(self, moves: Sequence[Move]) -> None:
        """Take moves back, the last one first."""
        for member, home, _ in reversed(moves):
            if not member.gone:
                self.remove(member)
                self.put(member, home)


def _by_group(member: Member) -> dict[Group | None, list[float]]:
    groups = [other.group for other in member.links]
    if not groups:
        return {}
    if groups.count(groups[0]) == len(groups):  # most often
        return {groups[0]: member.weights.copy()}
    found: dict[Group | None, list[float]] = {}
    for group, weight in zip(groups, member.weights):  # noqa: B905 (of one length; the check costs)
        if group in found:
            found[group].append(weight)
        else:
            found[group] = [weight]
    return found


def _between(small: Group, large: Group) -> Iterator[float]:
    for member in small.members[-CORE:]:
        for other, weight in zip(member.links, member.weights, strict=True):
            if other.group is large:
                yield weight


def _onset(group: Group) -> tuple[float, str]:
    return group.members[0].t, group.id


def _score_then_id(fit: tuple[float, Group]) -> tuple[float, str]:
    return fit[0], fit[1].id


def _id(fit: tuple[float, Group]) -> str:
    return fit[1].id
