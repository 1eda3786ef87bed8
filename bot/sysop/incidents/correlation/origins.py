"""Where an incident probably began: who alerted first, whom the others call, who is loudest, who was changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sysop.incidents.correlation.model import Changed, Origin, Reason
from sysop.incidents.correlation.severity import UNSAID
from sysop.incidents.correlation.state import Group, Member
from sysop.incidents.correlation.topology import Topology

SOON_S = 60.0  # an effect is rarely seen a minute before its cause
EARLY, CALLED, CALLS, LOUD, CHANGED = 1.5, 1.5, -1.0, 0.4, 1.0  # logarithms of odds, in steps a person would give
JUST_CHANGED = 2.5  # more than being first or being called: most incidents follow a change
BEFORE_S = 1800.0  # so long before the first alert of a service a change of it counts
FADES_S = 900.0
STANDS_OUT = 1.25  # the first must be this much likelier than the second, else the origin is undetermined
MOST = 3


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An entity of the group with its first firing."""

    name: str
    first: Member
    rank: int
    change: str | None


@dataclass(frozen=True, slots=True)
class _Whole:
    """What each suspect is held against, found once: a storm may have thousands of them."""

    names: frozenset[str]
    changes: frozenset[str | None]
    on_machine: Counter[str]

    @classmethod
    def of(cls, suspects: Collection[_Suspect], topology: Topology) -> _Whole:
        names = frozenset(one.name for one in suspects)
        machines = (machine for name in names for machine in topology.runs_on(name))
        return cls(names, frozenset(one.change for one in suspects), Counter(machines))


def origins_of(group: Group, topology: Topology, changes: Sequence[Changed] = ()) -> tuple[Origin, ...]:
    """Return the probable origins of a group, likeliest first; empty where nothing stands out."""
    suspects = _suspects(group)
    if not suspects:
        return ()
    onset, whole = group.members[0].t, _Whole.of(suspects, topology)
    by_service = _by_service(changes)
    judged = [
        (suspect, [*_reasons(suspect, whole, onset, topology), *_changes_before(suspect, by_service)])
        for suspect in suspects
    ]
    total = math.fsum(_odds(reasons) for _, reasons in judged)
    found = [Origin(s.first.key, s.name, _odds(reasons) / total, tuple(reasons)) for s, reasons in judged]
    found.sort(key=lambda origin: (-origin.weight, origin.key))
    if len(found) > 1 and found[0].weight < STANDS_OUT * found[1].weight:
        return ()
    return tuple(found[:MOST])


def _odds(reasons: list[Reason]) -> float:
    return math.exp(math.fsum(reason.weight for reason in reasons))


def _suspects(group: Group) -> list[_Suspect]:
    by_name: dict[str, list[Member]] = {}
    for member in group.members:
        entity = member.place.entity
        by_name.setdefault(entity.service or entity.machine or "", []).append(member)
    by_name.pop("", None)
    return [
        _Suspect(name, members[0], max(m.kind.rank for m in members), _change(members))
        for name, members in by_name.items()
    ]


def _change(members: list[Member]) -> str | None:
    return next((m.place.entity.change for m in members if m.place.entity.change), None)


def _reasons(suspect: _Suspect, whole: _Whole, onset: float, topology: Topology) -> list[Reason]:
    key = suspect.first.key
    if len(whole.names) == 1:
        return [Reason("entity", f"every alert is about {suspect.first.place.entity.name}", 0.0, key)]
    reasons = [_early(suspect, onset), *_by_calls(suspect, whole, topology)]
    if suspect.rank > UNSAID:
        reasons.append(Reason("severity", "it is loud", LOUD * (suspect.rank - UNSAID), key))
    if suspect.change and len(whole.changes) > 1:
        reasons.append(Reason("change", f"it carries the change {suspect.change}", CHANGED, key))
    return reasons


def _by_service(changes: Sequence[Changed]) -> dict[str, list[Changed]]:
    found: dict[str, list[Changed]] = {}
    for one in changes:
        found.setdefault(one.service, []).append(one)
    return found


def _changes_before(suspect: _Suspect, by_service: dict[str, list[Changed]]) -> list[Reason]:
    """Return the newest change of the service, where it came shortly before its first alert or was under way then."""
    entity, first = suspect.first.place.entity, suspect.first.t
    if entity.about_machine:
        return []
    fits = [
        (min(one.at, first), one.words, one)
        for one in by_service.get(suspect.name.rsplit("/", 1)[-1], ())
        if one.began_at <= first <= one.at + BEFORE_S and not _elsewhere(one.environment, entity.environment)
    ]
    if not fits:
        return []
    at, _, newest = max(fits, key=lambda fit: fit[:2])
    by = f" by {newest.by}" if newest.by else ""
    words = f"{newest.words}{by} {_length(first - at)} before"
    if newest.at > first:
        words = f"{newest.words}{by}, begun {_length(first - newest.began_at)} before"
    return [Reason("change", words, JUST_CHANGED * math.exp(-(first - at) / FADES_S), suspect.first.key)]


def _elsewhere(one: str, other: str | None) -> bool:
    return bool(one and other) and one.casefold() != (other or "").casefold()


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _early(suspect: _Suspect, onset: float) -> Reason:
    delay = suspect.first.t - onset
    words = f"{suspect.first.kind.name} was the first" if not delay else f"first alert {delay:.0f} s after the onset"
    return Reason("time", words, EARLY * math.exp(-delay / SOON_S), suspect.first.key)


def _by_calls(suspect: _Suspect, whole: _Whole, topology: Topology) -> list[Reason]:
    entity, key = suspect.first.place.entity, suspect.first.key
    if entity.about_machine:
        itself = entity.machine in topology.runs_on(suspect.name)
        touched = whole.on_machine[entity.machine or ""] - itself
        return _shares(f"{touched} services of this incident run on it", touched, CALLED, key)
    callers = (topology.callers(suspect.name) & whole.names) - {suspect.name}
    callees = (topology.callees(suspect.name) & whole.names) - {suspect.name}
    return [
        *_shares(f"{_names(callers)} call{'s' * (len(callers) == 1)} it", len(callers), CALLED, key),
        *_shares(f"it calls {_names(callees)}, which also alert{'s' * (len(callees) == 1)}", len(callees), CALLS, key),
    ]


def _shares(words: str, count: int, most: float, key: str) -> list[Reason]:
    return [Reason("topology", words, most * count / (count + 1), key)] if count else []


def _names(keys: Collection[str]) -> str:
    names = sorted(key.rsplit("/", 1)[-1] for key in keys)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
