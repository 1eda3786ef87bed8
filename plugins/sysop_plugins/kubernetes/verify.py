"""Post-checks: is the rollout over, do its pods stay ready without a restart, and is the service well since?

Each decides from what can be read now and remembers nothing, so it may be asked again after any crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sysop.api import CallError, Context, Verification
from sysop_plugins.kubernetes.changed import Changed
from sysop_plugins.kubernetes.pods import Pod
from sysop_plugins.kubernetes.rollout import rolled
from sysop_plugins.kubernetes.server import server_of
from sysop_plugins.kubernetes.settings import Settings
from sysop_plugins.remote.health import Times, judge_all

_SLOW = timedelta(seconds=30)  # from a change to its first pod, and from the last pod to the controller's word
LONGEST_CHECK = timedelta(hours=2)


async def pods_are_well(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when all pods are new and have stayed ready without a restart, and every health query is well."""
    settings: Settings = ctx.settings
    change = Changed.model_validate(result)
    try:
        server = server_of(ctx)
        it = await server.deployment(settings.place_of(args.service))
        pods = await server.pods(it)
    except CallError as failed:
        return _late(ctx, change, timedelta(minutes=10), f"{change.object} cannot be looked at: {failed}")
    how = rolled(it)
    if how.state in ("stuck", "paused"):
        return Verification("failed", f"{change.object} is {how.state}: {how.detail}")
    allowed = timedelta(seconds=it.spec.progress_deadline_seconds + settings.steady_seconds) + _SLOW
    if how.state != "complete":
        return _late(ctx, change, allowed, f"{change.object} is {how.state}: {how.detail}{_why(pods)}")
    since = _at_rest(pods, change)
    if ctx.now() - since < settings.steady_seconds * 1000:
        told = f"all {it.spec.replicas} pods are ready, for less than {settings.steady_seconds:g} s"
        return _late(ctx, change, allowed, told)
    told = f"all {it.spec.replicas} pods are ready and have not restarted for {settings.steady_seconds:g} s"
    queries = settings.health_of(args.service)
    if not queries:
        return Verification("passed", f"{told}; no health query is declared for {args.service}")
    found = await judge_all(ctx, queries, Times(change.at, since, "its pods came to rest"))
    return replace(found, detail=f"{told}; {found.detail}") if found.state == "passed" else found


def _at_rest(pods: Sequence[Pod], change: Changed) -> int:
    """Return since when nothing has moved: no pod turned ready or not, no container ended."""
    return max([change.at, *(pod.turned_at for pod in pods)])


def _why(pods: Sequence[Pod]) -> str:
    unwell = [f"{pod.metadata.name}: {pod.reason}" for pod in pods if not pod.ready and pod.reason]
    return f" ({'; '.join(unwell[:3])})" if unwell else ""


def _late(ctx: Context, change: Changed, allowed: timedelta, detail: str) -> Verification:
    """Wait for as long as a change may take, and no longer."""
    if ctx.now() - change.at < allowed.total_seconds() * 1000:
        return Verification("pending", detail)
    return Verification("failed", f"{detail}, {allowed.total_seconds():g} s after the change")


async def node_is_so(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when the server says of the node what was asked for."""
    change = Changed.model_validate(result)
    try:
        node = await server_of(ctx).node(args.node)
    except CallError as failed:
        return _late(ctx, change, timedelta(minutes=1), f"node {args.node} cannot be looked at: {failed}")
    word = "takes no new pods" if node.spec.unschedulable else "takes new pods"
    right = node.spec.unschedulable == (change.what == "cordon")
    return Verification("passed" if right else "failed", f"node {args.node} {word}")
