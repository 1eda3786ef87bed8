"""The actions on services: what was deployed, deploy a version, roll back."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from sysop.api import Context, Preview, Reconciled, Risk, ServiceName, Verify, action
from sysop_plugins.cicd.changing import rolled_out
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.previews import around_deploy, felt_by
from sysop_plugins.cicd.provider import Comparison, Deploy, Found, Live, Provider, Rollout
from sysop_plugins.cicd.settings import Settings
from sysop_plugins.cicd.shared import NINETY_DAYS, Data, asked_by, reconciled
from sysop_plugins.cicd.verify import LONGEST_CHECK, deploy_is_well, rollback_is_well
from sysop_plugins.cicd.versions import rollback_to, since, told
from sysop_plugins.remote.card import card

# The checks themselves give up when the pipeline's own time is over; this is for the longest that settings allow.
_DEPLOY_CHECK = Verify(deploy_is_well, within=LONGEST_CHECK, every=timedelta(seconds=1))
_ROLLBACK_CHECK = Verify(rollback_is_well, within=LONGEST_CHECK, every=timedelta(seconds=1))

_UNDONE = 8
"""So many deploys that a rollback takes back are told one by one."""

Version = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9._:/@+~=][A-Za-z0-9._:/@+~=-]{0,199}$", description="The released version")
]
"""No leading dash, which programs would take for an option, and nothing that is more than one word on a card."""


class Deploys(Data):
    """Deploys in any state, newest first. `latest` is the first of them."""

    service: str | None
    minutes: int
    deploys: tuple[Deploy, ...]
    latest: Deploy | None
    count: int


@action(risk=Risk.READ)
async def recent_deploys(
    ctx: Context, service: ServiceName | None = None, minutes: Annotated[int, Field(ge=1, le=NINETY_DAYS)] = 60
) -> Deploys:
    """List the deploys of the last minutes, of one service or of all, with who asked for them and what changed."""
    found = await provider_of(ctx).recent_deploys(service, minutes)
    return Deploys(
        service=service, minutes=minutes, deploys=found, latest=found[0] if found else None, count=len(found)
    )


@action(risk=Risk.READ)
async def live_version(ctx: Context, service: ServiceName) -> Live:
    """Say which version of a service is live, since when and what it changed."""
    return await provider_of(ctx).live_version(service)


@action(risk=Risk.READ)
async def compare(ctx: Context, service: ServiceName, one: Version, other: Version) -> Comparison:
    """Say what lies between two versions of a service: commits, authors and the size of the difference."""
    return await provider_of(ctx).compare(service, one, other)


async def _deploy_state(ctx: Context, args: Any) -> dict[str, Any]:
    provider = provider_of(ctx)
    live = await provider.live_version(args.service)
    return {"service": args.service, "live": live.version, "running": await _running(ctx, provider, args.service)}


async def _preview_deploy(ctx: Context, args: Any) -> Preview:
    history = await provider_of(ctx).history(args.service)
    live = history[-1].version if history else None
    before = [told(d) for d in history if d.version == args.version][-1:]
    again = " again" if live == args.version else ""
    return card(
        f"Deploy {args.service} {args.version}{again}",
        (
            f"live: {live or 'nothing by the records'} -> {args.version}",
            *(f"deployed before: {t}" for t in before),
            *await around_deploy(ctx, args.service, live, args.version),
        ),
        await _affected(ctx, args.service),
    )


async def _find_rollout(ctx: Context, args: Any) -> Reconciled:
    found = await _own(ctx, args.service)
    return reconciled(found, found.rollout)


_rollout = partial(
    action,
    target="service:{service}",
    reconcile=_find_rollout,
    idempotent=True,
    changes=rolled_out,
)


@_rollout(
    risk=Risk.CHANGE,
    preview=_preview_deploy,
    precondition=_deploy_state,
    verify=_DEPLOY_CHECK,
    undo="cicd.rollback",
)
async def deploy(ctx: Context, service: ServiceName, version: Version) -> Rollout:
    """Deploy a version of a service and return the build at once."""
    provider = provider_of(ctx)
    known = [d.change for d in await provider.history(service) if d.version == version and d.change]
    return await provider.deploy(ctx.key, service, version, by=asked_by(ctx), change=known[0] if known else "")


async def _rollback_state(ctx: Context, args: Any) -> dict[str, Any]:
    history = await provider_of(ctx).history(args.service)
    return {**await _deploy_state(ctx, args), "to": rollback_to(args.service, args.to, history)}


async def _preview_rollback(ctx: Context, args: Any) -> Preview:
    history = await provider_of(ctx).history(args.service)
    to = rollback_to(args.service, args.to, history)
    live = history[-1].version
    undone = [f"takes back {told(d)}" for d in reversed(since(history, to))]
    shown, left = undone[:_UNDONE], len(undone) - _UNDONE
    return card(
        f"Roll back {args.service} from {live} to {to}",
        (
            f"live: {live} -> {to}",
            *shown,
            *([f"… and {left} more deploys"] if left > 0 else []),
            *await around_deploy(ctx, args.service, to, live),
        ),
        await _affected(ctx, args.service),
    )


@_rollout(
    risk=Risk.CHANGE,
    preview=_preview_rollback,
    precondition=_rollback_state,
    verify=_ROLLBACK_CHECK,
    undo="cicd.deploy",
)
async def rollback(ctx: Context, service: ServiceName, to: Version | None = None) -> Rollout:
    """Return a service to the version before the live one, or to an older one, and return the build at once."""
    provider = provider_of(ctx)
    started = (await _own(ctx, service)).rollout
    if started is not None:  # asked again under the same key: what "before" means has changed since
        return started
    history = await provider.history(service)
    version = rollback_to(service, to, history)
    change = f"roll back from {history[-1].version}"
    return await provider.deploy(ctx.key, service, version, by=asked_by(ctx), change=change)


async def _affected(ctx: Context, service: str) -> tuple[str, ...]:
    running = await _running(ctx, provider_of(ctx), service)
    busy = (f"{build} is under way on {service}; until it ends this is refused" for build in running)
    return (*await felt_by(ctx, service), *busy)


async def _own(ctx: Context, service: str) -> Found:
    """Return what this call has already started for a service."""
    settings: Settings = ctx.settings
    return await provider_of(ctx).find(ctx.key, settings.releases(service))


async def _running(ctx: Context, provider: Provider, service: str) -> list[str]:
    """Return the builds under way on a service, without this call's own."""
    own = (await _own(ctx, service)).build
    builds = [build.id for build in await provider.unfinished(service)]
    return [b for b in builds if own is None or b != own.id]
