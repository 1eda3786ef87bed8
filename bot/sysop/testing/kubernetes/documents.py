"""The objects of the API as it writes them. Fields that are zero are left out, as the real server does."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sysop.testing.kubernetes.objects import Document, stamp

REVISION = "deployment.kubernetes.io/revision"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as whoever runs it reports it. `started_at` in seconds since the epoch.

    `reason` is what the container waits for, such as `CrashLoopBackOff`, or why it ended last, such as `OOMKilled`.
    """

    name: str
    image: str
    ready: bool = True
    restarts: int = 0
    phase: str = "Running"
    reason: str = ""
    cpu_millis: int = 5
    memory_bytes: int = 32 * 1024 * 1024
    started_at: float = 0.0
    node: str = "node-1"


def template(name: str, image: str, labels: Mapping[str, str]) -> Document:
    """Return a pod template with one container."""
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default",
    }
    return {"metadata": {"labels": dict(labels)}, "spec": {**spec, "terminationGracePeriodSeconds": 30}}


def workload(kind: str, namespace: str, name: str, image: str, labels: Mapping[str, str]) -> Document:
    """Return what Deployment, StatefulSet and DaemonSet have in common."""
    all_labels = {"app": name, "app.kubernetes.io/name": name, **labels}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(all_labels),
            "annotations": {},
            "generation": 1,
        },
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template(name, image, all_labels)},
        "status": {},
    }


def deployment(
    namespace: str, name: str, image: str, replicas: int, labels: Mapping[str, str], progress_deadline: int
) -> Document:
    """Return a Deployment nobody has looked at yet."""
    made = workload("Deployment", namespace, name, image, labels)
    made["spec"] |= {
        "replicas": replicas,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": progress_deadline,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    }
    return made


def replica_set(owner: Document, revision: int) -> Document:
    """Return the ReplicaSet of a Deployment's present template."""
    wanted = copy.deepcopy(owner["spec"]["template"])
    name = owner["metadata"]["name"]
    digest = hashlib.sha256(json.dumps([name, wanted], sort_keys=True).encode()).hexdigest()[:10]
    wanted["metadata"]["labels"][HASH] = digest
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-{digest}",
            "namespace": owner["metadata"]["namespace"],
            "labels": dict(wanted["metadata"]["labels"]),
            "annotations": {REVISION: str(revision)},
            "generation": 1,
            "ownerReferences": [_owned(owner)],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {**owner["spec"]["selector"]["matchLabels"], HASH: digest}},
            "template": wanted,
        },
        "status": {"replicas": 0, "observedGeneration": 1},
    }


_WAITING = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ContainerCreating")


def pod(of: Pod, namespace: str, container: str, owner: Document | None, known: Document | None, now: str) -> Document:
    """Return a pod of one container. `known` is what was written of it before: when it turned is read off both."""
    started = stamp(of.started_at)
    labels = owner["spec"]["template"]["metadata"]["labels"] if owner else {"app": container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": of.name,
            "namespace": namespace,
            "labels": dict(labels),
            "creationTimestamp": started,
            **({"uid": known["metadata"]["uid"]} if known else {}),
            **({"ownerReferences": [_owned(owner)]} if owner else {}),
        },
        "spec": {
            "nodeName": of.node,
            "containers": [{"name": container, "image": of.image, "resources": {}}],
            "restartPolicy": "Always",
        },
        "status": {
            "phase": of.phase,
            "conditions": [_turned(kind, of.ready, known, now) for kind in ("Ready", "ContainersReady")],
            "startTime": started,
            "containerStatuses": [_container(of, container, known, now)],
        },
    }


def _container(of: Pod, name: str, known: Document | None, now: str) -> Document:
    waits = not of.ready and of.reason in _WAITING
    ended = now
    if known and of.restarts <= (before := known["status"]["containerStatuses"][0])["restartCount"]:
        ended = before["lastState"].get("terminated", {}).get("finishedAt", now)
    reason = "Error" if waits or not of.reason else of.reason
    last = {"exitCode": 137 if reason == "OOMKilled" else 1, "reason": reason, "finishedAt": ended}
    return {
        "name": name,
        "image": of.image,
        "imageID": "",
        "ready": of.ready,
        "restartCount": of.restarts,
        "started": not waits,
        "state": {"waiting": {"reason": of.reason}} if waits else {"running": {"startedAt": stamp(of.started_at)}},
        "lastState": {"terminated": last} if of.restarts else {},
    }


def _turned(kind: str, is_so: bool, known: Document | None, now: str) -> Document:
    for one in known["status"]["conditions"] if known else ():
        if one["type"] == kind and one["status"] == str(is_so):
            found: Document = one
            return found
    return {"type": kind, "status": str(is_so), "lastTransitionTime": now}


def usage(of: Pod, namespace: str, container: str, now: float) -> Document:
    """Return what the metrics server says of a pod."""
    used = {"cpu": f"{of.cpu_millis}m", "memory": f"{of.memory_bytes // 1024}Ki"}
    return {
        "metadata": {"name": of.name, "namespace": namespace, "creationTimestamp": stamp(now)},
        "timestamp": stamp(now),
        "window": "15s",
        "containers": [{"name": container, "usage": used}],
    }


def node(name: str, cpu: int, memory_bytes: int) -> Document:
    """Return a node that is ready."""
    size = {"cpu": str(cpu), "memory": f"{memory_bytes // 1024}Ki", "pods": "110"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}, "annotations": {}},
        "spec": {},
        "status": {"capacity": size, "allocatable": size, "conditions": [ready]},
    }


def event(namespace: str, at: str, kind: str, name: str, reason: str, message: str, severity: str) -> Document:
    """Return an event that was seen once."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": at, "namespace": namespace},
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace},
        "reason": reason,
        "message": message,
        "type": severity,
        "count": 1,
        "source": {"component": "stand-in"},
    }


def autoscaler(namespace: str, name: str, of: str, least: int, most: int) -> Document:
    """Return a HorizontalPodAutoscaler of a Deployment."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": of},
            "minReplicas": least,
            "maxReplicas": most,
        },
        "status": {"currentReplicas": least, "desiredReplicas": least, "currentMetrics": None, "conditions": []},
    }


def disruption_budget(namespace: str, name: str, of: str, least: int, healthy: int) -> Document:
    """Return a PodDisruptionBudget of a workload's pods."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": of}}},
        "status": {
            "currentHealthy": healthy,
            "desiredHealthy": least,
            "disruptionsAllowed": max(0, healthy - least),
            "expectedPods": healthy,
        },
    }


def _owned(owner: Document) -> Document:
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
