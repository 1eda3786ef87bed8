"""What calls what, where it runs, and which labels separate environments. Built once, never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sysop.inventory import Inventory

DEFAULT_SCOPE = ("namespace",)


@dataclass(frozen=True)
class Node:
    """One service of the topology. `home` holds the labels it lives under, `pods` maps each pod to its machine."""

    name: str
    home: Mapping[str, str] = field(default_factory=dict)
    pods: Mapping[str, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str | None:
        """Return the namespace the service lives in, None where it has none."""
        return self.home.get("namespace")


@dataclass(frozen=True)
class Topology:
    """Services by key, `calls` as (caller, callee), machines, and the labels that separate environments.

    `scope_defaults` says what a scope label means where neither the alert nor its service carries it.
    """

    services: Mapping[str, Node] = field(default_factory=dict)
    calls: frozenset[tuple[str, str]] = frozenset()
    machines: frozenset[str] = frozenset()
    scope_labels: tuple[str, ...] = DEFAULT_SCOPE
    scope_defaults: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Any) -> Topology:
        """Read the format of `topology.json`. Raises ValueError naming the field that is wrong."""
        top = _mapping(data, "the topology")
        services = {
            str(key): _node(str(key), _mapping(value, f"services.{key}"))
            for key, value in _mapping(top.get("services") or {}, "services").items()
        }
        edges = _pairs(top.get("edges") or ())
        strange = sorted({name for edge in edges for name in edge} - services.keys())
        if strange:
            raise ValueError(
                f"edges name {strange[0]!r}, which is not a key of services; add it there or drop the edge"
            )
        machines = {*_words(top.get("nodes") or (), "nodes"), *_machines(services)}
        labels = tuple(_words(top.get("scope_labels") or DEFAULT_SCOPE, "scope_labels"))
        defaults = _texts(top.get("scope_defaults") or {}, "scope_defaults")
        if "services" not in top:
            raise ValueError("services is missing; it maps the key of each service to what is known of it")
        return cls(services, frozenset(edges), frozenset(machines), labels, defaults)

    def as_json(self) -> dict[str, Any]:
        """Return it in the format that `from_json` reads."""
        return {
            "services": {
                key: {**node.home, "name": node.name, **({"pods": dict(node.pods)} if node.pods else {})}
                for key, node in self.services.items()
            },
            "edges": sorted(map(list, self.calls)),
            "nodes": sorted(self.machines),
            "scope_labels": list(self.scope_labels),
            "scope_defaults": dict(self.scope_defaults),
        }

    @classmethod
    def from_inventory(cls, inventory: Inventory) -> Topology:
        """Take services, the environment as what separates them, and `depends_on` as calls."""
        known = inventory.services
        services = {s.name: Node(s.name, {**s.labels, "environment": s.environment}) for s in known.values()}
        calls = {(s.name, callee) for s in known.values() for callee in s.depends_on if callee in known}
        defaults = {"environment": inventory.default_environment}
        return cls(services, frozenset(calls), frozenset(), ("environment",), defaults)

    def with_calls(self, calls: Iterable[tuple[str, str]]) -> Topology:
        """Return a topology with more calls, by key or by a name only one service has; unknown names are left out."""
        found = ((self.find(caller, None), self.find(callee, None)) for caller, callee in calls)
        more = {(caller, callee) for caller, callee in found if caller and callee}
        return replace(self, calls=self.calls | more)

    def find(self, name: str, namespace: str | None) -> str | None:
        """Return the key of a service by its key or its name; `name.namespace`, as meshes write it, is understood."""
        if name in self.services and name not in self._named:
            return name
        found = self._named.get(name)
        if found:
            return self._closest(found, namespace)
        head, dot, rest = name.partition(".")
        return (self.find(head, rest.split(".")[0]) or self.find(head, namespace)) if dot else None

    def _closest(self, found: Sequence[str], namespace: str | None) -> str | None:
        for key in found:
            if self.services[key].namespace == namespace:
                return key
        alone = len(found) == 1
        return found[0] if alone and (namespace is None or self.services[found[0]].namespace is None) else None

    def population(self, service: str | None, namespace: str | None) -> int:
        """Return how many services live where this one does."""
        node = self.services.get(service or "")
        if node is None:
            return self._per_namespace.get(namespace, 0)
        return self._per_namespace[node.namespace]

    def callers(self, service: str) -> frozenset[str]:
        """Return the services that call this one."""
        return self._callers.get(service, frozenset())

    def callees(self, service: str) -> frozenset[str]:
        """Return the services this one calls."""
        return self._callees.get(service, frozenset())

    def near(self, service: str) -> tuple[str, ...]:
        """Return callers and callees, sorted."""
        return self._near.get(service, ())

    def two_away(self, service: str) -> frozenset[str]:
        """Return the services two calls away in any direction, without those one call away."""
        near = self.near(service)
        beyond = {other for one in near for other in self.near(one)}
        return frozenset(beyond - set(near) - {service})

    def runs_on(self, service: str | None) -> frozenset[str]:
        """Return the machines a service has pods on."""
        node = self.services.get(service or "")
        return frozenset(node.pods.values()) if node else frozenset()

    @cached_property
    def pods(self) -> Mapping[str, tuple[str, str]]:
        """Return, for every pod, its service and its machine."""
        return {pod: (key, on) for key, node in self.services.items() for pod, on in node.pods.items()}

    @cached_property
    def _near(self) -> Mapping[str, tuple[str, ...]]:
        return {key: tuple(sorted(self.callers(key) | self.callees(key))) for key in self.services}

    @cached_property
    def _named(self) -> Mapping[str, tuple[str, ...]]:
        names: dict[str, list[str]] = {}
        for key, node in self.services.items():
            names.setdefault(node.name, []).append(key)
        return {name: tuple(keys) for name, keys in names.items()}

    @cached_property
    def _per_namespace(self) -> Counter[str | None]:
        return Counter(node.namespace for node in self.services.values())

    @cached_property
    def _callers(self) -> Mapping[str, frozenset[str]]:
        return _grouped((callee, caller) for caller, callee in self.calls)

    @cached_property
    def _callees(self) -> Mapping[str, frozenset[str]]:
        return _grouped(self.calls)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one, other in pairs:
        if one != other:
            found.setdefault(one, set()).add(other)
    return {one: frozenset(others) for one, others in found.items()}


def _node(key: str, value: Mapping[str, Any]) -> Node:
    name = value.get("name", key.rsplit("/", 1)[-1])
    if not isinstance(name, str) or not name:
        raise ValueError(f"services.{key}.name must be a text; leave it out to take the last part of the key")
    pods = _mapping(value.get("pods") or {}, f"services.{key}.pods")
    home = {label: text for label, text in value.items() if label not in ("name", "pods") and isinstance(text, str)}
    return Node(name, home, {str(pod): str(machine) for pod, machine in pods.items()})


def _machines(services: Mapping[str, Node]) -> set[str]:
    return {machine for node in services.values() for machine in node.pods.values()}


def _mapping(value: Any, field_name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{field_name} must be an object, not {type(value).__name__}")
    return value


def _texts(value: Any, field_name: str) -> Mapping[str, str]:
    wrong = next((name for name, text in _mapping(value, field_name).items() if not isinstance(text, str)), None)
    if wrong is not None:
        raise ValueError(f"{field_name}.{wrong} must be a text")
    return dict(value)


def _words(value: Any, field_name: str) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{field_name} must be a list of texts")
    return list(value)


def _pairs(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("edges must be a list of [caller, callee]")
    for number, edge in enumerate(value):
        if isinstance(edge, str) or not isinstance(edge, Sequence) or len(edge) != 2:
            raise ValueError(f"edges[{number}] must be [caller, callee]")
        _words(edge, f"edges[{number}]")
    return [(edge[0], edge[1]) for edge in value]
