"""What people do to incidents: open one, look after it, have it looked into, close it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from sysop.errors import InvalidRequest, NotAllowed
from sysop.gate.stopping import may_stop, stop
from sysop.incidents.moves import SEVERITIES, add, move, triage
from sysop.inventory import Inventory, nearest
from sysop.model import Actor, Incident, IncidentState, Request, Run
from sysop.store import approvals, conversations, records, runs
from sysop.store import incidents as rows
from sysop.store.store import Store
from sysop.store.writer import Tx


class ByHand:
    """The half of an incident's life that people decide. Every method is durable on return."""

    def __init__(self, store: Store, inventory: Inventory, planner_of: Callable[[Request], str]) -> None:
        self._store = store
        self._inventory = inventory
        self._planner_of = planner_of

    async def open_by_hand(
        self,
        actor: Actor,
        title: str,
        severity: str,
        services: Sequence[str],
        *,
        delivery: str,
        triage: bool = False,
        note: str = "",
        also: Sequence[str] = (),
        about: str = "",
    ) -> str:
        """Open an incident because a person says so, and return its id. Raises InvalidRequest for a wrong field.

        `also` are the ids of those whose words the title or the note quotes. `about` names the one thing that it is
        opened for, a message say: while an incident about it is not over, InvalidRequest names that one.
        """
        self._check(title, severity, services)

        def unit(tx: Tx) -> str | None:
            if not approvals.first_delivery(tx, delivery):
                return None
            rows.lock(tx)
            incident = add(tx, title.strip(), severity, services, actor, _free(tx, about) if about else None)
            if also:
                rows.change(tx, incident.id, quoted=list(also))
            if note:
                tx.audit(rows.chain(incident.id), "incident.noted", actor.id, text=note)
            if triage:
                self._look_into(tx, incident.id, actor, text=f"{incident.title}\n{note}".strip())
            return incident.id

        incident = await self._store.write(unit)
        if incident is None:
            raise InvalidRequest("this was handled already")
        return incident

    def _check(self, title: str, severity: str, services: Sequence[str]) -> None:
        unknown = [name for name in services if name not in self._inventory.services]
        if unknown and self._inventory.services:
            hint = nearest(unknown[0], self._inventory.services)
            raise InvalidRequest(f"services: there is no service {unknown[0]!r}{hint}")
        if severity not in SEVERITIES:
            raise InvalidRequest(f"severity: {severity!r} is none of {', '.join(SEVERITIES)}")
        if not title.strip():
            raise InvalidRequest("title: say in a few words what is wrong")

    async def acknowledge(self, incident: str, actor: Actor) -> None:
        """Note that a person looks after an incident; the newest one counts. Raises InvalidRequest once it is over."""

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            found = _unresolved(tx, incident)
            if found.acknowledged_by != actor.id:
                rows.change(tx, incident, acknowledged_by=actor.id, acknowledged_at=tx.now())
                tx.audit(rows.chain(incident), "incident.acknowledged", actor.id)

        await self._store.write(unit)

    async def resolve(self, incident: str, actor: Actor, reason: str = "") -> None:
        """Close an incident because a person says so, whatever fires still. A new alert opens one of its own.

        What its run still asks people for is not done any more. Raises NotAllowed for somebody without a role while
        an alert fires, or while a run looks into it that somebody else has asked for.
        """

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            found = _unresolved(tx, incident)
            under_way = _under_way(tx, found)
            _check_may_resolve(found, under_way, actor)
            for run in under_way:
                stop(tx, run, actor, "the incident was resolved", "stopped: a person resolved the incident")
            move(tx, incident, IncidentState.RESOLVED, reason or "closed by a person", actor)

        await self._store.write(unit)

    async def reopen(self, incident: str, actor: Actor) -> None:
        """Open a resolved incident again whose alerts fire still: they are known, and would open none of their own.

        No run begins by it. Raises InvalidRequest for one that is not resolved or has no firing alert.
        """

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            found = rows.load(tx.conn, incident)
            if found.state is not IncidentState.RESOLVED:
                raise InvalidRequest(f"incident {incident} is not resolved")
            if not found.firing:
                raise InvalidRequest(f"no alert of {incident} fires any more; a new one opens an incident of its own")
            move(tx, incident, IncidentState.OPEN, "a person opened it again", actor)

        await self._store.write(unit)

    async def triage(self, incident: str, actor: Actor) -> str:
        """Start a run that looks into an incident anew, and return its id; there is one at a time.

        It has no text of its own: a text would be a question about the incident, and get an answer.
        """

        def unit(tx: Tx) -> str:
            rows.lock(tx)
            for run in _under_way(tx, _unresolved(tx, incident)):
                raise InvalidRequest(f"run {run.id} is looking into {incident} already")
            return self._look_into(tx, incident, actor, again=True)

        return await self._store.write(unit)

    def _look_into(self, tx: Tx, incident: str, actor: Actor, **more: Any) -> str:
        return triage(tx, incident, actor, self._planner_of, **more)


def _under_way(tx: Tx, incident: Incident) -> list[Run]:
    """Return the runs that look into an incident and have not ended, also from threads of its parts, locked."""
    whole = sorted([incident.id, *records.parts_of(tx.conn, incident.id)])
    talks = [talk for id in whole if (talk := conversations.of_incident(tx.conn, id)) is not None]
    locked = [conversations.lock(tx, talk.id) for talk in talks]  # before their runs, as whoever hears a message does
    ids = dict.fromkeys(filter(None, (incident.run, *(talk.run for talk in locked))))
    return [run for run in (runs.lock(tx, id) for id in ids) if not run.over]


def _unresolved(tx: Tx, incident: str) -> Incident:
    found = rows.load(tx.conn, incident)
    if found.state is IncidentState.RESOLVED:
        raise InvalidRequest(f"incident {incident} is resolved already")
    return found


def _check_may_resolve(found: Incident, under_way: Sequence[Run], actor: Actor) -> None:
    """Refuse what would end the work of others. An incident that is quiet may be closed by anybody."""
    if found.firing and not actor.roles:
        raise NotAllowed(f"only a person with a role can resolve {found.id} while an alert fires; nothing was done")
    for run in under_way:
        if not may_stop(run, actor, actor.roles):
            raise NotAllowed(
                f"{run.id} looks into {found.id}: only who asked for it, or a person with a role, can end that;"
                " nothing was done"
            )


def _free(tx: Tx, about: str) -> str:
    """Return the id of a new incident about something; the caller keeps others from opening any."""
    number = 0
    while rows.find(tx.conn, id := _id(about, number)):
        now = rows.head(tx.conn, rows.standing(tx.conn, id))
        if now.state is not IncidentState.RESOLVED:
            part = f", part of {now.id} by now" if now.id != id else ""
            raise InvalidRequest(f"this is incident {id} already{part}; it is {now.state}")
        number += 1
    return id


def _id(about: str, number: int) -> str:
    return f"inc-{hashlib.sha256(f'{about}#{number}'.encode()).hexdigest()[:20]}"
