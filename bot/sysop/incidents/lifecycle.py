"""Incidents over time: alerts are taken in; incidents are mitigated, resolved after quiet, looked into again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sysop.incidents import again
from sysop.incidents.by_hand import ByHand
from sysop.incidents.moves import ALERTS, idle, move, refresh, triage
from sysop.inventory import Inventory
from sysop.model import Alert, IncidentState, Request
from sysop.sections import IncidentSettings
from sysop.store import alerts as taken
from sysop.store import endings, silences
from sysop.store import incidents as rows
from sysop.store.alerts import Key, Placed, key_of
from sysop.store.store import Store
from sysop.store.writer import Tx

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 200
FEW = 10
"""Incidents brought in line by the first of several writes: each may have a summary to be told in the chat."""
TURN_S = 0.05
"""So long one piece of a storm should keep the writer, which votes and the pause switch wait for."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery: occurrences seen for the first time, ended, and known already."""

    new: int = 0
    ended: int = 0
    known: int = 0


def _nobody() -> None:
    """Wake nobody."""


class Lifecycle(ByHand):
    """Takes alerts in and moves incidents on, beside what people do by hand. Which incident is `Placing`'s to say.

    The final state does not depend on order or repetition of deliveries.
    """

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        settings: IncidentSettings,
        planner_of: Callable[[Request], str],
    ) -> None:
        super().__init__(store, inventory, planner_of)
        self._settings = settings
        self._ended: set[str] = set()
        self.wake: Callable[[], None] = _nobody
        """Called when alerts wait to be placed."""

    async def take(self, alerts: Iterable[Alert]) -> Taken:
        """Store a delivery; durable on return. Which incident its alerts belong to is found a moment later."""
        pieces = await self._in_turns(tuple(alerts), _take_some, CHUNK)
        done = [one for said, _ in pieces for one in said]
        self._ended.update(incident for _, incidents in pieces for incident in incidents)
        found = Taken(done.count("new"), done.count("ended"), done.count("known"))
        if found.new:
            self.wake()
        return found

    async def settle(self) -> None:
        """Bring incidents in line with alerts that have ended, also with those another process was told of."""
        ended, self._ended = self._ended, set()
        ended |= await self._store.read(rows.unsettled)
        await self._in_turns(sorted(ended), _refresh_some, FEW)

    async def tick(self) -> None:
        """Mitigate what fires no more, resolve what has been quiet long enough, look again into what has changed."""
        await self.settle()
        quiet_ms = self._settings.quiet_seconds * 1000
        if mitigated := await self._store.read(rows.mitigated):
            now = await self._store.now()
            quiet = [incident for incident, since in mitigated if now - since >= quiet_ms]
            await self._in_turns(quiet, partial(_resolve_quiet, quiet_ms=quiet_ms), FEW)
        if self._settings.triage and self._settings.triage_most > 1:
            await self._look_again()

    async def _in_turns(self, items: Sequence[T], unit: Callable[[Tx, Sequence[T]], R], size: int) -> list[R]:
        """Write items down in pieces of which none keeps the writer for long, the first of this size."""
        said: list[R] = []
        left = items
        while left:
            piece, left, began = left[:size], left[size:], time.monotonic()
            said.append(await self._store.write(partial(_apply, unit=unit, some=piece)))
            took = max(time.monotonic() - began, 0.001)
            size = max(1, min(CHUNK, int(len(piece) * TURN_S / took)))
        return said

    async def _look_again(self) -> None:
        after_ms = self._settings.triage_again_after_seconds * 1000
        due = partial(again.changed, after_ms=after_ms, most=self._settings.triage_most)
        if not await self._store.read(due):
            return

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            for incident, why in due(tx.conn):
                if not idle(tx, incident):
                    continue
                tx.audit(rows.chain(incident), "incident.triaged_again", ALERTS.id, reason=why)
                triage(tx, incident, ALERTS, self._planner_of, again=True)

        await self._store.write(unit)


def _apply(tx: Tx, unit: Callable[[Tx, Sequence[T]], R], some: Sequence[T]) -> R:
    return unit(tx, some)


def _resolve_quiet(tx: Tx, incidents: Sequence[str], quiet_ms: int) -> None:
    rows.lock(tx)
    for one in rows.heads(tx.conn, incidents).values():
        quiet = one.state is IncidentState.MITIGATED and one.mitigated_at is not None
        if quiet and tx.now() - (one.mitigated_at or 0) >= quiet_ms:
            move(tx, one.id, IncidentState.RESOLVED, f"no alert fired for {quiet_ms // 1000} s")


def _take_some(tx: Tx, alerts: Sequence[Alert]) -> tuple[list[str], set[str]]:
    """Store some alerts: two statements for those that are new, one for each that has ended.

    Returns what each is to us, and the incidents that one which has ended belongs to: they are brought in line later,
    since the lock of incidents is held long in a storm, and no sender should wait for it.
    """
    taken.lock(tx)
    over = {key_of(alert): alert for alert in endings.add(tx, [alert for alert in alerts if alert.ending])}
    stored = taken.find(tx.conn, {*over, *(key_of(alert) for alert in alerts if not alert.ending)})
    new: dict[Key, Alert] = {}
    ended: dict[Key, Alert] = {}
    said = [_sort(alert, stored, new, ended) for alert in alerts if not alert.ending]
    for key in sorted({*over, *ended}):  # as placing goes through them, or each could wait for the other
        taken.end(tx, ended.get(key) or over[key], implied=key not in ended)
    implied = endings.applied(tx.conn, new)
    new |= implied
    taken.add(tx, list(new.values()), silences.covering(tx, new.values()), implied)
    touched = {id for key in {*over, *ended} if (id := stored[key].incident) is not None}
    return said + ["ended"] * len(over.keys() - ended.keys()), touched


def _sort(alert: Alert, stored: dict[Key, Placed], new: dict[Key, Alert], ended: dict[Key, Alert]) -> str:
    """Tell what an alert is to us. Its end is the latest that was told; a firing after that changes nothing."""
    key = key_of(alert)
    known = new.get(key) or ended.get(key) or (_by_itself(stored[key]) if key in stored else None)
    if known is None:
        new[key] = alert
        return "new"
    if alert.ends_at is None or (known.ends_at is not None and alert.ends_at <= known.ends_at):
        return "known"
    if key in new:
        new[key] = replace(new[key], ends_at=alert.ends_at)
    else:
        ended[key] = replace(known, ends_at=alert.ends_at)
    return "ended"


def _by_itself(one: Placed) -> Alert:
    """Return an occurrence as its source tells of it, without an end that no more than an ending implies."""
    return replace(one.alert, ends_at=None) if one.end_implied else one.alert


def _refresh_some(tx: Tx, incidents: Sequence[str]) -> None:
    rows.lock(tx)
    for incident in rows.heads(tx.conn, incidents).values():
        if incident.state is IncidentState.RESOLVED:
            tx.touch(rows.chain(incident.id))  # what is shown of it tells what fires still
        else:
            refresh(tx, incident)
