"""The actions that only look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from sysop.api import ActionFailed, Context, InvalidCall, Risk, ServiceName, action
from sysop_plugins.kubernetes.pods import Pod
from sysop_plugins.kubernetes.quantities import cores, size
from sysop_plugins.kubernetes.rollout import RolloutState, images_of, rolled, template_of
from sysop_plugins.kubernetes.server import Server, server_of
from sysop_plugins.kubernetes.settings import Place, Settings
from sysop_plugins.kubernetes.shapes import Event, Workload
from sysop_plugins.kubernetes.told import (
    Events,
    Happened,
    PodLog,
    PodState,
    PodUse,
    Revision,
    RolloutStatus,
    Running,
    Usage,
    Workloads,
)
from sysop_plugins.remote.failing import failing_part
from sysop_plugins.remote.plain import plain

_TOLD = 64 * 1024
_KINDS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
_MOST_EVENTS = 100

Lines = Annotated[int, Field(ge=1, le=2000)]
Minutes = Annotated[int, Field(ge=1, le=24 * 60)]
PodName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,252}$")]


@action(risk=Risk.READ)
async def workloads(ctx: Context) -> Workloads:
    """List the workloads of the cluster with their images, replicas and state."""
    server, settings = server_of(ctx), _settings(ctx)
    found: list[Running] = []
    for namespace in settings.namespaces:
        for plural, kind in _KINDS.items():
            found += [_running(settings, kind, one) for one in await server.workloads(plural, namespace)]
    unwell = sum(one.state != "complete" for one in found)
    return Workloads(workloads=tuple(found), count=len(found), unwell=unwell)


@action(risk=Risk.READ)
async def rollout_status(ctx: Context, service: ServiceName) -> RolloutStatus:
    """Show how far a service's rollout is, its pods, and the revisions it can go back to."""
    server, at = server_of(ctx), _settings(ctx).place_of(service)
    it = await server.deployment(at)
    pods, sets, how = await server.pods(it), await server.replica_sets(it), rolled(it)
    return RolloutStatus(
        service=service,
        workload=str(at),
        state=how.state,
        detail=how.detail,
        image=it.images,
        revision=it.revision,
        wanted=it.spec.replicas,
        updated=it.status.updated_replicas,
        ready=it.status.ready_replicas,
        restarts=sum(one.restarts for one in pods),
        pods=tuple(_pod(one) for one in pods),
        revisions=tuple(_revision(one) for one in reversed(sets)),
    )


@action(risk=Risk.READ)
async def events(
    ctx: Context, service: ServiceName | None = None, minutes: Minutes = 30, warnings_only: bool = False
) -> Events:
    """List what the cluster told of a service's pods and workload, or of all, in the last minutes."""
    server, settings = server_of(ctx), _settings(ctx)
    at = settings.place_of(service) if service else None
    since = ctx.now() - minutes * 60_000
    told: list[Happened] = []
    for namespace in [at.namespace] if at else settings.namespaces:
        names = await _names(server, namespace) if at else []
        told += [_told(one) for one in await server.events(namespace) if at is None or _about(one, names) == at.name]
    told = [one for one in told if one.at >= since and (one.type == "Warning" or not warnings_only)]
    told.sort(key=lambda one: one.at, reverse=True)
    warnings = sum(one.type == "Warning" for one in told)
    return Events(events=tuple(told[:_MOST_EVENTS]), count=len(told), warnings=warnings)


@action(risk=Risk.READ)
async def pod_logs(
    ctx: Context, service: ServiceName, pod: PodName | None = None, lines: Lines = 100, previous: bool = False
) -> PodLog:
    """Read the last lines a pod of a service wrote; without a name, of the pod that is worst off.

    `previous` reads what its container wrote before it was last started again.
    """
    server, at = server_of(ctx), _settings(ctx).place_of(service)
    found = await server.pods(await server.deployment(at))
    one = _picked(found, pod, at)
    container = next((c.name for c in one.status.container_statuses if not c.ready), None) or next(
        (c.name for c in one.status.container_statuses), at.name
    )
    whole = plain(await server.log(at.namespace, one.metadata.name, container, previous=previous))
    text = "\n".join(whole.splitlines()[-lines:]).encode()[-_TOLD:].decode("utf-8", "ignore")
    bare = "\n".join(line.partition(" ")[2] for line in whole.splitlines())
    return PodLog(
        pod=one.metadata.name,
        container=container,
        previous=previous,
        text=text,
        lines=len(text.splitlines()),
        failing=failing_part(bare),
    )


@action(risk=Risk.READ)
async def usage(ctx: Context, service: ServiceName) -> Usage:
    """Say how much processor time and memory a service's pods use now."""
    server, at = server_of(ctx), _settings(ctx).place_of(service)
    mine = {one.metadata.name for one in await server.pods(await server.deployment(at))}
    try:
        measured = await server.usage(at.namespace)
    except InvalidCall as missing:
        raise ActionFailed(f"{missing}: the cluster has no metrics server") from missing
    used = [
        PodUse(
            name=one.metadata.name,
            cores=sum(cores(c.usage.cpu) for c in one.containers),
            memory_bytes=sum(size(c.usage.memory) for c in one.containers),
        )
        for one in measured
        if one.metadata.name in mine
    ]
    return Usage(
        service=service,
        cores=sum(one.cores for one in used),
        memory_bytes=sum(one.memory_bytes for one in used),
        most_memory_bytes=max((one.memory_bytes for one in used), default=0.0),
        pods=tuple(used),
    )


def _settings(ctx: Context) -> Settings:
    settings: Settings = ctx.settings
    return settings


def _running(settings: Settings, kind: str, it: Workload) -> Running:
    status, wanted = it.status, it.spec.replicas
    place = Place(namespace=it.metadata.namespace, name=it.metadata.name)
    if kind == "DaemonSet":
        wanted, updated, ready = status.desired_number_scheduled, status.updated_number_scheduled, status.number_ready
    else:
        updated, ready = status.updated_replicas, status.ready_replicas
    how = rolled(it) if kind == "Deployment" else None
    plain: RolloutState = "complete" if ready >= wanted else "degraded"
    return Running(
        kind=kind,
        namespace=place.namespace,
        name=place.name,
        service=settings.service_of(place) if kind == "Deployment" else None,
        image=it.images,
        wanted=wanted,
        updated=updated,
        ready=ready,
        revision=it.revision,
        state=how.state if how else plain,
        detail=how.detail if how else f"{ready} of {wanted} pods are ready",
    )


def _pod(it: Pod) -> PodState:
    last = [one.last_state.terminated for one in it.status.container_statuses if one.last_state.terminated]
    return PodState(
        name=it.metadata.name,
        image=", ".join(one.image for one in it.status.container_statuses),
        phase=it.status.phase,
        ready=it.ready,
        restarts=it.restarts,
        reason=it.reason,
        node=it.spec.node_name,
        started_at=it.metadata.creation_timestamp,
        last_ended=", ".join(f"{one.reason} (exit code {one.exit_code})" for one in last),
    )


def _revision(it: Workload) -> Revision:
    return Revision(
        revision=it.revision,
        image=images_of(template_of(it)),
        at=it.metadata.creation_timestamp,
        replicas=it.status.replicas,
    )


async def _names(server: Server, namespace: str) -> list[str]:
    return [one.metadata.name for kind in _KINDS for one in await server.workloads(kind, namespace)]


def _about(event: Event, names: Sequence[str]) -> str:
    """Return the workload an event is about: the longest name that its object, or the pod's, begins with."""
    name = event.involved_object.name
    return max((one for one in names if name == one or name.startswith(f"{one}-")), key=len, default="")


def _told(it: Event) -> Happened:
    return Happened(
        at=it.last_timestamp or it.event_time or it.metadata.creation_timestamp,
        type=it.type,
        reason=it.reason,
        object=f"{it.involved_object.kind} {it.involved_object.name}",
        message=it.message,
        count=it.count or 1,
    )


def _picked(pods: Sequence[Pod], name: str | None, at: Place) -> Pod:
    """Return the pod that was named, else the one worst off of those that are not over: an evicted one has no log."""
    if name is not None:
        for one in pods:
            if one.metadata.name == name:
                return one
        known = ", ".join(one.metadata.name for one in pods) or "none"
        raise InvalidCall(f"pod: {at} has no pod {name!r}; it has: {known}")
    if not pods:
        raise ActionFailed(f"service: {at} has no pods")
    return min(pods, key=lambda one: (one.over, one.ready, -one.restarts, -one.metadata.creation_timestamp))
