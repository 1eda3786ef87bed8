"""How far a rollout is, and which of the earlier revisions an undo goes back to."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sysop.api import ActionFailed
from sysop_plugins.kubernetes.shapes import HASH, RESTARTED, Workload

RolloutState = Literal["complete", "rolling", "stuck", "paused", "degraded"]


class Data(BaseModel):
    """A frozen result of an action."""

    model_config = ConfigDict(frozen=True)


class Rolled(Data):
    """How far a Deployment is. `degraded`: the rollout is over and yet not all its pods are ready."""

    state: RolloutState
    detail: str


def rolled(of: Workload) -> Rolled:
    """Tell how far a Deployment is, by the order in which `kubectl rollout status` looks."""
    status, wanted = of.status, of.spec.replicas
    progress = next((one for one in status.conditions if one.type == "Progressing"), None)
    reason = progress.reason if progress else ""
    counts = f"{status.updated_replicas} of {wanted} pods are new, {status.ready_replicas} ready"
    if of.spec.paused:
        return Rolled(state="paused", detail=f"paused; {counts}")
    if status.observed_generation < of.metadata.generation:
        return Rolled(state="rolling", detail="the controller has not seen the change yet")
    if reason == "ProgressDeadlineExceeded":
        return Rolled(state="stuck", detail=f"no progress within {of.spec.progress_deadline_seconds} s; {counts}")
    if status.updated_replicas < wanted or status.replicas > status.updated_replicas:
        return Rolled(state="rolling", detail=f"{counts}, {status.replicas} in all")
    if status.available_replicas < wanted:
        over = reason == "NewReplicaSetAvailable"
        return Rolled(state="degraded" if over else "rolling", detail=f"{counts}")
    return Rolled(state="complete", detail=f"all {wanted} pods are ready")


def template_of(replica_set: Workload) -> dict[str, Any]:
    """Return the template of a ReplicaSet as its Deployment had it."""
    template = copy.deepcopy(replica_set.spec.template)
    template.get("metadata", {}).get("labels", {}).pop(HASH, None)
    return template


def images_of(template: Mapping[str, Any]) -> str:
    """Return the images of a template."""
    return ", ".join(one["image"] for one in template["spec"]["containers"])


def undo_to(of: Workload, sets: Sequence[Workload], revision: int | None) -> Workload:
    """Return the ReplicaSet to go back to. Raises ActionFailed where there is none.

    Without a revision it is the last one before the present that is more than a restart of the same.
    """
    known = ", ".join(f"{one.revision} ({one.images})" for one in reversed(sets)) or "none"
    if revision is not None:
        found = [one for one in sets if one.revision == revision]
        if not found:
            raise ActionFailed(f"revision: the server does not keep {revision}; it keeps: {known}")
        if same(template_of(found[0]), of.spec.template, restarts=True):
            raise ActionFailed(f"revision: {revision} is what runs already")
        return found[0]
    for one in reversed(sets):
        if one.revision < of.revision and not same(template_of(one), of.spec.template, restarts=False):
            return one
    raise ActionFailed(f"service: there is no revision before the present one to go back to; kept are: {known}")


def same(one: Mapping[str, Any], other: Mapping[str, Any], *, restarts: bool) -> bool:
    """Tell whether two templates are the same; without `restarts`, when pods were last restarted does not count."""
    return merge_patch(_plain(one, restarts), _plain(other, restarts)) == {}


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the RFC 7386 merge patch from one document to another. A null counts as nothing, as it does there."""
    patch: dict[str, Any] = {name: None for name in before if before[name] is not None and after.get(name) is None}
    for name, value in after.items():
        was = before.get(name)
        if value is None or value == was:
            continue
        if isinstance(value, Mapping) and isinstance(was, Mapping):
            if inner := merge_patch(was, value):
                patch[name] = inner
        else:
            patch[name] = value
    return patch


def _plain(template: Mapping[str, Any], restarts: bool) -> dict[str, Any]:
    plain = copy.deepcopy(dict(template))
    meta = plain.get("metadata") or {}
    if not restarts and meta.get("annotations"):
        meta["annotations"].pop(RESTARTED, None)
    return {**plain, "metadata": {name: value for name, value in meta.items() if value}}
