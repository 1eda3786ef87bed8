"""The actions on a service's Deployment: restart it, scale it, undo its last rollout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from sysop.api import (
    ActionFailed,
    Change,
    ChangeKind,
    Context,
    InvalidCall,
    Preview,
    Reconciled,
    Risk,
    ServiceName,
    Verify,
    action,
)
from sysop_plugins.kubernetes import affected
from sysop_plugins.kubernetes.changed import Changed, What, found, once, patch_of
from sysop_plugins.kubernetes.feed import SOURCE, change_id, version_of
from sysop_plugins.kubernetes.rollout import images_of, merge_patch, template_of, undo_to
from sysop_plugins.kubernetes.server import Server, server_of
from sysop_plugins.kubernetes.settings import Place, Settings
from sysop_plugins.kubernetes.shapes import RESTARTED, Workload
from sysop_plugins.kubernetes.verify import LONGEST_CHECK, pods_are_well
from sysop_plugins.remote.card import card

Replicas = Annotated[int, Field(ge=0, le=1000, description="How many pods there shall be")]
RevisionNumber = Annotated[int, Field(ge=1, description="A revision that kubernetes.rollout_status lists")]

_CHECK = Verify(pods_are_well, within=LONGEST_CHECK, every=timedelta(seconds=2))


async def _look(ctx: Context, service: str) -> tuple[Server, Place, Workload]:
    settings: Settings = ctx.settings
    at, server = settings.place_of(service), server_of(ctx)
    return server, at, await server.deployment(at)


async def _find(ctx: Context, args: Any) -> Reconciled:
    _, _, it = await _look(ctx, args.service)
    return found(it.metadata, ctx.key)


_change = partial(action, risk=Risk.CHANGE, target="service:{service}", verify=_CHECK, reconcile=_find, idempotent=True)


def _told(kind: ChangeKind, args: Any, result: Any) -> Change:
    made = Changed.model_validate(result)
    title = f"{made.object}, revision {made.revision}" if made.revision else made.object
    source, id = (SOURCE, change_id(made.object, made.revision)) if made.revision else ("", "")
    before, after = made.before, made.after
    if kind is ChangeKind.DEPLOY:
        before, after = version_of(before), version_of(after)
    elif kind is ChangeKind.RESTART:
        before, after = "", ""
    return Change(kind, args.service, at=made.at, before=before, after=after, title=title, source=source, id=id)


async def _shown(
    ctx: Context, args: Any, summary: str, changes: Sequence[str], spec: Any, feels: Sequence[str]
) -> Preview:
    """Return a preview after the server was asked whether we may, and whether it would take the change."""
    server, at, it = await _look(ctx, args.service)
    asked = (await affected.permitted(ctx, server, at), await affected.tried(ctx, server, at, spec))
    others = (*affected.under_way(it), *await affected.lately(ctx, args.service))
    felt = (*feels, *await affected.callers(ctx, args.service), *others)
    return card(summary, (*changes, *asked), (*felt, *await affected.budgets(server, it)))


# --- scale


async def _fit(ctx: Context, args: Any, server: Server, at: Place) -> None:
    """Raise, naming the bound, unless a service may be given so many replicas by us."""
    settings: Settings = ctx.settings
    bounds = settings.bounds_of(args.service)
    if not bounds.min <= args.replicas <= bounds.max:
        place = f"plugins.kubernetes.services.{args.service}.scale or plugins.kubernetes.scale"
        raise InvalidCall(
            f"replicas: {args.replicas} is not within {bounds.min} to {bounds.max}, the bounds of {args.service}; "
            f"see {place}"
        )
    for one in await server.autoscalers(at.namespace):
        target = one.spec.scale_target_ref
        if (target.kind, target.name) == ("Deployment", at.name):
            raise ActionFailed(
                f"service: HorizontalPodAutoscaler {one.metadata.name} owns the replicas of {at} "
                f"({one.spec.min_replicas} to {one.spec.max_replicas}); change its bounds instead"
            )


async def _preview_scale(ctx: Context, args: Any) -> Preview:
    server, at, it = await _look(ctx, args.service)
    await _fit(ctx, args, server, at)
    settings: Settings = ctx.settings
    bounds, now = settings.bounds_of(args.service), it.spec.replicas
    share = f"{100 * (args.replicas - now) / now:+.0f} % of its pods" if now else "all its pods"
    changes = (f"replicas: {now} -> {args.replicas}", f"bounds: {bounds.min} to {bounds.max}", f"image: {it.images}")
    summary = f"Scale {at} from {now} to {args.replicas} replicas"
    return await _shown(ctx, args, summary, changes, {"replicas": args.replicas}, [f"{args.service} gets {share}"])


async def _scale_state(ctx: Context, args: Any) -> dict[str, Any]:
    server, at, it = await _look(ctx, args.service)
    await _fit(ctx, args, server, at)
    return {**_state(it), "replicas": it.spec.replicas}


@_change(
    preview=_preview_scale,
    precondition=_scale_state,
    undo="kubernetes.scale",
    changes=partial(_told, ChangeKind.SCALE),
)
async def scale(ctx: Context, service: ServiceName, replicas: Replicas) -> Changed:
    """Give a service so many pods, within the bounds that are declared for it."""
    server, at, _ = await _look(ctx, service)

    async def make(it: Workload) -> tuple[Changed, dict[str, Any]]:
        change = _changed(ctx, "scale", at, str(it.spec.replicas), str(replicas))
        return change, patch_of(it.metadata, ctx.key, change, {"replicas": replicas})

    return await _once(ctx, server, at, make)


# --- restart


async def _preview_restart(ctx: Context, args: Any) -> Preview:
    _, at, it = await _look(ctx, args.service)
    _runs(it, at)
    changes = (f"every pod is replaced by a new one of the same image, {it.images}",)
    feels = (f"{it.spec.replicas} pods of {args.service}, {_pace(it)}",)
    return await _shown(ctx, args, f"Restart {at}", changes, _restarted("2000-01-01T00:00:00Z"), feels)


async def _state_to_replace(ctx: Context, args: Any) -> dict[str, Any]:
    _, at, it = await _look(ctx, args.service)
    _runs(it, at)
    return _state(it)


@_change(preview=_preview_restart, precondition=_state_to_replace, changes=partial(_told, ChangeKind.RESTART))
async def restart(ctx: Context, service: ServiceName) -> Changed:
    """Replace every pod of a service by a new one of the same version, a few at a time."""
    server, at, _ = await _look(ctx, service)

    async def make(it: Workload) -> tuple[Changed, dict[str, Any]]:
        _runs(it, at)
        change = _changed(ctx, "restart", at, it.images, it.images, it.revision + 1)
        stamp = datetime.fromtimestamp(change.at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return change, patch_of(it.metadata, ctx.key, change, _restarted(stamp))

    return await _once(ctx, server, at, make)


# --- undo


async def _preview_undo(ctx: Context, args: Any) -> Preview:
    server, at, it = await _look(ctx, args.service)
    to = await _undo_to(server, at, it, args.revision)
    template = template_of(to)
    patch = merge_patch(it.spec.template, template)
    changes = (
        f"revision: {it.revision} -> {to.revision}",
        f"image: {it.images} -> {images_of(template)}",
        *(f"also changes: {name}" for name in _differs(patch)),
    )
    summary = f"Roll {at} back from revision {it.revision} to {to.revision}"
    feels = (f"{it.spec.replicas} pods of {args.service}, {_pace(it)}",)
    return await _shown(ctx, args, summary, changes, {"template": patch}, feels)


async def _undo_state(ctx: Context, args: Any) -> dict[str, Any]:
    server, at, it = await _look(ctx, args.service)
    to = await _undo_to(server, at, it, args.revision)
    return {**_state(it), "to": _digest(template_of(to))}


@_change(
    preview=_preview_undo,
    precondition=_undo_state,
    undo="kubernetes.rollout_undo",
    changes=partial(_told, ChangeKind.DEPLOY),
)
async def rollout_undo(ctx: Context, service: ServiceName, revision: RevisionNumber | None = None) -> Changed:
    """Bring an earlier revision of a service back: the one before the present, restarts aside, or the one named."""
    server, at, _ = await _look(ctx, service)

    async def make(it: Workload) -> tuple[Changed, dict[str, Any]]:
        template = template_of(await _undo_to(server, at, it, revision))
        change = _changed(ctx, "rollout_undo", at, it.images, images_of(template), it.revision + 1)
        return change, patch_of(it.metadata, ctx.key, change, {"template": merge_patch(it.spec.template, template)})

    return await _once(ctx, server, at, make)


async def _undo_to(server: Server, at: Place, it: Workload, revision: int | None) -> Workload:
    _runs(it, at)
    return undo_to(it, await server.replica_sets(it), revision)


# --- what they share


async def _once(ctx: Context, server: Server, at: Place, make: Any) -> Changed:
    return await once(ctx.key, partial(server.deployment, at), make, partial(server.patch_deployment, at))


def _changed(ctx: Context, what: What, at: Place, before: str, after: str, revision: int = 0) -> Changed:
    return Changed(what=what, object=str(at), before=before, after=after, at=ctx.now(), revision=revision)


def _restarted(stamp: str) -> dict[str, Any]:
    return {"template": {"metadata": {"annotations": {RESTARTED: stamp}}}}


def _runs(it: Workload, at: Place) -> None:
    """Raise where a new template would replace no pod."""
    if it.spec.paused:
        raise ActionFailed(f"service: the rollout of {at} is paused; resume it first")


def _state(it: Workload) -> dict[str, Any]:
    """Return what must not have moved: not the version of the object, which every look of a controller changes."""
    return {"uid": it.metadata.uid, "image": it.images, "template": _digest(it.spec.template)}


def _digest(template: Any) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]


def _pace(it: Workload) -> str:
    rolling = (it.spec.strategy.get("rollingUpdate") or {}) if it.spec.strategy.get("type") != "Recreate" else None
    if rolling is None:
        return "all at once: its strategy is Recreate"
    return f"at most {rolling.get('maxUnavailable', '25%')} missing and {rolling.get('maxSurge', '25%')} more at a time"


def _differs(patch: dict[str, Any], path: str = "") -> list[str]:
    """Return the fields a patch changes beside the image, by their paths."""
    names: list[str] = []
    for name, value in patch.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            names += _differs(value, here)
        elif here != "spec.containers":
            names.append(here)
        else:
            names += ["spec.containers (more than the image may differ)"] if len(value) > 1 else []
    return names
