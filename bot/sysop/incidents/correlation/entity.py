"""What an alert is about, read from its labels: a service, a machine, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sysop.incidents.correlation.topology import Topology

Labels = Mapping[str, str]

# From the thing itself to the thing that scrapes it: `service` and `job` often name an exporter.
SERVICE_LABELS = (
    "service_name",
    "destination_service",
    "deployment",
    "statefulset",
    "daemonset",
    "horizontalpodautoscaler",
    "container",
    "app",
    "service",
    "job",
)
MACHINE_LABELS = ("node", "host", "hostname")
CHANGE_LABELS = ("change", "commit", "revision", "version")


@dataclass(frozen=True, slots=True)
class Entity:
    """What an alert is about. `service` and `machine` are keys of the topology, or names when `known` is false.

    `cluster` and `environment` separate where both sides carry them; `scope` separates always.
    """

    service: str | None
    machine: str | None
    known: bool
    namespace: str | None
    scope: tuple[str | None, ...]
    cluster: str | None
    environment: str | None
    change: str | None

    @property
    def about_machine(self) -> bool:
        """Tell whether the alert is about a machine itself, not about a service on it."""
        return self.machine is not None and self.service is None

    @property
    def name(self) -> str:
        """Return the service's or machine's name without its namespace, empty for neither."""
        return (self.service or self.machine or "").rsplit("/", 1)[-1]


def entity_of(labels: Labels, topology: Topology) -> Entity:
    """Return what these labels are about."""
    service, machine = _known(labels, topology)
    known = bool(service or machine)
    if not known:
        service, machine = _guessed(labels, bool(topology.machines))
    node = topology.services.get(service or "") if known else None
    namespace = labels.get("namespace") or (node.namespace if node else None)
    home: Labels = node.home if node else {}
    scope = tuple(_scope(label, labels, home, namespace, topology) for label in topology.scope_labels)
    change = next((labels[label] for label in CHANGE_LABELS if labels.get(label)), None)
    return Entity(
        service, machine, known, namespace, scope, labels.get("cluster"), labels.get("environment"), change
    )  # fmt: skip


def _scope(label: str, labels: Labels, home: Labels, namespace: str | None, topology: Topology) -> str | None:
    if label == "namespace":
        return namespace
    return labels.get(label) or home.get(label) or topology.scope_defaults.get(label)


def _known(labels: Labels, topology: Topology) -> tuple[str | None, str | None]:
    """Return the service and the machine the topology knows, by pod first, then by label, then by the pod's stem."""
    namespace, pod = labels.get("namespace"), labels.get("pod")
    service, machine = topology.pods.get(pod or "", (None, None))
    service = service or _by_label(labels, namespace, topology) or _by_stem(pod, namespace, topology)
    host = _host(labels)
    if host in topology.machines:
        machine = host
    elif host and not service:
        service = topology.find(host, namespace)
    if not service:
        machine = next((labels[name] for name in MACHINE_LABELS if labels.get(name) in topology.machines), machine)
    return service, machine


def _by_label(labels: Labels, namespace: str | None, topology: Topology) -> str | None:
    for label in SERVICE_LABELS:
        value = labels.get(label)
        if value and (found := topology.find(value, namespace)):
            return found
    return None


def _by_stem(pod: str | None, namespace: str | None, topology: Topology) -> str | None:
    """Find the workload of a pod the topology has not seen: `web-7d9f-x2x` belongs to `web`."""
    while pod and "-" in pod:
        pod = pod.rsplit("-", 1)[0]
        if found := topology.find(pod, namespace):
            return found
    return None


def _guessed(labels: Labels, machines_are_known: bool) -> tuple[str | None, str | None]:
    """Return the names of a service or machine outside the topology: they still tell same from other."""
    pod = labels.get("pod")
    stem = "-".join(pod.split("-")[:-2]) if pod else ""
    named = next((labels[label].split(".")[0] for label in SERVICE_LABELS[:8] if labels.get(label)), None)
    service = named or stem or pod or labels.get("service")
    machine = None
    if not machines_are_known:
        machine = next((labels[name] for name in MACHINE_LABELS if labels.get(name)), None)
        machine = machine or (None if service else _host(labels))
    return service or None, machine


def _host(labels: Labels) -> str | None:
    return (labels.get("instance") or "").rsplit(":", 1)[0] or None
