"""Finds what a fingerprint and an entity have in common with those seen before, so that it is worked out once."""

from __future__ import annotations

from sysop.incidents.correlation.entity import Entity, entity_of
from sysop.incidents.correlation.knobs import Knobs
from sysop.incidents.correlation.model import Occurrence
from sysop.incidents.correlation.rate import Clustering, Rate
from sysop.incidents.correlation.severity import credit, rank, said
from sysop.incidents.correlation.state import Cluster, Kind, Member, Place, Rule, Scope
from sysop.incidents.correlation.text import words_of
from sysop.incidents.correlation.topology import Topology

NEIGHBOURS, MACHINES = 16, 4  # at most so many are looked at, in the order of their names

ScopeName = tuple[str | None, ...]


class Registry:
    """Kinds by fingerprint and places by entity."""

    def __init__(self, topology: Topology, knobs: Knobs) -> None:
        self._topology, self._knobs = topology, knobs
        self.kinds: dict[str, Kind] = {}
        self._rules: dict[str, Rule] = {}
        self._places: dict[Entity, Place] = {}
        self._scopes: dict[ScopeName, Scope] = {}
        self._clusters: dict[str | None, Cluster] = {}
        self._services: dict[tuple[str, ScopeName], list[Member]] = {}
        self._machines: dict[tuple[str, str | None], list[Member]] = {}
        self._symptoms: dict[tuple[tuple[str, str], ScopeName, str | None, str | None], list[Member]] = {}

    def kind(self, occurrence: Occurrence) -> Kind:
        """Return what this occurrence shares with the others of its fingerprint."""
        found = self.kinds.get(occurrence.fingerprint)
        if found is None:
            labels = occurrence.labels
            place = self._place(entity_of(labels, self._topology))
            severity = labels.get("severity")
            rule = self._rule(labels.get("alertname") or "")
            found = Kind(rule, place, rank(severity), said(severity), credit(severity), occurrence.fingerprint)
            entity = place.entity
            where = (found.symptom, entity.scope, entity.cluster, entity.environment)
            found.alike = self._symptoms.setdefault(where, [])
            self.kinds[occurrence.fingerprint] = found
        return found

    def speaks(self, rule: Rule, occurrence: Occurrence) -> None:
        """Let an occurrence speak for its rule, if it is the earliest so far."""
        order = (occurrence.starts_at, occurrence.key)
        if order < rule.first:
            rule.first, rule.words = order, words_of(rule.name, occurrence.annotations, occurrence.labels)

    def _rule(self, name: str) -> Rule:
        found = self._rules.get(name)
        if found is None:
            found = self._rules[name] = Rule(name)
        return found

    def _place(self, entity: Entity) -> Place:
        found = self._places.get(entity)
        if found is None:
            found = self._places[entity] = self._new_place(entity)
        return found

    def _new_place(self, entity: Entity) -> Place:
        place = Place(entity, self._scope(entity.scope), self._cluster(entity.cluster))
        service = entity.service
        if service is not None:
            place.here = self._on_service(service, entity.scope)
            near = self._topology.near(service) if entity.known else ()
            place.near = tuple(self._on_service(name, entity.scope) for name in near[:NEIGHBOURS])
        if entity.machine is not None:
            place.on_machine = self._on_machine(entity.machine, entity.cluster)
            place.machines = (place.on_machine,)
        elif entity.known:
            machines = sorted(self._topology.runs_on(service))[:MACHINES]
            place.machines = tuple(self._on_machine(name, entity.cluster) for name in machines)
        return place

    def _scope(self, name: ScopeName) -> Scope:
        found = self._scopes.get(name)
        if found is None:
            found = self._scopes[name] = Scope(Rate(self._knobs.memory_s, self._knobs.quiet_s))
        return found

    def _cluster(self, name: str | None) -> Cluster:
        found = self._clusters.get(name)
        if found is None:
            rate = Rate(self._knobs.memory_s, self._knobs.quiet_s)
            found = self._clusters[name] = Cluster(rate, Clustering(self._knobs.look_s))
        return found

    def _on_service(self, service: str, scope: ScopeName) -> list[Member]:
        return self._services.setdefault((service, scope), [])

    def _on_machine(self, machine: str, cluster: str | None) -> list[Member]:
        return self._machines.setdefault((machine, cluster), [])

    def forget(self, before: float, waiting: set[Kind]) -> None:
        """Drop from every list what started before a moment, and whatever nothing is left of or waits for."""
        for scope in self._scopes.values():
            gone = _cut(scope.members, before)
            del scope.times[:gone], scope.history.rates[:gone]
        for index in (self._services, self._machines, self._symptoms):
            for members in index.values():
                _cut(members, before)
        for kind in self.kinds.values():
            _cut(kind.fired, before)
        self._drop_empty(waiting)

    def _drop_empty(self, waiting: set[Kind]) -> None:
        self.kinds = {name: kind for name, kind in self.kinds.items() if kind.fired or kind in waiting}
        self._rules = {kind.name: kind.rule for kind in self.kinds.values()}
        alike = {id(kind.alike) for kind in self.kinds.values()}
        self._symptoms = {name: members for name, members in self._symptoms.items() if id(members) in alike}
        alive = {kind.place for kind in self.kinds.values()}
        if len(self._places) <= 2 * len(alive) + 1000:
            return
        self._places = {entity: place for entity, place in self._places.items() if place in alive}
        for place in alive:
            place.odds = {other: odds for other, odds in place.odds.items() if other in alive}
        self._drop_lists(alive)

    def _drop_lists(self, alive: set[Place]) -> None:
        lists = {
            id(members)
            for place in alive
            for members in (place.here, place.on_machine, *place.near, *place.machines)
            if members is not None
        }
        self._services = {name: members for name, members in self._services.items() if id(members) in lists}
        self._machines = {name: members for name, members in self._machines.items() if id(members) in lists}
        scopes = {place.scope for place in alive}
        self._scopes = {name: scope for name, scope in self._scopes.items() if scope in scopes}
        clusters = {place.cluster for place in alive}
        self._clusters = {name: cluster for name, cluster in self._clusters.items() if cluster in clusters}


def _cut(members: list[Member], before: float) -> int:
    count = 0
    for member in members:
        if member.t >= before:
            break
        count += 1
    del members[:count]
    return count
