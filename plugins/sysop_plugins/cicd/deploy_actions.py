"""The actions on services: what was deployed, deploy a version, roll back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from sysop.api import ActionFailed, Context, Preview, Reconciled, Risk, ServiceName, Verify, action
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.provider import Deploy, Live, Provider, Rollout
from sysop_plugins.cicd.shared import NINETY_DAYS, Data, asked_by, reconciled
from sysop_plugins.cicd.verify import LONGEST_CHECK, service_is_well

# The checks themselves give up when the pipeline's own time is over; this is for the longest that settings allow.
_ROLLOUT_CHECK = Verify(service_is_well, within=LONGEST_CHECK, every=timedelta(seconds=1))

Version = Annotated[str, Field(min_length=1, max_length=200, description="The released version")]


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


async def _deploy_state(ctx: Context, args: Any) -> dict[str, Any]:
    provider = provider_of(ctx)
    live = await provider.live_version(args.service)
    return {"service": args.service, "live": live.version, "running": await _running(ctx, provider, args.service)}


async def _preview_deploy(ctx: Context, args: Any) -> Preview:
    history = await provider_of(ctx).history(args.service)
    live = history[-1].version if history else None
    before = [_told(d) for d in history if d.version == args.version][-1:]
    changes = (
        f"live: {live or 'nothing by the records'} -> {args.version}",
        *(f"deployed before: {t}" for t in before),
    )
    again = " again" if live == args.version else ""
    return Preview(f"Deploy {args.service} {args.version}{again}", changes, await _affected(ctx, args.service))


async def _find_rollout(ctx: Context, args: Any) -> Reconciled:
    found = await provider_of(ctx).find(ctx.key)
    return reconciled(found, found.rollout)


_rollout = partial(action, target="service:{service}", verify=_ROLLOUT_CHECK, reconcile=_find_rollout, idempotent=True)


@_rollout(risk=Risk.CHANGE, preview=_preview_deploy, precondition=_deploy_state, undo="cicd.rollback")
async def deploy(ctx: Context, service: ServiceName, version: Version) -> Rollout:
    """Deploy a version of a service and return the build at once."""
    provider = provider_of(ctx)
    known = [d.change for d in await provider.history(service) if d.version == version and d.change]
    return await provider.deploy(ctx.key, service, version, by=asked_by(ctx), change=known[0] if known else "")


async def _rollback_state(ctx: Context, args: Any) -> dict[str, Any]:
    history = await provider_of(ctx).history(args.service)
    return {**await _deploy_state(ctx, args), "to": _rollback_to(args.service, args.to, history)}


async def _preview_rollback(ctx: Context, args: Any) -> Preview:
    history = await provider_of(ctx).history(args.service)
    to = _rollback_to(args.service, args.to, history)
    undone = [f"takes back {_told(d)}" for d in reversed(_since(history, to))]
    return Preview(
        f"Roll back {args.service} from {history[-1].version} to {to}",
        (f"live: {history[-1].version} -> {to}", *undone),
        await _affected(ctx, args.service),
    )


@_rollout(risk=Risk.CHANGE, preview=_preview_rollback, precondition=_rollback_state, undo="cicd.deploy")
async def rollback(ctx: Context, service: ServiceName, to: Version | None = None) -> Rollout:
    """Return a service to the version before the live one, or to an older one, and return the build at once."""
    provider = provider_of(ctx)
    started = (await provider.find(ctx.key)).rollout
    if started is not None:  # asked again under the same key: what "before" means has changed since
        return started
    history = await provider.history(service)
    version = _rollback_to(service, to, history)
    change = f"roll back from {history[-1].version}"
    return await provider.deploy(ctx.key, service, version, by=asked_by(ctx), change=change)


def _rollback_to(service: str, to: str | None, history: tuple[Deploy, ...]) -> str:
    """Return the version to go back to. A version taken back by an earlier rollback is not offered again."""
    if not history:
        raise ActionFailed(
            f"service: no successful deploy of {service} is on record, so there is nothing to go back to"
        )
    live = history[-1].version
    if to is None:
        released = _released(history)
        if len(released) < 2:
            raise ActionFailed(f"service: {service} has no version before {live}; name one with `to`, or deploy a fix")
        return released[-2]
    if to == live:
        raise ActionFailed(f"to: {to} is already the live version of {service}")
    if to not in {d.version for d in history}:
        known = ", ".join(dict.fromkeys(d.version for d in reversed(history)))
        raise ActionFailed(f"to: {service} {to} was never deployed; there were: {known}; for a new one use cicd.deploy")
    return to


def _released(history: tuple[Deploy, ...]) -> list[str]:
    """Return the versions up to the live one; going back to a version drops all that came after it."""
    released: list[str] = []
    for deployed in history:
        if deployed.version in released:
            del released[released.index(deployed.version) + 1 :]
        else:
            released.append(deployed.version)
    return released


def _since(history: tuple[Deploy, ...], version: str) -> tuple[Deploy, ...]:
    """Return the deploys after the version was last brought live."""
    last = max(i for i, d in enumerate(history) if d.version == version)
    return history[last + 1 :]


def _told(deploy: Deploy) -> str:
    """Return one line on a deploy. Absolute time: the text is part of what is approved and must not change."""
    at = datetime.fromtimestamp(deploy.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{deploy.version} ({at}, by {deploy.by})" + (f": {deploy.change}" if deploy.change else "")


async def _affected(ctx: Context, service: str) -> tuple[str, ...]:
    running = await _running(ctx, provider_of(ctx), service)
    dependents = ctx.inventory.dependents(service)
    busy = (f"{build} is under way on {service}; until it ends this is refused" for build in running)
    return (*(f"{name} calls {service}" for name in dependents), *busy)


async def _running(ctx: Context, provider: Provider, service: str) -> list[str]:
    """Return the builds under way on a service, without this call's own."""
    own = (await provider.find(ctx.key)).build
    builds = [b.id for b in await provider.unfinished() if b.parameters.get("service") == service]
    return [b for b in builds if own is None or b != own.id]
