"""Takes occurrences in order of start, one by one, and can take them back in the opposite order.

One figure per pair decides: the odds that two alerts share a cause, against a chance meeting,

    odds = brings x curve(gap) / usual rate x relation        belief = odds / (1 + odds) x trust of both

This is a Poisson cluster process with background noise, solved greedily.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from sysop.incidents.correlation.corrections import Corrections
from sysop.incidents.correlation.grouping import Grouping
from sysop.incidents.correlation.knobs import Knobs
from sysop.incidents.correlation.rate import Clustering
from sysop.incidents.correlation.relation import SAME_RULE_ON_MACHINES, Relations
from sysop.incidents.correlation.state import Group, Member, Place, Undo
from sysop.incidents.correlation.text import Texts

WEAK = 0.1  # links with less belief are not kept
IN_SCOPE, ON_SERVICE, ON_NEIGHBOUR, ON_MACHINE = 12, 4, 1, 12  # the latest firings looked at, by index
MOST_LINKS = 12  # to earlier ones where they agree; of a full core nine count, and the rest is cost
SAMPLE = 4
TOLD_TIMES = 8
FLAPPING = 2  # firings within the memory that no incident explained
MOST_ODDS = 2000


class Fold:
    """The line of occurrences in order of start, and everything learnt on the way to its end."""

    def __init__(self, relations: Relations, knobs: Knobs, corrections: Corrections) -> None:
        self._relations, self._knobs, self._corrections = relations, knobs, corrections
        self._curve, self._settle_s, self._look = knobs.curve(), knobs.settle_s, knobs.look_s
        self._lone_rank = knobs.lone_rank
        self.texts = Texts()
        self.grouping = Grouping(knobs)
        self.line: list[Member] = []
        self.folded = self.settled = 0
        self.base = 0  # occurrences forgotten; `Undo` counts from the very first

    def fold(self, member: Member) -> None:
        """Take the next occurrence of the line: learn from it, link it, place it."""
        place, t = member.place, member.t
        settled = self.settled + self.base
        if self.line[self.settled].t < t - self._settle_s:
            self._settle_before(t - self._settle_s)
        scope_rate = place.scope.rate.tick(t)
        cluster_rate = place.cluster.rate.tick(t)
        new_rule = self.texts.meet(member.kind)
        self._judge_member(member)
        usual = place.scope.rate.per_second()
        lesson = None
        if member.trust > WEAK:
            trust = place.cluster.clustering.trust()
            lesson = self._learn(member, place.cluster.clustering)
            self._link(member, self._knobs.brings * trust, usual)
        self.grouping.place(member, self._alike(member))
        self._index(member, usual)
        member.undo = (settled, scope_rate, cluster_rate, lesson, self.grouping.take_moves(), new_rule)
        self.folded += 1

    def unfold(self) -> None:
        """Take back the occurrence folded last."""
        member = self.line[self.folded - 1]
        undo, place = member.undo, member.place
        if undo is None:
            raise RuntimeError(f"{member.key} was forgotten and cannot be taken back")
        self.grouping.undo(undo[4])
        self.grouping.remove(member)
        self._unindex(member)
        for other in member.links:
            if other.links:
                del other.links[-1], other.weights[-1]
        member.links, member.weights, member.undo = [], [], None
        self._restore(member, place, undo)
        self.folded -= 1

    def forget(self, count: int) -> None:
        """Let go of the first occurrences of the line: they can no longer be taken back."""
        for member in self.line[:count]:
            member.gone, member.undo, member.links, member.weights = True, None, [], []
            self.grouping.forget(member)
        del self.line[:count]
        self.folded, self.settled, self.base = self.folded - count, max(0, self.settled - count), self.base + count

    def _restore(self, member: Member, place: Place, undo: Undo) -> None:
        settled, scope_rate, cluster_rate, lesson, _, new_rule = undo
        self.settled = max(0, settled - self.base)
        place.scope.rate.restore(scope_rate)
        place.cluster.rate.restore(cluster_rate)
        place.cluster.clustering.restore(lesson)
        if new_rule:
            self.texts.unmeet(member.kind)

    def _settle_before(self, moment: float) -> None:
        line = self.line
        while line[self.settled].t < moment:
            self.grouping.settle(line[self.settled])
            self.settled += 1

    def _judge_member(self, member: Member) -> None:
        """Firings that never grew into an incident make the next one of the same fingerprint less credible."""
        kind, oldest, repeats = member.kind, member.t - self._knobs.memory_s, 0
        if kind.fired and kind.fired[-1].t > oldest:
            for earlier in reversed(kind.fired[-TOLD_TIMES:]):
                if earlier.t <= oldest:
                    break
                group = earlier.group
                if group is None or len(group.symptoms) < 2:
                    repeats += 1
        member.repeats, member.belief = repeats, kind.credit / (1 + repeats)
        member.trust = member.belief * kind.credit
        member.loud = repeats < FLAPPING and kind.speaks_up(self._lone_rank)

    def _alike(self, member: Member) -> Group | None:
        """Return the group of the last firing of this symptom on another fingerprint, if it started just before.

        One rule on many replicas is one symptom, however fast they come.
        """
        alike = member.kind.alike
        if not alike or member.repeats >= FLAPPING or not member.kind.credit:
            return None
        last = alike[-1]
        near = member.t - last.t <= Clustering.NEAR_S and last.kind is not member.kind
        return last.group if near else None

    def _index(self, member: Member, usual: float) -> None:
        place, scope = member.place, member.place.scope
        scope.members.append(member)
        scope.times.append(member.t)
        scope.history.rates.append(usual)
        member.kind.fired.append(member)
        member.kind.alike.append(member)
        if place.here is not None:
            place.here.append(member)
        if place.on_machine is not None:
            place.on_machine.append(member)

    def _unindex(self, member: Member) -> None:
        place, scope = member.place, member.place.scope
        del scope.members[-1], scope.times[-1], scope.history.rates[-1]
        del member.kind.fired[-1], member.kind.alike[-1]
        if place.here is not None:
            del place.here[-1]
        if place.on_machine is not None:
            del place.on_machine[-1]

    def _candidates(self, place: Place, in_scope: bool, oldest: float) -> Iterable[Member]:
        """Return earlier occurrences worth a look: same scope, same and neighbouring services, same machine.

        A list whose newest is older than `oldest` is passed over; single older ones may be among those returned.
        """
        found: list[Member] = []
        if place.here and place.here[-1].t >= oldest:
            found += place.here[: -ON_SERVICE - 1 : -1]
        for members in place.near:
            if members and members[-1].t >= oldest:
                found += members[: -ON_NEIGHBOUR - 1 : -1]
        for members in place.machines:
            if members and members[-1].t >= oldest:
                found += members[: -ON_MACHINE - 1 : -1]
        if not in_scope:
            return dict.fromkeys(found)
        latest = place.scope.members[: -IN_SCOPE - 1 : -1]
        return dict.fromkeys(found + latest) if found else latest

    def _link(self, member: Member, brings: float, usual: float) -> None:
        place, t, trust, look = member.place, member.t, member.trust, self._look
        scope, odds_of, curve = place.scope, place.odds, self._curve
        judged = self._corrections.concern(member)
        calm = min(usual, scope.history.calm(t, self._settle_s))  # a burst is not its own background
        here = brings / calm
        there = brings / place.cluster.rate.per_second() if any(place.machines) else here
        member.wait = 1 / calm
        links, weights, room = member.links, member.weights, MOST_LINKS
        in_scope = here * curve[0] * trust > WEAK  # in a dense scope simultaneity proves nothing
        least = WEAK / max(trust - WEAK, 1e-9)  # weaker odds cannot give a link, whatever the other's trust
        for other in self._candidates(place, in_scope, t - look):
            gap = t - other.t
            if gap > look:
                continue
            at = other.place
            odds = odds_of.get(at)
            if odds is None or odds <= 0:
                odds = self._unsure(other, member, odds)
            if judged:
                odds *= self._corrections.factor(other, member)
            x = curve[int(gap)] * odds * (here if at.scope is scope else there)
            if x > least and (weight := x / (1 + x) * other.trust * trust) > WEAK:
                links.append(other)
                weights.append(weight)
                other.links.append(member)
                other.weights.append(weight)
                room -= 1
                if not room and self._of_one(links):
                    break
        member.linked = len(links)

    def _of_one(self, links: Sequence[Member]) -> bool:
        """Tell whether all are members of one group that takes more: then others can only say the same."""
        group = links[0].group
        return group is not None and self.grouping.has_room(group) and all(other.group is group for other in links)

    def _unsure(self, earlier: Member, later: Member, odds: float | None) -> float:
        """Return the odds of a relation that is new, forbidden, or one the topology knows nothing of."""
        if odds is None:
            odds = self._odds(earlier.place, later.place)
        if not odds and earlier.kind.rule is later.kind.rule:
            alike = self._relations.apart(earlier.place.entity, later.place.entity)
            return SAME_RULE_ON_MACHINES if alike else odds
        return odds if odds >= 0 else -odds * self.texts.factor(earlier.kind, later.kind)

    def _odds(self, earlier: Place, later: Place) -> float:
        relation = self._relations.between(earlier.entity, later.entity)
        if len(later.odds) > MOST_ODDS:
            later.odds.clear()
        odds = later.odds[earlier] = -relation.odds if relation.unsure else relation.odds
        return odds

    def _learn(self, member: Member, clustering: Clustering) -> tuple[float, float] | None:
        """Count related pairs close by and far apart; in a young scope the older half of its time counts as far."""
        times, t = member.place.scope.times, member.t
        seen = t - times[0] if times else 0.0
        if seen < 2 * clustering.NEAR_S:
            return None
        since, until = self._look, clustering.far_s
        if seen < since:
            since, until = seen, seen / 2
        close = bisect_left(times, t - clustering.NEAR_S)
        older = bisect_left(times, t - until)
        near = self._related(member, close, len(times))
        far = self._related(member, bisect_left(times, t - since), older)
        return clustering.learn(near, far * clustering.window_s / (since - until))

    def _related(self, member: Member, first: int, last: int) -> float:
        """Return how many of the scope's firings of a range are on related entities: a sample, scaled up."""
        size = last - first
        if size <= 0:
            return 0.0
        take, found, kind, place = min(SAMPLE, size), 0, member.kind, member.place
        known = place.odds.get
        for other in place.scope.members[last - take : last]:
            if other.kind is not kind:
                odds = known(other.place)
                if odds is None:
                    odds = self._odds(other.place, place)
                if odds > 1:
                    found += 1
        return found * size / take
