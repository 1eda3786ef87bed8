"""Plays the controllers and the kubelet: revisions of a Deployment, its pods step by step, and its status."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sysop.testing.kubernetes import documents
from sysop.testing.kubernetes.documents import HASH, REVISION, Pod
from sysop.testing.kubernetes.objects import Document, Objects, stamp

_PATIENCE = 6
"""Looks without progress after which a rollout that nobody else runs counts as stuck."""


@dataclass(slots=True)
class Play:
    """How far one Deployment has come. `since` holds when each ReplicaSet became the one to be."""

    managed: bool
    pods: list[tuple[Pod, str]] = field(default_factory=list)
    since: dict[str, float] = field(default_factory=dict)
    complete: str = ""
    marker: tuple[object, ...] = ()
    looks: int = 0
    moved: float = 0.0
    made: int = 0


class Controller:
    """The controllers of a cluster's Deployments."""

    def __init__(self, objects: Objects, event: Callable[..., None]) -> None:
        self.bad: set[str] = set()
        self.crashing: set[str] = set()
        self._objects = objects
        self._event = event
        self._plays: dict[tuple[str, str], Play] = {}

    def begin(self, deployment: Document, managed: bool) -> None:
        """Take a Deployment on; without somebody else who runs it, its pods are there and ready."""
        play = self._plays[_key(deployment)] = Play(managed)
        for _ in range(1 if play.managed else 3):
            self.look(deployment)

    def pods(self, namespace: str) -> list[tuple[Pod, str]]:
        """Return the pods of a namespace, each with its Deployment's name."""
        plays = [(name, play) for (space, name), play in sorted(self._plays.items()) if namespace in ("", space)]
        return [(pod, name) for name, play in plays for pod, _ in play.pods]

    def sets(self, deployment: Document) -> list[Document]:
        """Return a Deployment's ReplicaSets, oldest revision first."""
        uid = deployment["metadata"]["uid"]
        mine = [
            one
            for one in self._objects.every("replicasets", deployment["metadata"]["namespace"])
            if one["metadata"]["ownerReferences"][0]["uid"] == uid
        ]
        return sorted(mine, key=lambda one: int(one["metadata"]["annotations"][REVISION]))

    def look(self, deployment: Document) -> None:
        """Go on by one step."""
        play = self._plays[_key(deployment)]
        current = self._current(deployment, play)
        if not play.managed:
            self._place(deployment, play, self._step(deployment, play, current))
        self._tell(deployment, play, current)

    def report(self, deployment: Document, pods: Sequence[Pod]) -> list[str]:
        """Take over the pods somebody else runs and return which of them were started again."""
        play = self._plays[_key(deployment)]
        current = self._current(deployment, play)
        before = {pod.name: pod.restarts for pod, _ in play.pods}
        sets = self.sets(deployment)
        self._place(deployment, play, [(pod, _set_of(pod, sets, play)) for pod in pods])
        self._tell(deployment, play, current)
        return [pod.name for pod in pods if pod.restarts > before.get(pod.name, pod.restarts)]

    def _current(self, deployment: Document, play: Play) -> Document:
        """Return the ReplicaSet of the present template: a new one, or an old one under a new revision."""
        sets = self.sets(deployment)
        newest = int(sets[-1]["metadata"]["annotations"][REVISION]) if sets else 0
        found = next((one for one in sets if bare(one["spec"]["template"]) == deployment["spec"]["template"]), None)
        if found is None:
            found = self._objects.put("replicasets", documents.replica_set(deployment, newest + 1))
        elif found is not sets[-1]:
            found["metadata"]["annotations"][REVISION] = str(newest + 1)
            self._objects.put("replicasets", found)
        else:
            return found
        play.since[found["metadata"]["name"]] = self._objects.clock()
        deployment["metadata"].setdefault("annotations", {})[REVISION] = found["metadata"]["annotations"][REVISION]
        self._objects.put("deployments", deployment)
        return found

    def _step(self, deployment: Document, play: Play, current: Document) -> list[tuple[Pod, str]]:
        wanted, name = deployment["spec"]["replicas"], current["metadata"]["name"]
        new = [(self._advanced(pod), own) for pod, own in play.pods if own == name]
        old = [(pod, own) for pod, own in play.pods if own != name]
        ready = sum(pod.ready for pod, _ in new[:wanted])
        old = old[: max(0, wanted - ready)]
        room = wanted + max(1, -(-wanted // 4)) - len(old)
        while len(new) < min(wanted, room):
            play.made += 1
            image = current["spec"]["template"]["spec"]["containers"][0]["image"]
            pod = Pod(f"{name}-{play.made:05d}", image, False, 0, "Pending", "ContainerCreating")
            new.append((replace(pod, started_at=self._objects.clock()), name))
        return [*old, *new[:wanted]]

    def _advanced(self, pod: Pod) -> Pod:
        if pod.image in self.bad:
            return replace(pod, reason="ImagePullBackOff")
        if pod.image in self.crashing:
            crashed = replace(pod, phase="Running", ready=False, restarts=pod.restarts + 1, reason="CrashLoopBackOff")
            return crashed
        return pod if pod.ready else replace(pod, phase="Running", ready=True, reason="")

    def _place(self, deployment: Document, play: Play, pods: list[tuple[Pod, str]]) -> None:
        """Let the pods be these, and tell of what changed by events."""
        space, name = _key(deployment)
        gone = {pod.name for pod, _ in play.pods} - {pod.name for pod, _ in pods}
        before, play.pods = dict(play.pods), pods
        for pod, own in pods:
            if before.get(pod) != own:
                self._put_pod(space, name, pod, self._objects.get("replicasets", space, own))
        for one in gone:
            if document := self._objects.get("pods", space, one):
                self._objects.remove("pods", document)
        for one_set in self.sets(deployment):
            self._resize(deployment, one_set, [pod for pod, own in pods if own == one_set["metadata"]["name"]])

    def _put_pod(self, space: str, name: str, pod: Pod, owner: Document | None) -> None:
        known, now = self._objects.get("pods", space, pod.name), stamp(self._objects.clock())
        self._objects.put("pods", documents.pod(pod, space, name, owner, known, now))
        if pod.reason == "ImagePullBackOff":
            self._event(space, "Pod", pod.name, "Failed", f'Failed to pull image "{pod.image}": not found')
        elif pod.reason == "CrashLoopBackOff":
            self._event(space, "Pod", pod.name, "BackOff", f"Back-off restarting failed container {name}")

    def _resize(self, deployment: Document, one: Document, pods: list[Pod]) -> None:
        was, ready = one["spec"]["replicas"], sum(pod.ready for pod in pods)
        shown = {"readyReplicas": ready, "availableReplicas": ready} if ready else {}
        status = {"replicas": len(pods), "observedGeneration": one["metadata"]["generation"], **shown}
        if was != len(pods):
            one["spec"]["replicas"] = len(pods)
            one["metadata"]["generation"] += 1
            way = "up" if len(pods) > was else "down"
            said = f"Scaled {way} replica set {one['metadata']['name']} from {was} to {len(pods)}"
            space, name = _key(deployment)
            self._event(space, "Deployment", name, "ScalingReplicaSet", said, "Normal")
        elif one["status"] == status:
            return
        one["status"] = {**status, "observedGeneration": one["metadata"]["generation"]}
        self._objects.put("replicasets", one)

    def _tell(self, deployment: Document, play: Play, current: Document) -> None:
        """Write the status where it is another than before."""
        name = current["metadata"]["name"]
        wanted = deployment["spec"]["replicas"]
        updated = [pod for pod, own in play.pods if own == name]
        ready = sum(pod.ready for pod, _ in play.pods)
        if len(updated) == len(play.pods) == wanted == ready:
            play.complete = name
        counts = {
            "replicas": len(play.pods),
            "updatedReplicas": len(updated),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, max(wanted, len(play.pods)) - ready),
        }
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            **{key: number for key, number in counts.items() if number},
            "conditions": self._conditions(deployment, play, current, sum(pod.ready for pod in updated)),
        }
        if deployment["status"] != status:
            deployment["status"] = status
            self._objects.put("deployments", deployment)

    def _conditions(self, deployment: Document, play: Play, current: Document, fresh: int) -> list[Document]:
        name, wanted = current["metadata"]["name"], deployment["spec"]["replicas"]
        enough = sum(pod.ready for pod, _ in play.pods) >= wanted - wanted // 4
        available = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
        stuck = self._stuck(deployment, play, (name, wanted, len(play.pods), fresh))
        if play.complete == name:
            progress = "NewReplicaSetAvailable"
        else:
            progress = "ProgressDeadlineExceeded" if stuck else "ReplicaSetUpdated"
        said = [
            ("Available", str(enough), available, "the minimum of replicas is available" if enough else "too few"),
            ("Progressing", str(progress != "ProgressDeadlineExceeded"), progress, f'ReplicaSet "{name}"'),
        ]
        known = {one["type"]: one for one in deployment["status"].get("conditions", [])}
        return [self._condition(known.get(kind), kind, *rest) for kind, *rest in said]

    def _condition(self, known: Document | None, kind: str, status: str, reason: str, message: str) -> Document:
        said = {"type": kind, "status": status, "reason": reason, "message": message}
        if known and all(known[key] == value for key, value in said.items()):
            return known
        now = stamp(self._objects.clock())
        turned = known["lastTransitionTime"] if known and known["status"] == status else now
        return {**said, "lastUpdateTime": now, "lastTransitionTime": turned}

    def _stuck(self, deployment: Document, play: Play, marker: tuple[object, ...]) -> bool:
        now = self._objects.clock()
        if play.marker != marker:
            play.marker, play.looks, play.moved = marker, 0, now
        play.looks += 1
        late = now - play.moved >= deployment["spec"]["progressDeadlineSeconds"]
        return late or (not play.managed and play.looks > _PATIENCE)


def bare(template: Document) -> Document:
    """Return a ReplicaSet's template as its Deployment has it: without the label of its hash."""
    found = copy.deepcopy(template)
    found["metadata"]["labels"].pop(HASH, None)
    return found


def _set_of(pod: Pod, sets: list[Document], play: Play) -> str:
    """Return the ReplicaSet of a reported pod: of those with its image the last that was the one to be by its start."""
    fit = [
        one["metadata"]["name"]
        for one in sets
        if one["spec"]["template"]["spec"]["containers"][0]["image"] == pod.image
    ]
    by_start = sorted((name for name in fit if play.since[name] <= pod.started_at), key=lambda name: play.since[name])
    return by_start[-1] if by_start else min(fit, key=lambda name: play.since[name], default="")


def _key(deployment: Document) -> tuple[str, str]:
    return deployment["metadata"]["namespace"], deployment["metadata"]["name"]
