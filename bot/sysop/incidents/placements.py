"""What correlation found, written down: alerts put into incidents or held back, incidents opened, merged and split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sysop.gate.stopping import stop
from sysop.incidents.assign import assign
from sysop.incidents.moves import ALERTS, add, look_into, move, rank, refresh, severity_of
from sysop.incidents.words import titled
from sysop.model import Alert, Incident, IncidentState, Request
from sysop.sections import IncidentSettings
from sysop.store import alerts, runs, silences
from sysop.store import incidents as rows
from sysop.store.alerts import Key, Placed, Put
from sysop.store.spots import spots
from sysop.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Explained:
    """Where an alert is now, by its group, and why. Without a group it is held back."""

    group: str | None
    reason: str
    why: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What one round of correlation has changed: those that moved, and every group that one of them is or was in.

    `origins` are those of each group, the likeliest first. `explain` says of one that has not moved why it is where it
    is: what was held back may have fitted a group before anything told of it.
    """

    moved: Mapping[Key, Explained]
    groups: Mapping[str, Sequence[Key]]
    origins: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    explain: Callable[[Key], Explained] | None = None


class Placements:
    """Writes a round down, in one transaction. The same round twice changes nothing the second time."""

    def __init__(self, settings: IncidentSettings, planner_of: Callable[[Request], str]) -> None:
        self._settings = settings
        self._planner_of = planner_of

    def write(self, tx: Tx, found: Found) -> None:
        """Place what moved; the caller holds the lock of incidents."""
        _Round(tx, found, self._settings, self._planner_of).write()

    def write_origins(self, tx: Tx, found: Found) -> None:
        """Write down where groups began, and nothing else of them; the caller holds the lock of incidents."""
        _Round(tx, found, self._settings, self._planner_of).write_origins()


class _Round:
    """One round in one transaction."""

    def __init__(self, tx: Tx, found: Found, settings: IncidentSettings, planner_of: Callable[[Request], str]) -> None:
        self._tx = tx
        self._found = found
        self._settings = settings
        self._planner_of = planner_of
        keys = {*found.moved, *(key for members in found.groups.values() for key in members)}
        self._spots = spots(tx.conn, keys)
        self._heads = rows.heads(tx.conn, filter(None, (spot.incident for spot in self._spots.values())))
        self._puts: list[Put] = []
        self._left: dict[str, Counter[str]] = {}
        self._touched: dict[str, None] = {}

    @cached_property
    def _now(self) -> int:
        """Return when alerts move, all of them: on PostgreSQL each look at the clock is a round trip."""
        return self._tx.now()

    def write(self) -> None:
        goes = self._goes()
        stored = alerts.find(self._tx.conn, {*goes, *(key for key in self._found.moved if key in self._spots)})
        quiet = self._quiet(goes, stored)
        goes = {key: target for key, target in goes.items() if key not in quiet}
        opened = self._open_new(goes, stored)
        for key, (group, incident) in goes.items():
            self._put(stored[key], incident or opened[group])
        for key, explained in self._found.moved.items():
            if explained.group is None and key in stored and key not in quiet:
                self._hold_back(stored[key], explained)
        alerts.place_all(self._tx, self._puts, self._now)
        alerts.stay(self._tx, self._left_waiting(stored, quiet), self._now)
        for incident in self._touched:
            self._follow_up(incident)

    def write_origins(self) -> None:
        """Write down the origins that are not what they were, and have what shows them shown anew."""
        for group, incident in self._assigned().items():
            origins = list(self._found.origins.get(group, ()))
            if incident is not None and origins != list(self._heads[incident].origins):
                rows.change(self._tx, incident, origins=origins)
                self._tx.touch(rows.chain(incident))

    def _quiet(self, goes: Collection[Key], stored: Mapping[Key, Placed]) -> Mapping[Key, str]:
        """Hold back what a silence covers that began since it came, and return which; in an incident it would stay."""
        alone = [one for key, one in stored.items() if one.incident is None and self._free(key)]
        quiet = silences.covering(self._tx, [one.alert for one in alone if one.placed is None or one.key in goes])
        alerts.hush(self._tx, quiet)
        return quiet

    def _left_waiting(self, stored: Collection[Key], quiet: Collection[Key]) -> list[Key]:
        """Return what waited and is where it belongs already, or kept there by now: nothing may wait for ever."""
        placed = {put.key for put in self._puts}
        waited = [key for key in stored if self._spots[key].waits and not self._spots[key].quiet]
        return [key for key in waited if key not in placed and key not in quiet]

    def _goes(self) -> dict[Key, tuple[str, str | None]]:
        """Return the alerts to put somewhere or to explain anew, each with its group and the incident that this is."""
        goes: dict[Key, tuple[str, str | None]] = {}
        for group, incident in self._assigned().items():
            for key in self._found.groups[group]:
                if self._free(key) and (key in self._found.moved or self._follows(key, incident)):
                    goes[key] = (group, incident)
            origins = self._found.origins.get(group)
            if incident and origins is not None:  # none any more is an answer, too
                rows.change(self._tx, incident, origins=list(origins))
        return goes

    def _follows(self, key: Key, incident: str | None) -> bool:
        """Tell whether an alert goes where its group is now; one that waits has a round of its own, which says why."""
        spot = self._spots[key]
        return (incident is None or spot.incident != incident) and not spot.waits

    def _free(self, key: Key) -> bool:
        """Tell whether correlation may move an alert: no person, no silence and no closed incident keeps it."""
        spot = self._spots.get(key)
        if spot is None or spot.by_hand or spot.quiet:
            return False
        here = self._heads.get(spot.incident or "")
        return here is None or here.state is not IncidentState.RESOLVED

    def _assigned(self) -> dict[str, str | None]:
        live = {id for id, one in self._heads.items() if one.state is not IncidentState.RESOLVED}
        current = {key: one.incident for key, one in self._spots.items() if one.incident in live and one.incident}
        pinned = {key for key, one in self._spots.items() if one.by_hand}
        opened = {id: one.opened_at for id, one in self._heads.items()}
        return assign(self._found.groups, current, pinned, opened)

    def _open_new(self, goes: Mapping[Key, tuple[str, str | None]], stored: Mapping[Key, Placed]) -> dict[str, str]:
        members: dict[str, list[Alert]] = {}
        for key, (group, incident) in goes.items():
            if incident is None:
                members.setdefault(group, []).append(stored[key].alert)
        return {group: self._open(group, some) for group, some in members.items()}

    def _open(self, group: str, members: Sequence[Alert]) -> str:
        first = min(members, key=lambda alert: (-rank(severity_of(alert)), alert.starts_at))
        incident = add(self._tx, title_of(first), severity_of(first), (), ALERTS)
        if origins := self._found.origins.get(group):
            rows.change(self._tx, incident.id, origins=list(origins))
        return incident.id

    def _put(self, one: Placed, target: str) -> None:
        explained = self._found.moved.get(one.key)
        if explained is None and one.incident is None and self._found.explain is not None:
            explained = self._found.explain(one.key)
        if one.incident == target:
            if explained is not None and (explained.reason, [*explained.why]) != (one.reason, [*one.why]):
                alerts.explain(self._tx, one.key, explained.reason, explained.why)
            return
        reason, why = (explained.reason, explained.why) if explained else (one.reason, one.why)
        self._puts.append(Put(one.key, target, reason, why))
        if one.incident is not None:
            self._leave(one, target)
        self._note(target, "incident.joined", one.alert, reason=reason, **_from(one))
        self._touched[target] = None

    def _hold_back(self, one: Placed, explained: Explained) -> None:
        same = one.placed is not None and one.incident is None and one.reason == explained.reason
        if same or not self._free(one.key):
            return
        self._puts.append(Put(one.key, None, explained.reason, explained.why))
        if one.incident is not None:
            self._leave(one, "")
            self._note(one.incident, "incident.left", one.alert, reason=explained.reason)

    def _leave(self, one: Placed, target: str) -> None:
        assert one.incident is not None
        self._left.setdefault(one.incident, Counter())[target] += 1
        self._touched[one.incident] = None
        if target:
            self._note(one.incident, "incident.left", one.alert, reason=f"it belongs to {target}", to=target)

    def _note(self, incident: str, kind: str, alert: Alert, **facts: Any) -> None:
        facts = {"alert": alert.name, "service": alert.service, "fingerprint": alert.fingerprint, **facts}
        self._tx.audit(rows.chain(incident), kind, ALERTS.id, ts=self._now, **facts)

    def _follow_up(self, incident: str) -> None:
        head = rows.heads(self._tx.conn, [incident])[incident]
        if head.state is IncidentState.RESOLVED:
            return
        found = refresh(self._tx, head)
        if not found.alerts and not head.in_words:
            self._close_empty(head)
        else:
            look_into(self._tx, head, found, self._settings, self._planner_of)

    def _close_empty(self, incident: Incident) -> None:
        """End an incident whose alerts turned out to belong elsewhere, and what is being done about it alone."""
        gone = self._left.get(incident.id, Counter())
        ((target, _),) = gone.most_common(1) or [("", 0)]
        merge_away(self._tx, incident, target or None, "its alerts were held back after all")


def merge_away(tx: Tx, incident: Incident, into: str | None, otherwise: str) -> None:
    """Close an incident that has no alert left, as part of another one if there is one, and stop its run."""
    why = f"it is part of {into}" if into else otherwise
    if incident.run is not None:
        run = runs.lock(tx, incident.run)
        if not run.over:
            stop(tx, run, ALERTS, why, f"stopped: {why}")
    rows.change(tx, incident.id, merged_into=into)
    move(tx, incident.id, IncidentState.RESOLVED, why)


def title_of(alert: Alert) -> str:
    """Return the title of an incident that an alert opens."""
    return titled(alert)


def _from(one: Placed) -> dict[str, str]:
    return {"from": one.incident} if one.incident else {}
