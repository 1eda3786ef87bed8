"""The state of a cluster, apart from how it is asked for."""

from __future__ import annotations

import copy
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from sysop.testing.kubernetes import documents
from sysop.testing.kubernetes.changes import SpecChange, changed
from sysop.testing.kubernetes.controller import Controller
from sysop.testing.kubernetes.documents import Pod
from sysop.testing.kubernetes.objects import Document, Objects, stamp

_NONE: Mapping[str, str] = {}


class Cluster:
    """A cluster, to be asked and changed from any thread.

    Deployments are either played, step by step whenever somebody looks (`bad_images` never become ready, those in
    `crashing_images` restart for ever), or `managed`: somebody else runs the pods, hears of changes by `on_change` and
    reports. `on_change` is called in the thread of the request, which is answered after it returns.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.on_change: Callable[[SpecChange], None] | None = None
        self.changes: list[SpecChange] = []
        self.metrics_server = True
        self._lock = threading.RLock()
        self._objects = Objects(clock)
        self._controller = Controller(self._objects, self.event)
        self._logs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        self._former: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.bad_images = self._controller.bad
        self.crashing_images = self._controller.crashing
        self.add_node("node-1")

    def add_deployment(
        self,
        namespace: str,
        name: str,
        image: str,
        replicas: int = 1,
        *,
        labels: Mapping[str, str] = _NONE,
        managed: bool = False,
        progress_deadline: int = 600,
    ) -> None:
        """Bring a Deployment in, with the labels `app` and `app.kubernetes.io/name` unless others are given."""
        with self._lock:
            self._namespace(namespace)
            made = documents.deployment(namespace, name, image, replicas, labels, progress_deadline)
            self._controller.begin(self._objects.put("deployments", made), managed)

    def add_stateful_set(self, namespace: str, name: str, image: str, replicas: int = 1) -> None:
        """Bring a StatefulSet in that is well. Nobody plays its pods."""
        with self._lock:
            self._namespace(namespace)
            made = documents.workload("StatefulSet", namespace, name, image, _NONE)
            made["spec"] |= {"replicas": replicas, "serviceName": name}
            ready = {"readyReplicas": replicas, "currentReplicas": replicas, "updatedReplicas": replicas}
            made["status"] = {"replicas": replicas, "availableReplicas": replicas, "observedGeneration": 1, **ready}
            self._objects.put("statefulsets", made)

    def add_daemon_set(self, namespace: str, name: str, image: str) -> None:
        """Bring a DaemonSet in that is well on every node. Nobody plays its pods."""
        with self._lock:
            self._namespace(namespace)
            made = documents.workload("DaemonSet", namespace, name, image, _NONE)
            nodes = len(self._objects.every("nodes"))
            scheduled = {"currentNumberScheduled": nodes, "desiredNumberScheduled": nodes, "numberMisscheduled": 0}
            made["status"] = {**scheduled, "numberReady": nodes, "numberAvailable": nodes, "observedGeneration": 1}
            self._objects.put("daemonsets", made)

    def add_node(self, name: str, cpu: int = 4, memory_bytes: int = 8 * 1024**3) -> None:
        """Bring a node in."""
        with self._lock:
            self._objects.put("nodes", documents.node(name, cpu, memory_bytes))

    def add_autoscaler(self, namespace: str, deployment: str, least: int, most: int) -> None:
        """Bring a HorizontalPodAutoscaler in. It is only there: it scales nothing."""
        with self._lock:
            made = documents.autoscaler(namespace, deployment, deployment, least, most)
            self._objects.put("horizontalpodautoscalers", made)

    def add_disruption_budget(self, namespace: str, workload: str, least: int) -> None:
        """Bring a PodDisruptionBudget in, for the pods there are now."""
        with self._lock:
            healthy = sum(pod.ready for pod, of in self._controller.pods(namespace) if of == workload)
            made = documents.disruption_budget(namespace, workload, workload, least, healthy)
            self._objects.put("poddisruptionbudgets", made)

    def report(self, namespace: str, name: str, pods: Sequence[Pod]) -> None:
        """Say which pods a managed Deployment has. One that was started again has a new log; the old is its previous.

        A pod belongs to the last revision with its image that was there when it started. Raises KeyError.
        """
        with self._lock:
            for again in self._controller.report(self._deployment(namespace, name), pods):
                self._turn_log(namespace, again)

    def set_image(self, namespace: str, name: str, image: str, by: str = "somebody else") -> None:
        """Deploy another image, as somebody else does: a new revision. `on_change` does not hear of it."""

        def make(found: Document) -> Document:
            found["spec"]["template"]["spec"]["containers"][0]["image"] = image
            return found

        with self._lock:
            self._change("deployments", namespace, name, make, by, "stand-in", False)
            self._controller.look(self._deployment(namespace, name))

    def set_replicas(self, namespace: str, name: str, replicas: int, by: str = "somebody else") -> None:
        """Scale, as somebody else does. `on_change` does not hear of it."""

        def make(found: Document) -> Document:
            found["spec"]["replicas"] = replicas
            return found

        with self._lock:
            self._change("deployments", namespace, name, make, by, "stand-in", False)

    def event(
        self,
        namespace: str,
        kind: str,
        name: str,
        reason: str,
        message: str,
        type: str = "Warning",
    ) -> None:
        """Tell of something; what was told before is counted."""
        with self._lock:
            now = stamp(self._objects.clock())
            said = {"reason": reason, "message": message}
            about = {"kind": kind, "name": name}
            for known in self._objects.every("events", namespace):
                if said.items() <= known.items() and about.items() <= known["involvedObject"].items():
                    known |= {"count": known["count"] + 1, "lastTimestamp": now}
                    self._objects.put("events", known)
                    return
            at = f"{name}.{self._objects.version:016x}"
            made = documents.event(namespace, at, kind, name, reason, message, type)
            self._objects.put("events", made | {"firstTimestamp": now, "lastTimestamp": now})

    def log(self, namespace: str, pod: str, line: str) -> None:
        """Let a pod write a line."""
        with self._lock:
            now = self._objects.clock()
            fraction = f"{now % 1:.9f}"[1:]
            self._logs[namespace, pod].append((f"{stamp(now)[:-1]}{fraction}Z", line))

    def end_log(self, namespace: str, pod: str) -> None:
        """Let a pod's container end: what it wrote is its previous log from now on."""
        with self._lock:
            self._turn_log(namespace, pod)

    def logs(self, namespace: str, pod: str, *, previous: bool) -> list[tuple[str, str]] | None:
        """Return times and lines; None where there was no container before."""
        with self._lock:
            return list(self._logs[namespace, pod]) if not previous else self._former.get((namespace, pod))

    @property
    def version(self) -> str:
        """Return the resource version of the newest change."""
        return str(self._objects.version)

    def get(self, resource: str, namespace: str, name: str) -> Document | None:
        """Return a copy of an object, after a look of the controllers."""
        with self._lock:
            self._look(resource, namespace)
            return copy.deepcopy(self._objects.get(resource, namespace, name))

    def every(self, resource: str, namespace: str = "") -> list[Document]:
        """Return copies of all objects, after a look of the controllers."""
        with self._lock:
            self._look(resource, namespace)
            return copy.deepcopy(self._objects.every(resource, namespace))

    def usage(self, namespace: str) -> list[Document]:
        """Return what the metrics server says."""
        with self._lock:
            now = self._objects.clock()
            return [documents.usage(pod, namespace, of, now) for pod, of in self._controller.pods(namespace)]

    def change(
        self,
        resource: str,
        namespace: str,
        name: str,
        make: Callable[[Document], Document],
        *,
        by: str,
        field_manager: str,
        dry_run: bool = False,
    ) -> tuple[Document, list[SpecChange]]:
        """Change an object by a function of its copy and return what it is then, with what that changed.

        Of a dry run both say what would be. Raises KeyError and what `make` raises.
        """
        with self._lock:
            document, changes = self._change(resource, namespace, name, make, by, field_manager, dry_run)
            document = copy.deepcopy(document)
        if self.on_change is not None and not dry_run:
            for change in changes:
                self.on_change(change)
        return document, changes

    def _change(
        self,
        resource: str,
        namespace: str,
        name: str,
        make: Callable[[Document], Document],
        by: str,
        field_manager: str,
        dry_run: bool,
    ) -> tuple[Document, list[SpecChange]]:
        before = self._objects.get(resource, namespace, name)
        if before is None:
            raise KeyError(name)
        after = make(copy.deepcopy(before))
        after["status"] = before["status"]
        kept = ("name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion")
        after["metadata"] |= {key: before["metadata"][key] for key in kept if key in before["metadata"]}
        if after == before:
            return before, []
        if after["spec"] != before["spec"] and "generation" in before["metadata"]:
            after["metadata"]["generation"] += 1
        changes = [
            SpecChange(namespace, name, what, one, other, by, field_manager)
            for what, one, other in changed(before["spec"], after["spec"])
        ]
        if dry_run:
            return after, changes
        self.changes += changes
        before.clear()
        before.update(after)
        return self._objects.put(resource, before), changes

    def _namespace(self, name: str) -> None:
        if self._objects.get("namespaces", "", name) is None:
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {"finalizers": []}}
            self._objects.put("namespaces", made | {"status": {"phase": "Active"}})

    def _deployment(self, namespace: str, name: str) -> Document:
        found = self._objects.get("deployments", namespace, name)
        if found is None:
            raise KeyError(f"{namespace}/{name}")
        return found

    def _look(self, resource: str, namespace: str) -> None:
        if resource in ("deployments", "replicasets", "pods"):
            for deployment in self._objects.every("deployments", namespace):
                self._controller.look(deployment)

    def _turn_log(self, namespace: str, pod: str) -> None:
        self._former[namespace, pod] = self._logs.pop((namespace, pod), [])
