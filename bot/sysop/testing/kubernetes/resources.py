"""Which resources there are, how their addresses read, and what discovery says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METRICS = "metrics.k8s.io"


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object. `group` is "" for the core."""

    group: str
    version: str
    plural: str
    kind: str
    verbs: tuple[str, ...] = ("get", "list")
    namespaced: bool = True
    short: str = ""

    @property
    def api_version(self) -> str:
        """Return what objects have as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        """Return the name errors have."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_CHANGED = ("get", "list", "patch", "update")
RESOURCES = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False, short="ns"),
    Resource("", "v1", "nodes", "Node", ("get", "list", "patch"), namespaced=False, short="no"),
    Resource("", "v1", "pods", "Pod", short="po"),
    Resource("", "v1", "events", "Event", short="ev"),
    Resource("apps", "v1", "deployments", "Deployment", _CHANGED, short="deploy"),
    Resource("apps", "v1", "replicasets", "ReplicaSet", short="rs"),
    Resource("apps", "v1", "statefulsets", "StatefulSet", short="sts"),
    Resource("apps", "v1", "daemonsets", "DaemonSet", short="ds"),
    Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", short="hpa"),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", short="pdb"),
    Resource(METRICS, "v1beta1", "pods", "PodMetrics", ("list",)),
    Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", ("create",), False),
    Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", ("create",), False),
)
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[a-z0-9.]+))/(?P<version>v[a-z0-9]+)"
    r"(?:/namespaces/(?P<namespace>[a-z0-9-]+)(?=/))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """What an address names; "" for what it does not."""

    resource: Resource
    namespace: str
    name: str
    sub: str


def place_of(path: str) -> Place | None:
    """Return what an address names, None where it is none of the API's."""
    found = _PATH.fullmatch(path)
    if not found:
        return None
    group, plural = found["group"] or "", found["plural"]
    for one in RESOURCES:
        if (one.group, one.version, one.plural) == (group, found["version"], plural):
            return Place(one, found["namespace"] or "", found["name"] or "", found["sub"] or "")
    return None


def discovered(path: str, metrics: bool) -> Any:
    """Return what discovery answers at an address, None where there is nothing."""
    groups = sorted({(one.group, one.version) for one in RESOURCES if one.group and (metrics or one.group != METRICS)})
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*one) for one in groups]}
    for group, version in (("", "v1"), *groups):
        if path == (f"/apis/{group}/{version}" if group else f"/api/{version}"):
            return _resources(group, version)
    return None


def _group(name: str, version: str) -> Mapping[str, Any]:
    one = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [one], "preferredVersion": one}


def _resources(group: str, version: str) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = []
    for one in RESOURCES:
        if (one.group, one.version) == (group, version):
            told: dict[str, Any] = {"name": one.plural, "singularName": "", "namespaced": one.namespaced}
            told |= {"shortNames": [one.short]} if one.short else {}
            found.append({**told, "kind": one.kind, "verbs": list(one.verbs)})
    if group == "apps":
        scale = {"name": "deployments/scale", "singularName": "", "namespaced": True, "kind": "Scale"}
        found.append({**scale, "group": "autoscaling", "version": "v1", "verbs": ["get", "patch", "update"]})
    if group == "":
        found.append({"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": found,
    }
