"""Who feels a change, for whoever approves it, and whether the server would take it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sysop.api import ActionFailed, ActionRefused, CallError, Context
from sysop_plugins.kubernetes.rollout import rolled
from sysop_plugins.kubernetes.server import Server
from sysop_plugins.kubernetes.settings import Place, Settings
from sysop_plugins.kubernetes.shapes import DisruptionBudget, Workload

_LATELY_MS = 30 * 60_000
_MOST = 5


async def callers(ctx: Context, service: str) -> list[str]:
    """Return who calls a service."""
    return [f"{name} calls {service}" for name in ctx.inventory.dependents(service)]


async def budgets(server: Server, it: Workload) -> list[str]:
    """Return what the PodDisruptionBudgets of a workload's pods say, or that they cannot be read."""
    try:
        found = await server.disruption_budgets(it.metadata.namespace)
    except CallError as failed:
        return [f"PodDisruptionBudgets cannot be read: {failed}"]
    labels = (it.spec.template.get("metadata") or {}).get("labels") or {}
    return [_budget(one) for one in found if one.spec.selector is not None and one.spec.selector.fits(labels)]


async def lately(ctx: Context, service: str) -> list[str]:
    """Return what was changed at a service in the last half an hour, or is being changed, by us or by others."""
    now = ctx.now()
    found = await ctx.changes(now - _LATELY_MS, now, [service])
    return [f"{_clock(one.at)}: {one.words}{f' by {one.by}' if one.by else ''}" for one in found[:_MOST]]


def under_way(it: Workload) -> list[str]:
    """Return what is rolling out at a workload already."""
    how = rolled(it)
    return [] if how.state == "complete" else [f"rollout of {it.metadata.name} is {how.state}: {how.detail}"]


async def permitted(ctx: Context, server: Server, at: Place) -> str:
    """Return a line that the server lets us patch a Deployment. Raises ActionRefused where it does not."""
    return await _may(ctx, server, "apps", "deployments", at.namespace)


async def permitted_nodes(ctx: Context, server: Server) -> str:
    """Return a line that the server lets us patch nodes. Raises ActionRefused where it does not."""
    return await _may(ctx, server, "", "nodes", "")


async def tried(ctx: Context, server: Server, at: Place | str, spec: Any) -> str:
    """Return a line that the server took the change in a dry run. Raises ActionFailed with what it said otherwise.

    The dry run needs the right to make the change, which a read credential of its own has not.
    """
    settings: Settings = ctx.settings
    if settings.write_user is not None:
        return "dry run: not made, since this credential may only read"
    try:
        if isinstance(at, Place):
            await server.patch_deployment(at, {"spec": spec}, dry_run=True)
        else:
            await server.patch_node(at, {"spec": spec}, dry_run=True)
    except ActionFailed as refused:
        raise ActionFailed(f"dry run refused: {refused}") from refused
    return "dry run: the API server takes it"


async def _may(ctx: Context, server: Server, group: str, resource: str, namespace: str) -> str:
    settings: Settings = ctx.settings
    who, where = settings.write_user or "this credential", f" in {namespace}" if namespace else ""
    if not await server.may(settings.write_user, "patch", group, resource, namespace):
        raise ActionRefused(f"kubernetes: by the server's access review {who} may not patch {resource}{where}")
    return f"the API server lets {who} patch {resource}{where}"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S UTC")


def _budget(one: DisruptionBudget) -> str:
    spec = one.spec
    bound = f"at least {spec.min_available}" if spec.min_available is not None else f"at most {spec.max_unavailable}"
    return f"PodDisruptionBudget {one.metadata.name}: {bound} {'missing' if spec.min_available is None else 'there'}"
