"""How much a relation between two entities says about a common cause, by the topology alone."""

from __future__ import annotations

from typing import NamedTuple

from sysop.incidents.correlation.entity import Entity
from sysop.incidents.correlation.topology import Topology

# Shares of the pairs of one incident that stand in a relation: the service itself first, callers before callees, and a
# rest for anything. The share by chance comes from the topology: one in N for the same service, callers in N for a
# call.
SAME_SERVICE, CALLER, CALLEE, TWO_CALLS, NO_CALL = 0.35, 0.15, 0.10, 0.10, 0.15
SAME_MACHINE, POD_ON_MACHINE = 0.35, 0.20
# Odds where the topology knows nothing: a little against, never "far".
ONE_UNKNOWN, OUTSIDE_THE_GRAPH = 0.5, 0.7
# Two services that carry the same change: as likely again as without. A whole release often carries one version.
SAME_CHANGE = 2.0
FEWEST_SERVICES, FEWEST_MACHINES = 4, 3
UNKNOWN_SERVICES, UNKNOWN_MACHINES = 8, 10  # a guess where the topology names none


class Relation(NamedTuple):
    """The odds of a relation in one incident against chance; 0 forbids. `unsure`: the topology knows nothing of it.

    `pattern` becomes words only when someone asks, as most relations are never told.
    """

    odds: float
    kind: str
    pattern: str
    unsure: bool = False

    def words(self, first: Entity, second: Entity) -> str:
        """Return the relation of these two entities in words."""
        return self.pattern.format(
            first=first.name, second=second.name, machine=first.machine, change=first.change
        )  # fmt: skip


ANOTHER_CLUSTER = Relation(0.0, "scope", "another cluster")
ANOTHER_ENVIRONMENT = Relation(0.0, "scope", "another environment")
ANOTHER_MACHINE = Relation(0.0, "entity", "another machine")
# One rule on several machines at once: what they have in common, a rack, a network or a release, is not in the labels.
SAME_RULE_ON_MACHINES = 0.5


class Relations:
    """Judges pairs of entities against one topology."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._two_away: dict[str, frozenset[str]] = {}
        scope = (" and ".join(topology.scope_labels) or "scope").replace("{", "{{").replace("}", "}}")
        self._another_scope = Relation(0.0, "scope", f"another {scope}")
        self._one_unknown = Relation(ONE_UNKNOWN, "scope", f"same {scope}, one names no service", True)
        self._outside = Relation(OUTSIDE_THE_GRAPH, "scope", f"same {scope}, calls unknown", True)
        self._no_call = f"same {scope}, no call between {{first}} and {{second}}"
        self._machines = max(FEWEST_MACHINES, len(topology.machines) or UNKNOWN_MACHINES)
        self._same_machine = Relation(SAME_MACHINE * self._machines, "entity", "both are about {first}")
        self._on_one_machine = Relation(POD_ON_MACHINE * self._machines, "entity", "both run on {machine}")

    def between(self, first: Entity, second: Entity) -> Relation:
        """Return the relation of two entities; alerts of the first started before those of the second."""
        if _differ(first.cluster, second.cluster):
            return ANOTHER_CLUSTER
        if _differ(first.environment, second.environment):
            return ANOTHER_ENVIRONMENT
        if first.about_machine or second.about_machine:
            return self._with_machine(first, second)
        shared = first.machine is not None and first.machine == second.machine
        if first.scope != second.scope:
            return self._on_one_machine if shared else self._another_scope
        found = self._in_scope(first, second)
        if first.change is not None and first.change == second.change and first.service != second.service:
            pattern = found.pattern + "; both carry {change}"
            found = Relation(found.odds * SAME_CHANGE, "change", pattern, found.unsure)
        return self._on_one_machine if shared and self._on_one_machine.odds > found.odds else found

    def apart(self, first: Entity, second: Entity) -> bool:
        """Tell whether these are two machines of one environment."""
        both = first.about_machine and second.about_machine and first.machine != second.machine
        return both and self.between(first, second) is ANOTHER_MACHINE

    def _with_machine(self, first: Entity, second: Entity) -> Relation:
        if first.machine == second.machine:
            return self._same_machine
        machine, other = (first, second) if first.about_machine else (second, first)
        spread = self._topology.runs_on(other.service) if other.known else frozenset()
        if other.service and other.machine is None and machine.machine in spread:
            odds = SAME_MACHINE * self._machines / max(2, 2 * len(spread))
            ends = ("{second}", "{first}") if machine is first else ("{first}", "{second}")
            return Relation(odds, "entity", f"{ends[0]} has a pod on {ends[1]}")
        return ANOTHER_MACHINE

    def _in_scope(self, first: Entity, second: Entity) -> Relation:
        one, other = first.service, second.service
        if one is None or other is None:
            return self._one_unknown
        population = max(FEWEST_SERVICES, self._topology.population(one, first.namespace) or UNKNOWN_SERVICES)
        if one == other:
            return Relation(SAME_SERVICE * population, "entity", "both are about {first}")
        if not (first.known and second.known):
            return self._outside
        return self._by_calls(one, other, population)

    def _by_calls(self, one: str, other: str, population: int) -> Relation:
        callers, callees = self._topology.callers(one), self._topology.callees(one)
        if other in callers:
            return Relation(CALLER * population / len(callers), "topology", "{second} calls {first}")
        if other in callees:
            return Relation(CALLEE * population / len(callees), "topology", "{first} calls {second}")
        two = self._beyond(one)
        if other in two:
            return Relation(TWO_CALLS * population / len(two), "topology", "{first} and {second} are two calls apart")
        rest = 1 - (1 + len(self._topology.near(one)) + len(two)) / population
        return Relation(NO_CALL / max(0.3, rest), "scope", self._no_call)

    def _beyond(self, service: str) -> frozenset[str]:
        found = self._two_away.get(service)
        if found is None:
            found = self._two_away[service] = self._topology.two_away(service)
        return found


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)
