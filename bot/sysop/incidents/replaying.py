"""Replays: recorded deliveries through the engine that places live alerts, on the clock of the recording."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sysop.incidents.correlation import Correlator, Grounds, Knobs, Occurrence, Origin, Placement, Reason, Topology
from sysop.incidents.correlation.knobs import SEVERITIES
from sysop.incidents.correlation.severity import rank
from sysop.incidents.recorded import Recorded

SWEEP_S: Final = 600.0
"""After so long without a change an incident's origin is asked for, well before the engine forgets its alerts."""
HELD: Final = ("noise", "flapping", "old", "future", "waiting", "alone")
_PLACES: Final = ("instance", "namespace", "cluster")
"""Labels that say roughly where an alert is that names no service or machine."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where an alert occurrence was put, and when on the clock of the recording.

    The placement's reasons are from the evidence of that moment: read them before the next delivery is taken.
    """

    at: str
    placement: Placement

    def grounds(self) -> Grounds:
        """Return why, in a sentence and its parts."""
        try:
            return Grounds(self.placement.reason, self.placement.why)
        except KeyError:  # it came so late that it was placed and forgotten at once
            words = "it started before all that the engine remembers"
            return Grounds(words, (Reason("old", words, 0.0),))

    def as_line(self) -> str:
        """Return it as a line of predictions, `incident` null where the alert is held back."""
        return json.dumps({"alert": self.placement.key, "incident": self.placement.group, "at": self.at})


@dataclass(slots=True)
class _Alert:
    """What a replay keeps of an occurrence. Little, for there is one of each until its end."""

    name: str
    place: str
    severity: int
    starts_at: float
    arrived: float
    incident: str | None = None
    held: str = "undecided"


@dataclass(frozen=True, slots=True)
class ReplayedIncident:
    """An incident as it was at the end, its alerts in order of their start.

    Times are in seconds: the first and the last start of its alerts, and when the first of them arrived.
    """

    id: str
    title: str
    severity: str
    alerts: tuple[str, ...]
    began: float
    last: float
    arrived: float
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay.

    `repeats` counts mentions of an alert after its first, `held` what was held back, by kind of reason. `arrivals` are
    those of the alerts, in seconds and in order; `since` and `until` are the first and the latest `received_at`.
    """

    deliveries: int
    occurrences: int
    repeats: int
    moves: int
    since: str
    until: str
    arrivals: tuple[float, ...]
    held: Mapping[str, int]
    incidents: tuple[ReplayedIncident, ...]

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Return the alerts of every incident."""
        return {incident.id: incident.alerts for incident in self.incidents}


@dataclass(slots=True)
class _Counts:
    deliveries: int = 0
    repeats: int = 0
    moves: int = 0
    since: str = ""
    until: str = ""


@dataclass(slots=True)
class _Open:
    """The members of an incident so far, when it changed last, and what the engine said of its origins."""

    members: set[str] = field(default_factory=set)
    changed: float = -math.inf
    origins: tuple[Origin, ...] = ()


class Replay:
    """One run of recorded deliveries through an engine of its own. It reads no clock and no database.

    The memory it takes grows with the alert occurrences of the recording, not with its deliveries.
    """

    def __init__(self, topology: Topology, knobs: Knobs) -> None:
        self._engine = Correlator(topology, knobs)
        self._alerts: dict[str, _Alert] = {}
        self._incidents: dict[str, _Open] = {}
        self._unasked: dict[str, None] = {}
        self._counts = _Counts()
        self._clock = self._swept = -math.inf

    def take(self, delivery: Recorded) -> list[Decision]:
        """Feed one delivery and return what was decided by it.

        The clock never runs backwards: what was received out of order is decided on at the latest time so far.
        """
        self._tick(delivery)
        for occurrence in delivery.occurrences:
            self._add(occurrence)
        decided = [self._decide(placement) for placement in self._engine.flush()]
        if self._clock - self._swept >= SWEEP_S:
            self._sweep()
        return decided

    def end(self) -> list[Decision]:
        """Have the engine finish what it put off, and return what that decided."""
        decided = [self._decide(placement) for placement in self._engine.flush(close=True)]
        self._ask(self._unasked)
        for key, alert in self._alerts.items():
            if alert.incident is None:
                with contextlib.suppress(KeyError):  # long ago: what was said of it then stays
                    alert.held = _kind(self._engine.grounds(key).parts)
        return decided

    def result(self) -> Replayed:
        """Return how it ended, incidents by their first alert."""
        incidents = (self._incident(id, open) for id, open in self._incidents.items() if open.members)
        held: dict[str, int] = {}
        for alert in self._alerts.values():
            if alert.incident is None:
                held[alert.held] = held.get(alert.held, 0) + 1
        counts = self._counts
        return Replayed(
            deliveries=counts.deliveries,
            occurrences=len(self._alerts),
            repeats=counts.repeats,
            moves=counts.moves,
            since=counts.since,
            until=counts.until,
            arrivals=tuple(alert.arrived for alert in self._alerts.values()),
            held=dict(sorted(held.items(), key=lambda item: (-item[1], item[0]))),
            incidents=tuple(sorted(incidents, key=lambda incident: (incident.began, incident.id))),
        )

    def _tick(self, delivery: Recorded) -> None:
        counts = self._counts
        counts.deliveries += 1
        if delivery.clock > self._clock:
            self._clock, counts.until = delivery.clock, delivery.at
        counts.since = counts.since or delivery.at
        if self._swept == -math.inf:
            self._swept = self._clock

    def _add(self, occurrence: Occurrence) -> None:
        """Hand an occurrence to the engine once, as the live store does. One from a clock that runs ahead gets more."""
        known = self._alerts.get(occurrence.key)
        if known is not None:
            self._counts.repeats += 1
            if known.starts_at <= known.arrived:
                return
        self._engine.add(occurrence, self._clock)
        if known is None:
            name, service = self._engine.symptom(occurrence.key)
            self._alerts[occurrence.key] = _alert(occurrence, name, service, self._clock)

    def _decide(self, placement: Placement) -> Decision:
        alert = self._alerts[placement.key]
        if alert.incident is not None:
            self._counts.moves += 1
            self._touch(alert.incident).members.discard(placement.key)
        decision = Decision(self._counts.until, placement)
        if placement.group is None:
            alert.held = _kind(decision.grounds().parts)
        else:
            self._touch(placement.group).members.add(placement.key)
        alert.incident = placement.group
        return decision

    def _touch(self, incident: str) -> _Open:
        found = self._incidents.setdefault(incident, _Open())
        found.changed = self._clock
        self._unasked[incident] = None
        return found

    def _sweep(self) -> None:
        """Ask for the origins of incidents that have not changed since the last sweep."""
        self._ask([id for id in self._unasked if self._incidents[id].changed < self._swept])
        self._swept = self._clock

    def _ask(self, incidents: Iterable[str]) -> None:
        for id in tuple(incidents):
            found = self._incidents[id]
            if found.members:
                found.origins = self._engine.origins(id)
            else:
                del self._incidents[id]
            del self._unasked[id]

    def _incident(self, id: str, open: _Open) -> ReplayedIncident:
        keys = sorted(open.members, key=lambda key: (self._alerts[key].starts_at, key))
        members = [self._alerts[key] for key in keys]
        lead = self._alerts.get(open.origins[0].key) if open.origins else None
        lead = lead or max(members, key=lambda alert: (alert.severity, -alert.starts_at))
        return ReplayedIncident(
            id=id,
            title=f"{lead.name} on {lead.place}" if lead.place else lead.name,
            severity=SEVERITIES[max(alert.severity for alert in members)],
            alerts=tuple(keys),
            began=members[0].starts_at,
            last=members[-1].starts_at,
            arrived=min(alert.arrived for alert in members),
            origins=open.origins,
        )


def _kind(why: Iterable[Reason]) -> str:
    """Return the kind of reason for which an alert is held back; several firings of one symptom are `alike`."""
    kinds = {reason.kind for reason in why}
    return next((kind for kind in HELD if kind in kinds), "alike")


def _alert(occurrence: Occurrence, name: str, service: str, now: float) -> _Alert:
    labels = occurrence.labels
    return _Alert(
        name=name or "alert",
        place=service or next((labels[label] for label in _PLACES if labels.get(label)), ""),
        severity=rank(labels.get("severity")),
        starts_at=occurrence.starts_at,
        arrived=now,
    )
