"""How the API server takes a change: patches and replacements, preconditions, dry runs, and what it does not allow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sysop.testing.kubernetes import statuses
from sysop.testing.kubernetes.cluster import Cluster
from sysop.testing.kubernetes.objects import Document
from sysop.testing.kubernetes.patches import KINDS, BadPatch
from sysop.testing.kubernetes.resources import Place

_QUERY = {"dryRun", "fieldManager", "fieldValidation", "force", "pretty"}
_SPEC = {
    "deployments": {
        "replicas",
        "selector",
        "template",
        "strategy",
        "paused",
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    },
    "nodes": {"unschedulable", "taints", "podCIDR", "podCIDRs", "providerID"},
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request that changes something."""

    user: str
    verb: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def kind(self) -> str:
        """Return the content type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()


def change(cluster: Cluster, place: Place, request: Request) -> tuple[Document, list[str]]:
    """Carry a change out and return the answer with a line for each change; none of a dry run. Raises Refused."""
    dry_run = request.query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise statuses.refused(400, f'dryRun: Unsupported value: "{dry_run}": supported values: "All"')
    if unknown := sorted(set(request.query) - _QUERY):
        raise statuses.refused(400, f"query: {unknown[0]} is not served")
    edit = (_patch if request.verb == "patch" else _replacement)(request)
    manager = request.query.get("fieldManager") or request.headers.get("user-agent", "").partition("/")[0]
    try:
        document, changes = cluster.change(
            place.resource.plural,
            place.namespace,
            place.name,
            lambda found: _made(place, found, edit),
            by=request.user,
            field_manager=manager,
            dry_run=bool(dry_run),
        )
    except KeyError:
        raise statuses.missing(place.resource, place.name) from None
    lines = [] if dry_run else [str(one) for one in changes]
    return (scale_of(document) if place.sub == "scale" else document), lines


def scale_of(deployment: Document) -> Document:
    """Return a Deployment's `Scale`."""
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: deployment["metadata"][key] for key in kept},
        "spec": {"replicas": deployment["spec"]["replicas"]},
        "status": {"replicas": deployment["status"].get("replicas", 0), "selector": selector},
    }


def _patch(request: Request) -> Callable[[Document], Any]:
    kind, body = KINDS.get(request.kind), _body(request)
    if kind is None:
        known = ", ".join(KINDS)
        raise statuses.refused(
            415, f"the body of the request was in an unknown format - accepted media types include: {known}"
        )
    return lambda found: kind(found, body)


def _replacement(request: Request) -> Callable[[Document], Any]:
    if request.kind not in ("", "application/json"):
        raise statuses.refused(415, "the body of the request was in an unknown format")
    body = _body(request)
    return lambda _: body


def _body(request: Request) -> Any:
    try:
        return json.loads(request.raw)
    except ValueError as bad:
        raise statuses.refused(400, f"error decoding patch: {bad}") from bad


def _made(place: Place, found: Document, edit: Callable[[Document], Any]) -> Document:
    """Return the object as it is to be. Raises Refused."""
    shown = scale_of(found) if place.sub == "scale" else found
    try:
        after = edit(shown)
    except BadPatch as bad:
        raise statuses.refused(400, str(bad)) from bad
    if not isinstance(after, dict) or not isinstance(after.get("metadata"), dict):
        raise statuses.refused(400, "the result is no object with metadata")
    if after["metadata"].get("resourceVersion", "") not in ("", found["metadata"]["resourceVersion"]):
        raise statuses.conflict(place.resource, place.name)
    if after["metadata"].get("name") != place.name:
        raise statuses.refused(400, f"the name of the object ({after['metadata'].get('name')}) does not match the URL")
    if not isinstance(after.get("spec"), dict):
        raise statuses.invalid(place.resource, place.name, "spec", "Required value")
    if place.sub == "scale":
        after = {**found, "spec": {**found["spec"], "replicas": after["spec"].get("replicas", 0)}}
    _check(place, found["spec"], after["spec"])
    _check_metadata(place, after["metadata"])
    return after


def _check(place: Place, before: Document, after: Document) -> None:
    resource, name = place.resource, place.name
    if unknown := sorted(set(after) - _SPEC[resource.plural]):
        raise statuses.refused(400, f'strict decoding error: unknown field "spec.{unknown[0]}"')
    if resource.plural == "nodes":
        if not isinstance(after.get("unschedulable", False), bool):
            raise statuses.refused(400, "cannot unmarshal spec.unschedulable into bool")
        return
    replicas = after.get("replicas")
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise statuses.refused(400, "cannot unmarshal spec.replicas into int32")
    if replicas < 0:
        raise statuses.invalid(resource, name, "spec.replicas", "must be greater than or equal to 0")
    if after.get("selector") != before["selector"]:
        raise statuses.invalid(resource, name, "spec.selector", "field is immutable")
    template = after.get("template", {})
    labels = template.get("metadata", {}).get("labels", {})
    if not before["selector"]["matchLabels"].items() <= labels.items():
        raise statuses.invalid(resource, name, "spec.template.metadata.labels", "`selector` does not match them")
    if not template.get("spec", {}).get("containers"):
        raise statuses.invalid(resource, name, "spec.template.spec.containers", "Required value")


def _check_metadata(place: Place, metadata: Document) -> None:
    for name, value in metadata.get("annotations", {}).items():
        if not isinstance(value, str):
            raise statuses.refused(400, f"cannot unmarshal metadata.annotations.{name} into string")
        if len(name.rpartition("/")[2]) > 63:
            raise statuses.invalid(place.resource, place.name, "metadata.annotations", f"{name}: name too long")
