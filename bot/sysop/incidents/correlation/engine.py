"""The online engine: occurrences in, placements out."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from sysop.incidents.correlation.corrections import Corrections
from sysop.incidents.correlation.fold import Fold
from sysop.incidents.correlation.knobs import Knobs
from sysop.incidents.correlation.model import (
    Changed,
    Correction,
    Grounds,
    Learnt,
    Occurrence,
    Origin,
    Placement,
    Symptom,
)
from sysop.incidents.correlation.origins import origins_of
from sysop.incidents.correlation.reasons import Teller
from sysop.incidents.correlation.registry import Registry
from sysop.incidents.correlation.relation import Relations
from sysop.incidents.correlation.state import Member, order_of
from sysop.incidents.correlation.topology import Topology

CREDIT = 0.25  # steps back that every new occurrence pays for; each flush pays for one more
FIRST_CREDIT, MOST_CREDIT = 200, 20_000


class Correlator:
    """Groups occurrences. The final grouping is a function of their set, whatever order, repetition or batching.

    Occurrences are taken in order of start; a late one makes the engine step back to its place and forward again. Long
    steps back wait until as many new occurrences have paid for them, so that they never cost more than a constant
    factor; `flush(close=True)` takes all that wait. Exact for the newest three quarters of `Knobs.held` occurrences.
    """

    def __init__(
        self,
        topology: Topology,
        knobs: Knobs = Knobs(),  # noqa: B008
        corrections: Sequence[Correction] = (),
        learnt: Sequence[Learnt] = (),
    ) -> None:
        self._knobs = knobs
        self._registry = Registry(topology, knobs)
        self._topology = topology
        relations, judged = Relations(topology), Corrections(corrections, learnt)
        self._fold = Fold(relations, knobs, judged)
        self._teller = Teller(relations, knobs, self._fold.texts, judged, self._fold.grouping)
        self._known: dict[str, Member] = {}
        self._new: list[Member] = []
        self._late: list[Member] = []
        self._outside: dict[str, Member] = {}
        self._credit: float = FIRST_CREDIT
        self._floor = -math.inf

    def add(self, occurrence: Occurrence, now: float | None = None) -> None:
        """Take an occurrence; one whose key is known changes nothing. Cheap.

        `now` is the moment of arrival in seconds: a start far after it is a broken clock, and the occurrence stays a
        group of its own, until it arrives again when its start has come. Raises ValueError for a start that is no
        finite number.
        """
        known = self._known.get(occurrence.key)
        if known is not None:
            if self._outside and occurrence.key in self._outside:
                self._come_true(known, occurrence, now)
            return
        if not math.isfinite(occurrence.starts_at):
            raise ValueError(
                f"starts_at must be a finite number of seconds; {occurrence.key} has {occurrence.starts_at}"
            )
        member = self._known[occurrence.key] = Member(occurrence, self._registry.kind(occurrence))
        if member.t < self._floor or self._is_ahead(member, now):
            self._set_aside(member)
        else:
            self._take(member, occurrence)

    def _take(self, member: Member, occurrence: Occurrence) -> None:
        self._registry.speaks(member.kind.rule, occurrence)
        self._new.append(member)

    def _is_ahead(self, member: Member, now: float | None) -> bool:
        return now is not None and member.t > now + self._knobs.ahead_s

    def _come_true(self, member: Member, occurrence: Occurrence, now: float | None) -> None:
        """Take an occurrence set aside for its clock, once its start has come."""
        if member.t >= self._floor and not self._is_ahead(member, now):
            self._fold.grouping.remove(member)
            del self._outside[member.key]
            member.kind = self._registry.kind(occurrence)
            member.place = member.kind.place
            self._take(member, occurrence)

    def _set_aside(self, member: Member) -> None:
        self._outside[member.key] = member
        member.loud = member.kind.speaks_up(self._knobs.lone_rank)
        grouping = self._fold.grouping
        grouping.put(member, grouping.group("A-" + member.key))

    def flush(self, close: bool = False) -> list[Placement]:
        """Place what came since, and return the placements whose visible group changed, in order of start."""
        line = self._fold.line
        self._credit = min(MOST_CREDIT, self._credit + 1 + CREDIT * len(self._new))
        self._sort_new()
        if self._late:
            self._step_back(close)
        while self._fold.folded < len(line):
            self._fold.fold(line[self._fold.folded])
        if len(line) > self._knobs.held or len(self._outside) > self._knobs.held // 2:
            self._forget()
        return self._changes()

    def _sort_new(self) -> None:
        if not self._new:
            return
        line, new = self._fold.line, sorted(self._new, key=order_of)
        at = bisect_left(new, line[-1].order, key=order_of) if line else 0
        self._late += new[:at]
        line.extend(new[at:])
        self._new = []

    def _step_back(self, close: bool) -> None:
        fold, line = self._fold, self._fold.line
        self._late.sort(key=order_of)
        at = bisect_left(line, self._late[0].order, key=order_of)
        if not close and fold.folded - at > self._credit:
            return
        self._credit -= max(0, min(self._credit, fold.folded - at))
        while fold.folded > at:
            fold.unfold()
        line[at:] = sorted(line[at:] + self._late, key=order_of)
        self._late = []

    def _changes(self) -> list[Placement]:
        touched, self._fold.grouping.touched = self._fold.grouping.touched, {}
        changed = []
        for member in touched:
            seen = member.visible
            if seen != member.shown:
                if isinstance(member.shown, str):
                    member.left = member.shown[2:]
                member.shown = seen
                changed.append(member)
        changed.sort(key=order_of)
        return [Placement(member.key, member.visible, self) for member in changed]

    def _forget(self) -> None:
        """Drop the oldest: nothing before the new floor can change any more. Unsettled ones stay if there is room."""
        line, held = self._fold.line, self._knobs.held
        cut = max(min(len(line) - held * 3 // 4, self._fold.settled), len(line) - 2 * held)
        if cut > 0:
            self._floor = line[cut].t
            for member in line[:cut]:
                del self._known[member.key]
            self._fold.forget(cut)
            self._registry.forget(self._floor - self._knobs.memory_s, {late.kind for late in self._late})
            for member in self._late:
                if member.t < self._floor:
                    self._set_aside(member)
            self._late = [late for late in self._late if late.t >= self._floor]
        for key in list(self._outside)[: max(0, len(self._outside) - held // 4)]:
            self._fold.grouping.forget(self._outside.pop(key))
            del self._known[key]

    def members(self, group: str) -> tuple[str, ...]:
        """Return the keys of a visible group in order of start; empty for a group that is gone."""
        found = self._fold.grouping.groups.get(group)
        return tuple(member.key for member in found.members) if found else ()

    def origins(self, group: str, changes: Sequence[Changed] = ()) -> tuple[Origin, ...]:
        """Return where to look first, ranked, with reasons; empty where nothing stands out.

        What was changed shortly before raises the service it was changed on. Changes do not group alerts.
        """
        found = self._fold.grouping.groups.get(group)
        return origins_of(found, self._topology, changes) if found else ()

    def symptom(self, key: str) -> Symptom:
        """Return the alert's name and its service, as a `Correction` names them. Raises KeyError for an unknown key."""
        return self._known[key].kind.told

    def grounds(self, key: str) -> Grounds:
        """Return why an occurrence is where it is. Raises KeyError for an unknown key."""
        member = self._known[key]
        if key in self._outside:
            return self._teller.aside(member, member.t < self._floor)
        return self._teller.grounds(member, self._known.get(member.left) if member.left else None)
