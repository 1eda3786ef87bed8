"""Puts in words why an occurrence is where it is. Slow and seldom: only for who reads them."""

from __future__ import annotations

from sysop.incidents.correlation.corrections import Corrections
from sysop.incidents.correlation.fold import FLAPPING
from sysop.incidents.correlation.grouping import Grouping
from sysop.incidents.correlation.knobs import SEVERITIES, Knobs
from sysop.incidents.correlation.model import Grounds, Reason
from sysop.incidents.correlation.relation import Relation, Relations
from sysop.incidents.correlation.state import Group, Member
from sysop.incidents.correlation.text import Texts

MOST_PARTS = 4
ALIKE = 1.1  # a text factor below this is not worth words

Linked = tuple[float, Member]


class Teller:
    """Explains members by the evidence the engine holds at that moment."""

    def __init__(
        self, relations: Relations, knobs: Knobs, texts: Texts, corrections: Corrections, grouping: Grouping
    ) -> None:  # fmt: skip
        self._relations, self._knobs, self._texts = relations, knobs, texts
        self._corrections, self._grouping = corrections, grouping

    def grounds(self, member: Member, before: Member | None) -> Grounds:
        """Return the sentence and its parts; `before` founded the visible group the member has left."""
        group = member.group
        if group is None:
            words = "waits for its turn: it came late, and takes its place in the order of start with the next ones"
            return Grounds(words, (Reason("waiting", words, 0.0),))
        if not member.kind.credit:
            words = "held back: by its own severity, none, it is no problem"
            return Grounds(words, (Reason("noise", words, 0.0),))
        linked = self._linked(member, group)
        parts = [*self._link_parts(member, linked), *self._own_parts(member, linked)]
        sentence = self._sentence(member, group, linked)
        return Grounds(self._change(member, group, before) + sentence, tuple(parts) or (self._lone(member, sentence),))

    def aside(self, member: Member, too_old: bool) -> Grounds:
        """Return why a member was never compared with any other."""
        kept = f"{self._knobs.held * 3 // 4:,}".replace(",", " ")
        why = (
            f"it started before the oldest of the {kept} alerts remembered"
            if too_old
            else "its start lies in the future, so its source's clock is wrong"
        )
        lone = "an incident of its own" if member.visible else "held back"
        return Grounds(f"{lone}: {why}", (Reason("old" if too_old else "future", why, 0.0),))

    def _linked(self, member: Member, group: Group) -> list[Linked]:
        pairs = zip(member.weights, member.links, strict=True)
        found = [(weight, other) for weight, other in pairs if other.group is group and other is not member]
        return sorted(found, key=lambda pair: (-pair[0], pair[1].order))

    def _sentence(self, member: Member, group: Group, linked: list[Linked]) -> str:
        if not group.real:
            return "held back: " + self._why_held(member, group)
        if len(group.symptoms) < 2 and not linked:
            return f"an incident of its own: nothing else fits it, but it is {_severity(member)} and not flapping"
        if not linked:
            return "it started this group; nothing that is still remembered speaks for it"
        other = linked[0][1]
        agree = sum(weight >= self._knobs.join for weight, _ in linked)
        rest = len(group.members) - 1
        said = f"{self._relation(member, other)[1]}; {_gap(member, other)}"
        if agree and rest > 1:
            said += f"; {agree} of {rest} other members agree"
        return said

    def _why_held(self, member: Member, group: Group) -> str:
        if member.repeats >= FLAPPING:
            often = f"{member.repeats + 1} times within {_minutes(self._knobs.memory_s)}"
            return f"flapping: it fired {often} and nothing came of it"
        if len(group.members) > 1:
            return f"{len(group.members)} firings of one symptom, {_place(member)}, and no second kind of evidence"
        lone = self._knobs.alone_from
        alone = "" if lone == "never" else f", and {_severity(member)} alone opens no incident (from {lone} on it does)"
        return f"nothing else fits it yet{alone}"

    def _change(self, member: Member, group: Group, before: Member | None) -> str:
        if before is None or before.group is None:
            return ""
        if not group.real:
            return f"no longer in the group {'it began' if before is member else f'of {_place(before)}'}: "
        if before.group is group:
            return f"merged with the group of {_place(before)}: "
        return f"moved from the group of {_place(before)}, where it fits less by now: "

    def _link_parts(self, member: Member, linked: list[Linked]) -> list[Reason]:
        parts = []
        for weight, other in linked[:MOST_PARTS]:
            relation, told = self._relation(member, other)
            words = f"{told}; {_gap(member, other)}"
            parts.append(Reason(relation.kind, words, round(weight, 3), other.key))
            if relation.unsure and (factor := self._texts.factor(member.kind, other.kind)) > ALIKE:
                alike = (
                    "both are the same rule"
                    if member.kind.name == other.kind.name
                    else f"{member.kind.name} and {other.kind.name} read alike"
                )
                words = f"{alike}: odds times {factor:.1f}"
                parts.append(Reason("text", words, round(factor - 1, 3), other.key))
            factor = self._corrections.factor(*_in_order(member, other))
            if factor != 1:
                words = f"{self._corrections.words(*_in_order(member, other))}: odds times {factor:g}"
                parts.append(Reason("learnt", words, round(factor, 3), other.key))
        return parts

    def _own_parts(self, member: Member, linked: list[Linked]) -> list[Reason]:
        parts = []
        if linked and member.group is not None:
            score = self._grouping.scores(member).get(member.group, 0.0)
            words = f"mean belief over the better third {score:.0%}, needed {self._knobs.join:.0%}"
            if member.wait:
                words += f"; by chance something starts here every {member.wait:.0f} s"
            parts.append(Reason("time", words, round(score, 3)))
        if member.repeats:
            times = f"{member.repeats} time{'s' * (member.repeats > 1)}"
            words = f"it fired {times} before within {_minutes(self._knobs.memory_s)} without an incident"
            parts.append(Reason("flapping", f"{words}: it counts for {member.belief:.0%}", round(member.belief, 3)))
        return parts

    def _lone(self, member: Member, sentence: str) -> Reason:
        return Reason("alone", sentence, round(member.belief, 3))

    def _relation(self, member: Member, other: Member) -> tuple[Relation, str]:
        first, second = (m.place.entity for m in _in_order(member, other))
        relation = self._relations.between(first, second)
        return relation, relation.words(first, second)


def _in_order(one: Member, other: Member) -> tuple[Member, Member]:
    return (one, other) if one.order < other.order else (other, one)


def _place(member: Member) -> str:
    name = member.place.entity.name
    return f"{member.kind.name} on {name}" if name else member.kind.name


def _gap(member: Member, other: Member) -> str:
    gap = round(abs(member.t - other.t))
    if not gap:
        return f"together with {_place(other)}"
    return f"{gap} s {'after' if member.t > other.t else 'before'} {_place(other)}"


def _severity(member: Member) -> str:
    return SEVERITIES[member.kind.rank] if member.kind.said else "of no known severity"


def _minutes(seconds: float) -> str:
    return "an hour" if seconds == 3600 else f"{seconds / 60:.0f} minutes"
