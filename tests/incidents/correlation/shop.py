"""A small shop for tests: a chain of four services, sixteen others, and short ways to say what happens."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from sysop.incidents.correlation import Correlator, Knobs, Occurrence, Placement, Topology

CHAIN = ("front", "checkout", "payments", "database")
OTHERS = tuple(f"other{n}" for n in range(16))
NOBODY = Knobs(alone_from="never")


def topology(calls: Iterable[Sequence[str]] = (), scope_labels: Sequence[str] = ("namespace",)) -> Topology:
    names = (*CHAIN, *OTHERS)
    edges = [list(pair) for pair in (*itertools.pairwise(CHAIN), *calls)]
    services = {name: {"namespace": "shop"} for name in names}
    return Topology.from_json({"services": services, "edges": edges, "scope_labels": list(scope_labels)})


def alert(t: float, name: str, service: str = "", severity: str = "warning", **labels: str) -> Occurrence:
    said = {"alertname": name, "namespace": "shop", "severity": severity, **labels}
    if service:
        said["service_name"] = service
    fingerprint = "/".join(f"{key}={value}" for key, value in sorted(said.items()))
    return Occurrence(f"{fingerprint}@{t}", fingerprint, t, said)


def placed(correlator: Correlator, *occurrences: Occurrence) -> dict[str, Placement]:
    for occurrence in occurrences:
        correlator.add(occurrence)
    return {placement.key: placement for placement in correlator.flush(close=True)}


def groups(found: dict[str, Placement], occurrences: Iterable[Occurrence]) -> list[str | None]:
    return [found[occurrence.key].group for occurrence in occurrences]


def chain(t: float = 0.0, **labels: str) -> list[Occurrence]:
    return [
        alert(t, "TooManyConnections", "database", **labels),
        alert(t + 20, "HighErrorRate", "payments", **labels),
        alert(t + 45, "HighErrorRate", "checkout", **labels),
        alert(t + 70, "HighErrorRate", "front", **labels),
    ]
