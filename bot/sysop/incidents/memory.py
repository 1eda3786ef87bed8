"""What correlation holds of the alerts that were stored, beside the names the database has for it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sysop.incidents.correlation import Changed, Correlator, Occurrence, Origin, Placement
from sysop.incidents.correlation.origins import BEFORE_S
from sysop.incidents.placements import Explained, Found
from sysop.store.alerts import Key, Placed

MOST = 150_000
MOST_ANEW = 200


class Memory:
    """One correlator, and what is known of what it holds."""

    def __init__(self, correlator: Correlator) -> None:
        self.correlator = correlator
        self.group: dict[str, str | None] = {}
        self._keys: dict[str, Key] = {}
        self._about: dict[str, tuple[str | None, float]] = {}
        self._doubted: set[str] = set()
        self.changes: Sequence[Changed] = ()
        self.mark: tuple[int, int] | None = None

    @classmethod
    def of(cls, correlator: Correlator, old: Sequence[Placed]) -> Memory:
        """Return the memory of a correlator that takes in what was placed before."""
        memory = cls(correlator)
        memory.add(old)
        memory.settle()
        return memory

    def fold(self, waiting: Sequence[Placed]) -> Found:
        """Take in what waits, and return what has changed by it."""
        self.add(waiting)
        return self.find([one.key for one in waiting])

    def hear(self, known: Sequence[Changed], since: float) -> None:
        """Know what was changed since a time, and doubt where those groups began that may be due to what is new of it.

        What has only become older than that is no news: an incident that lasts keeps its reasons.
        """
        times = _times(one for one in set(known).symmetric_difference(self.changes) if one.at >= since)
        self.changes = known
        due = (name for name, (service, at) in self._about.items() if _lies(at, times.get(service or "", ())))
        self.doubt(group for name in due if (group := self.group.get(name)) is not None)

    def doubted(self) -> Found | None:
        """Return where the groups began whose origins are in doubt: nothing of them moves. None where there is none.

        They are in doubt no more by then.
        """
        doubted, self._doubted = self._doubted, set()
        groups = {group: members for group in sorted(doubted) if (members := self._members(group))}
        origins = {group: [_as_json(one) for one in self.correlator.origins(group, self.changes)] for group in groups}
        return Found({}, groups, origins) if groups else None

    def doubt(self, groups: Iterable[str]) -> None:
        """Have `doubted` tell again where these groups began."""
        self._doubted.update(groups)

    def add(self, found: Iterable[Placed]) -> None:
        """Take in what was stored."""
        for one in found:
            name = name_of(one.key)
            self._keys[name] = one.key
            self._about[name] = one.alert.service, one.alert.starts_at / 1000
            self.correlator.add(occurrence(one), now=one.received_at / 1000)

    @property
    def full(self) -> bool:
        """Tell whether it is time to forget what is old: what is read anew is what correlation can still use."""
        return len(self._keys) > MOST

    def settle(self) -> None:
        """Take what was found so far for known."""
        for placement in self.correlator.flush(close=True):
            self.group[placement.key] = placement.group

    def find(self, waiting: Collection[Key]) -> Found:
        """Return what has changed since; of those that wait each is among it."""
        changed = self.correlator.flush(close=True)  # or late ones would wait, and be read again at once
        left = {group for one in changed if (group := self.group.get(one.key)) not in (None, one.group)}
        affected = left | {one.group for one in changed if one.group is not None}
        for one in changed:
            self.group[one.key] = one.group
        affected |= {group for key in waiting if (group := self.group.get(name_of(key))) is not None}
        members = {group: self._members(group) for group in sorted(affected)}
        groups = {group: keys for group, keys in members.items() if keys}
        origins = {group: [_as_json(one) for one in self.correlator.origins(group, self.changes)] for group in groups}
        moved = {self._keys[one.key]: _explained(one) for one in changed if one.key in self._keys}
        stayed = [key for group in left for key in groups.get(group or "", ())[:MOST_ANEW]]
        moved.update({key: self._as_before(key) for key in (*waiting, *stayed) if key not in moved})
        inside = {key for keys in groups.values() for key in keys}
        for key in waiting:
            if (group := moved[key].group) is not None and key not in inside:
                groups[group] = [*groups.get(group, ()), key]  # its group is forgotten, it is not
        return Found(moved, groups, origins, self._as_before)

    def _as_before(self, key: Key) -> Explained:
        """Return where an occurrence is that has not moved, with the reason as it is now.

        One that waits again, since a silence over it has ended or a person let go of it; one whose company has left.
        """
        name = name_of(key)
        return _explained(Placement(name, self.group.get(name), self.correlator))

    def _members(self, group: str) -> list[Key]:
        names = self.correlator.members(group)
        return [self._keys[name] for name in names if self.group.get(name) == group and name in self._keys]


def _times(changes: Iterable[Changed]) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Return, for each service, from when to when an alert may be due to a change of it: in order, and apart."""
    found: dict[str, list[tuple[float, float]]] = {}
    for one in sorted(changes, key=lambda change: change.began_at):
        times, begin, end = found.setdefault(one.service, []), one.began_at, one.at + BEFORE_S
        if times and begin <= times[-1][1]:
            begin, last = times.pop()
            end = max(last, end)
        times.append((begin, end))
    return found


def _lies(at: float, times: Sequence[tuple[float, float]]) -> bool:
    place = bisect_right(times, at, key=lambda time: time[0])
    return place > 0 and at <= times[place - 1][1]


def name_of(key: Key) -> str:
    """Return the name of an occurrence in correlation: made of what it is, never of when it came."""
    source, fingerprint, starts_at = key
    return f"{source}/{fingerprint}@{starts_at}"


def occurrence(one: Placed) -> Occurrence:
    """Return an alert as correlation sees it."""
    alert = one.alert
    return Occurrence(
        key=name_of(one.key),
        fingerprint=f"{alert.source}/{alert.fingerprint}",
        starts_at=alert.starts_at / 1000,
        labels=alert.labels,
        annotations=alert.annotations,
    )


def _as_json(origin: Origin) -> dict[str, Any]:
    return {"alert": origin.key, "service": origin.service, "weight": origin.weight, "reason": origin.words}


def _explained(placement: Placement) -> Explained:
    why = [{"kind": one.kind, "words": one.words, "weight": one.weight, "other": one.other} for one in placement.why]
    return Explained(placement.group, placement.reason, why)
