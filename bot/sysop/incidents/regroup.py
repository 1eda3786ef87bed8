"""What people know better than correlation: two incidents are one, one is two, an alert belongs elsewhere.

Every change holds for good, and teaches correlation about alerts of the same kinds that come later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice, product
from typing import Any

from sysop.errors import InvalidRequest, NoSuch, NotAllowed
from sysop.incidents.moves import add, look_into, rank, refresh, severity_of
from sysop.incidents.placements import merge_away, title_of
from sysop.model import Actor, Incident, IncidentState, Request
from sysop.sections import IncidentSettings
from sysop.store import alerts, corrections
from sysop.store import incidents as rows
from sysop.store.alerts import Placed
from sysop.store.store import Store
from sysop.store.writer import Tx

MOST_PAIRS = 64
"""So many pairs of symptoms one change teaches at most; more of them would say nothing more."""


class Regroup:
    """Merges, splits and moves for people with a role. Every method is durable on return."""

    def __init__(self, store: Store, settings: IncidentSettings, planner_of: Callable[[Request], str]) -> None:
        self._store = store
        self._settings = settings
        self._planner_of = planner_of

    async def merge(self, incident: str, into: str, actor: Actor) -> None:
        """Make one incident part of another. Raises InvalidRequest when either is resolved, or both are the same."""
        _check_role(actor)
        if incident == into:
            raise InvalidRequest("an incident cannot be merged into itself; name two")

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            gone, target = _open(tx, incident), _open(tx, into)
            members = alerts.of_incidents(tx.conn, [incident, into])
            _teach(tx, members[incident], members[into], True, actor)
            _keep(tx, members[into], actor)
            _pin(tx, members[incident], target.id, actor, f"{_who(actor)} merged {incident} into this incident")
            count = len(members[incident])
            tx.audit(rows.chain(incident), "incident.merged", actor.id, into=into, alerts=count)
            tx.audit(rows.chain(into), "incident.merged", actor.id, incident=incident, alerts=count)
            merge_away(tx, gone, into, "")
            self._follow_up(tx, target, actor)

        await self._store.write(unit)

    async def split(self, incident: str, fingerprints: Sequence[str], actor: Actor) -> str:
        """Make an incident of its own of some of an incident's alerts, and return its id."""
        _check_role(actor)

        def unit(tx: Tx) -> str:
            rows.lock(tx)
            _open(tx, incident)
            members = alerts.of_incidents(tx.conn, [incident])[incident]
            chosen = _chosen(members, fingerprints, incident)
            taken = {one.key for one in chosen}
            rest = [one for one in members if one.key not in taken]
            if not rest:
                raise InvalidRequest(f"these are all the alerts of {incident}; leave at least one where it is")
            made = _open_for(tx, chosen, actor)
            _teach(tx, chosen, rest, False, actor)
            _keep(tx, rest, actor)
            reason = f"{_who(actor)} split it off {incident}"
            _pin(tx, chosen, made.id, actor, reason)
            _left(tx, chosen, made.id, actor, reason)
            tx.audit(rows.chain(incident), "incident.split", actor.id, into=made.id, alerts=len(chosen))
            self._follow_up_both(tx, incident, made.id, actor)
            return made.id

        return await self._store.write(unit)

    async def move(self, fingerprint: str, into: str | None, actor: Actor) -> str:
        """Put the newest alert of a fingerprint into an incident, None for one of its own; return which.

        This is also how an alert that was held back becomes an incident.
        """
        _check_role(actor)

        def unit(tx: Tx) -> str:
            rows.lock(tx)
            one = _newest(tx, fingerprint)
            if into is not None and one.incident == into:
                raise InvalidRequest(f"{one.alert.name} is in {into} already")
            target = _open_for(tx, [one], actor) if into is None else _open(tx, into)
            here = list(filter(None, (one.incident, target.id)))
            members = alerts.of_incidents(tx.conn, here)
            if one.incident is not None:
                _teach(tx, [one], [other for other in members[one.incident] if other != one], False, actor)
            _teach(tx, [one], members[target.id], True, actor)
            _keep(tx, [other for some in members.values() for other in some if other != one], actor)
            _pin(tx, [one], target.id, actor, f"{_who(actor)} put it here")
            _left(tx, [one], target.id, actor, f"{_who(actor)} put it elsewhere")
            self._follow_up_both(tx, one.incident, target.id, actor)
            return target.id

        return await self._store.write(unit)

    async def free(self, fingerprint: str, actor: Actor) -> None:
        """Leave the newest alert of a fingerprint to correlation again, which finds its place a moment later.

        What was taught about alerts like it stays. Raises InvalidRequest where no person keeps it in its place.
        """
        _check_role(actor)

        def unit(tx: Tx) -> None:
            rows.lock(tx)
            one = _newest(tx, fingerprint)
            if one.pinned_by is None or one.incident is None:
                raise InvalidRequest(f"nobody keeps {one.alert.name} where it is; correlation decides already")
            _open(tx, one.incident)
            alerts.free(tx, one.key)
            reason = f"{_who(actor)} leaves it to correlation where {one.alert.name} belongs"
            tx.audit(rows.chain(one.incident), "incident.freed", actor.id, reason=reason, **_facts(one))

        await self._store.write(unit)

    def _follow_up(self, tx: Tx, target: Incident, actor: Actor) -> None:
        look_into(tx, target, refresh(tx, target), self._settings, self._planner_of, actor.ids)

    def _follow_up_both(self, tx: Tx, left: str | None, joined: str, actor: Actor) -> None:
        heads = rows.heads(tx.conn, filter(None, (left, joined)))
        self._follow_up(tx, heads[joined], actor)
        if left is None or heads[left].state is IncidentState.RESOLVED:
            return
        found = refresh(tx, heads[left])
        if not found.alerts and not heads[left].in_words:
            merge_away(tx, heads[left], joined, "")


def _check_role(actor: Actor) -> None:
    if not actor.roles:
        raise NotAllowed("only a person with a role can say which alerts belong together; nothing was done")


def _who(actor: Actor) -> str:
    """Return a person's name; what a chat calls somebody is none, and means nothing in a sentence."""
    return actor.name if actor.id.startswith("person:") else "a person"


def _open(tx: Tx, incident: str) -> Incident:
    found = rows.heads(tx.conn, [incident]).get(incident)
    if found is None:
        raise NoSuch("incident", incident)
    if found.state is IncidentState.RESOLVED:
        more = f"; it is part of {found.merged_into}" if found.merged_into else ""
        raise InvalidRequest(f"incident {incident} is resolved{more}")
    return found


def _open_for(tx: Tx, members: Sequence[Placed], actor: Actor) -> Incident:
    first = min(members, key=lambda one: (-rank(severity_of(one.alert)), one.alert.starts_at))
    return add(tx, title_of(first.alert), severity_of(first.alert), (), actor, of_alerts=True)


def _chosen(members: Sequence[Placed], fingerprints: Sequence[str], incident: str) -> list[Placed]:
    wanted = set(fingerprints)
    if not wanted:
        raise InvalidRequest("name the fingerprints of the alerts to split off")
    missing = wanted - {one.alert.fingerprint for one in members}
    if missing:
        known = ", ".join(dict.fromkeys(one.alert.fingerprint for one in members[:8]))
        raise InvalidRequest(f"{incident} has no alert {', '.join(sorted(missing))}; its alerts: {known}")
    return [one for one in members if one.alert.fingerprint in wanted]


def _newest(tx: Tx, fingerprint: str) -> Placed:
    found = alerts.newest_of(tx.conn, fingerprint)
    if found is None:
        raise InvalidRequest(f"there is no alert with fingerprint {fingerprint}; see: sysop alerts")
    return found


def _pin(tx: Tx, members: Sequence[Placed], target: str, actor: Actor, reason: str) -> None:
    alerts.pin(tx, [one.key for one in members], target, actor.id, reason)
    now = tx.now()  # once for all: on PostgreSQL each look at the clock is a round trip
    for one in members:
        came: dict[str, Any] = {"from": one.incident} if one.incident else {}
        tx.audit(rows.chain(target), "incident.joined", actor.id, ts=now, reason=reason, **_facts(one), **came)


def _left(tx: Tx, members: Sequence[Placed], target: str, actor: Actor, reason: str) -> None:
    """Note in each alert's incident that it has left. Of a merge one entry says so for all."""
    for one in members:
        if one.incident is not None:
            tx.audit(rows.chain(one.incident), "incident.left", actor.id, reason=reason, to=target, **_facts(one))


def _facts(one: Placed) -> dict[str, Any]:
    return {"alert": one.alert.name, "service": one.alert.service, "fingerprint": one.alert.fingerprint}


def _keep(tx: Tx, members: Sequence[Placed], actor: Actor) -> None:
    """Pin what a person left where it was, or a later round would put it with what they took away, or tear it off."""
    alerts.keep(tx, [one.key for one in members], actor.id)


def _teach(tx: Tx, some: Iterable[Placed], others: Iterable[Placed], together: bool, actor: Actor) -> None:
    pairs = islice(product(_symptoms(some), _symptoms(others)), MOST_PAIRS)
    corrections.add(tx, [pair for pair in pairs if pair[0] != pair[1]], together=together, actor=actor.id)


def _symptoms(members: Iterable[Placed]) -> list[corrections.Symptom]:
    return list(dict.fromkeys((one.alert.name, one.alert.service or "") for one in members))
