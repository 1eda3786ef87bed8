"""Dependencies that nobody declared: who calls whom, read from the service-graph metrics that traces give."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sysop.errors import ActionFailed
from sysop.extension import MetricSeries
from sysop.incidents.correlation import Topology
from sysop.inventory import Inventory, Service

METRIC: Final = "traces_service_graph_request_total"
"""The counter that Tempo's metrics generator and OpenTelemetry's servicegraph connector write, one series an edge."""
WINDOW_S: Final = 3600
KEEP_S: Final = 24 * 3600
"""A call that a nightly job makes is seen once a day."""
MAX_EDGES: Final = 10_000
_NOBODY: Final = ("user", "virtual_node")
"""What stands in place of the caller where a trace begins at a server: an outsider, and no service."""

Pair = tuple[str, str]
"""A service that calls, and the one it calls."""


@dataclass(frozen=True, slots=True)
class Observed:
    """All pairs that traces have shown lately, with the time in milliseconds. A value: every step gives a new one."""

    seen: Mapping[Pair, int] = field(default_factory=dict)

    def after(self, pairs: Collection[Pair], now: int) -> Observed:
        """Return what is known once `pairs` were seen at `now`; what was not seen for a day is forgotten."""
        kept = {pair: at for pair, at in self.seen.items() if now - at <= KEEP_S * 1000}
        return Observed(kept | dict.fromkeys(pairs, now))

    def topology(self, inventory: Inventory) -> Topology:
        """Return what correlation goes by: services and calls of the inventory and of traces together.

        A service that only traces know is taken to be in the default environment. What is declared stays whether traces
        show it or not: a fallback that is never called is a dependency, too.
        """
        names = {name for pair in self.seen for name in pair} - inventory.services.keys()
        strangers = {name: Service(name, environment=inventory.default_environment) for name in sorted(names)}
        every = replace(inventory, services={**inventory.services, **strangers})
        return Topology.from_inventory(every).with_calls(self.seen)


def question(window_s: int = WINDOW_S) -> str:
    """Return the PromQL for the calls of every edge in a window. Failed calls count: they were made."""
    return f"sum by (client, server, connection_type) (increase({METRIC}[{window_s}s])) > 0"


def pairs_of(series: Sequence[MetricSeries]) -> frozenset[Pair]:
    """Return who calls whom by the newest value of each series. Raises ActionFailed for too many to be true.

    Calls to itself and from outside of all traces say nothing about a dependency and are left out.
    """
    if len(series) > MAX_EDGES:
        raise ActionFailed(f"{len(series)} edges, at most {MAX_EDGES} are read")
    made = (one.labels for one in series if one.points and one.points[-1][1] > 0)
    found = ((labels.get("client", ""), labels.get("server", ""), labels.get("connection_type")) for labels in made)
    return frozenset(
        (caller, callee)
        for caller, callee, kind in found
        if caller and callee and caller != callee and (caller, kind) != _NOBODY
    )
