"""Dependencies that nobody declared: who calls whom, read from the service-graph metrics that traces give."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sysop.actions import Http, Response
from sysop.errors import ActionFailed
from sysop.incidents.correlation import Topology
from sysop.inventory import Inventory, Service

METRIC: Final = "traces_service_graph_request_total"
"""The counter that Tempo's metrics generator and OpenTelemetry's servicegraph connector write, one series an edge."""
WINDOW_S: Final = 3600
KEEP_MS: Final = 24 * 3600 * 1000
"""A call that a nightly job makes is seen once a day."""
MAX_EDGES: Final = 10_000
_NOBODY: Final = ("user", "virtual_node")
"""What stands in place of the caller where a trace begins at a server: an outsider, and no service."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Edge:
    """One service was seen calling another, `calls` times in the window that was asked about."""

    caller: str
    callee: str
    calls: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an observed edge: the calls of the last window it was in, and when that was, in milliseconds."""

    calls: float
    at: int


@dataclass(frozen=True, slots=True)
class Dependency:
    """One service calls another. `observed` is empty where only the inventory says so."""

    caller: str
    callee: str
    declared: bool
    observed: Seen | None = None

    @property
    def words(self) -> str:
        """Return where it is known from."""
        known = ["declared in the inventory"] if self.declared else []
        if self.observed is not None:
            known.append(f"seen in traces, {self.observed.calls:.0f} calls")
        return "; ".join(known)


@dataclass(frozen=True, slots=True)
class Observed:
    """All edges that traces have shown lately, by caller and callee. A value: every step gives a new one."""

    edges: Mapping[Pair, Seen] = field(default_factory=dict)

    def after(self, edges: Iterable[Edge], now: int, keep_ms: int = KEEP_MS) -> Observed:
        """Return what is known once `edges` were seen at `now`; what was not seen for `keep_ms` is forgotten."""
        kept = {pair: seen for pair, seen in self.edges.items() if now - seen.at <= keep_ms}
        return Observed(kept | {(edge.caller, edge.callee): Seen(edge.calls, now) for edge in edges})

    def beside(self, inventory: Inventory) -> tuple[Dependency, ...]:
        """Return the inventory's dependencies together with the observed ones, by name.

        What is declared stays whether traces show it or not: a fallback that is never called is a dependency, too.
        """
        declared = {(s.name, callee) for s in inventory.services.values() for callee in s.depends_on}
        every = sorted(declared | self.edges.keys())
        return tuple(Dependency(*pair, pair in declared, self.edges.get(pair)) for pair in every)

    def topology(self, inventory: Inventory) -> Topology:
        """Return what correlation goes by: services and calls of the inventory and of traces together.

        A service that only traces know is taken to be in the default environment.
        """
        names = {name for pair in self.edges for name in pair} - inventory.services.keys()
        strangers = {name: Service(name, environment=inventory.default_environment) for name in sorted(names)}
        every = replace(inventory, services={**inventory.services, **strangers})
        return Topology.from_inventory(every).with_calls(self.edges)


async def look(
    http: Http,
    url: str,
    before: Observed,
    now: int,
    *,
    token: str | None = None,
    window_s: int = WINDOW_S,
    keep_ms: int = KEEP_MS,
    timeout: float = 10.0,
) -> Observed:
    """Ask a Prometheus at `url` for the edges of the last `window_s` seconds and return what is known by then.

    Made to be called every few minutes with what the last call returned; `now` is in milliseconds. Raises ActionFailed
    where there is no answer or none that can be read, and then what was known before stays good.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = await http.request(
        "GET",
        f"{url.rstrip('/')}/api/v1/query",
        params={"query": question(window_s), "time": f"{now / 1000:.3f}"},
        headers=headers,
        timeout=timeout,
    )
    try:
        return before.after(edges(_body(response)), now, keep_ms)
    except ValueError as bad:
        raise ActionFailed(f"dependencies from traces: {bad}") from bad


def question(window_s: int = WINDOW_S) -> str:
    """Return the PromQL for the calls of every edge in a window. Failed calls count: they were made."""
    return f"sum by (client, server, connection_type) (increase({METRIC}[{window_s}s])) > 0"


def edges(body: Any) -> tuple[Edge, ...]:
    """Return the edges in the answer to `question`, as `summed` has them.

    Raises ValueError naming the field that is not as Prometheus writes it, or passing on what Prometheus found wrong.
    """
    return summed(_series(series, f"data.result[{number}]") for number, series in enumerate(_vector(body)))


def summed(series: Iterable[tuple[Mapping[str, str], float]]) -> tuple[Edge, ...]:
    """Return the edges that labels and counts of calls tell of, by name, calls of several kinds added up.

    Calls to itself and from outside of all traces say nothing about a dependency and are left out.
    """
    calls: dict[Pair, float] = {}
    for labels, count in series:
        caller, callee = labels.get("client", ""), labels.get("server", "")
        if not caller or not callee or caller == callee or (caller, labels.get("connection_type")) == _NOBODY:
            continue
        if count > 0:
            calls[caller, callee] = calls.get((caller, callee), 0.0) + count
    return tuple(Edge(*pair, count) for pair, count in sorted(calls.items()))


def _body(response: Response) -> Any:
    if response.status in (401, 403):
        raise ValueError(f"the server answered {response.status}; it wants a token, or another one")
    return response.json()


def _vector(body: Any) -> list[Any]:
    match body:
        case {"status": "success", "data": {"resultType": "vector", "result": list(result)}}:
            if len(result) > MAX_EDGES:
                raise ValueError(f"data.result: {len(result)} edges, at most {MAX_EDGES} are read")
            return result
        case {"status": "error", "error": str(words)}:
            raise ValueError(f"{body.get('errorType', 'error')}: {words}")
    raise ValueError("data: is not the answer to an instant query of Prometheus")


def _series(series: Any, where: str) -> tuple[Mapping[str, str], float]:
    match series:
        case {"metric": dict(labels), "value": [_, str(text)]}:
            pass
        case _:
            raise ValueError(f"{where}: has no metric with a value")
    wrong = next((name for name, value in labels.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise ValueError(f"{where}.metric.{wrong}: is not text")
    try:
        count = float(text)
    except ValueError:
        raise ValueError(f"{where}.value: {text[:40]!r} is not a number") from None
    return labels, count if math.isfinite(count) else 0.0
