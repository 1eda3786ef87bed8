"""The actions on builds: look at pipelines and what they did, start, stop and run builds again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from sysop.api import Context, InvalidCall, Preview, Reconciled, Risk, Verify, action
from sysop_plugins.cicd import figures
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.previews import felt_by, pipeline_now
from sysop_plugins.cicd.provider import FINISHED, Build, BuildState, Pipeline
from sysop_plugins.cicd.providers import Providers
from sysop_plugins.cicd.settings import Settings
from sysop_plugins.cicd.shared import NINETY_DAYS, Data, asked_by, reconciled
from sysop_plugins.cicd.verify import LONGEST_CHECK, build_ended_well, build_stopped
from sysop_plugins.cicd.versions import clock
from sysop_plugins.remote.card import card
from sysop_plugins.remote.failing import failing_part
from sysop_plugins.remote.plain import plain

# The checks themselves give up when the pipeline's own time is over; this is for the longest that settings allow.
_BUILD_CHECK = Verify(build_ended_well, within=LONGEST_CHECK, every=timedelta(seconds=1))
_CANCEL_CHECK = Verify(build_stopped, within=timedelta(seconds=30), every=timedelta(seconds=1))

_WHOLE = 1_000_000
"""More lines than the end of a log has: what is kept of it is bounded in bytes."""

BuildId = Annotated[str, Field(max_length=200, description="A build's id, as other cicd actions return it")]


class Pipelines(Data):
    """Every pipeline, by name."""

    pipelines: tuple[Pipeline, ...]
    count: int


class Logs(Data):
    """The end of a build's log, at most 64 KiB; `lines` counts those in `text`.

    `failing` is the part of a failed build's log that tells why it failed, "" where no line looks like it. It is looked
    for in the whole end, not only in the lines that were asked for.
    """

    build: str
    state: BuildState
    text: str
    lines: int
    failing: str


class Builds(Data):
    """Builds in any state, newest first."""

    pipeline: str | None
    minutes: int
    builds: tuple[Build, ...]
    count: int


@action(risk=Risk.READ)
async def pipelines(ctx: Context) -> Pipelines:
    """List the pipelines with their parameters."""
    found = await provider_of(ctx).list_pipelines()
    return Pipelines(pipelines=found, count=len(found))


@action(risk=Risk.READ)
async def status(ctx: Context, build: BuildId) -> Build:
    """Show the state of a build."""
    return await provider_of(ctx).status(build)


@action(risk=Risk.READ)
async def logs(ctx: Context, build: BuildId, lines: Annotated[int, Field(ge=1, le=2000)] = 100) -> Logs:
    """Read the last lines that a build wrote and, where it failed, the part that tells why."""
    provider = provider_of(ctx)
    state = (await provider.status(build)).state
    whole = plain(await provider.logs(build, _WHOLE))
    text = "\n".join(whole.split("\n")[-lines:])
    failing = failing_part(whole) if state == "failed" else ""
    return Logs(build=build, state=state, text=text, lines=len(text.splitlines()), failing=failing)


@action(risk=Risk.READ)
async def builds(
    ctx: Context, pipeline: str | None = None, minutes: Annotated[int, Field(ge=1, le=NINETY_DAYS)] = 60
) -> Builds:
    """List the builds of the last minutes, of one pipeline or of all."""
    found = await provider_of(ctx).builds(pipeline, minutes)
    return Builds(pipeline=pipeline, minutes=minutes, builds=found, count=len(found))


@action(risk=Risk.READ)
async def pipeline_health(
    ctx: Context, pipeline: str, days: Annotated[int, Field(ge=1, le=90)] = 14
) -> figures.PipelineHealth:
    """Say how often a pipeline fails and how long it takes, and which of its builds are flaky."""
    return figures.health(pipeline, days, await provider_of(ctx).builds(pipeline, days * 24 * 60))


async def _preview_trigger(ctx: Context, args: Any) -> Preview:
    found = await _pipeline(provider_of(ctx), args.pipeline)
    about = f": {found.description}" if found.description else ""
    return card(
        f"Start a build of pipeline {found.name}{about}",
        (*_told(args.parameters), _where(ctx, found.name)),
        await pipeline_now(ctx, found.name),
    )


async def _find_build(ctx: Context, args: Any) -> Reconciled:
    found = await provider_of(ctx).find(ctx.key, args.pipeline)
    return reconciled(found, found.build)


async def _find_again(ctx: Context, args: Any) -> Reconciled:
    found = await provider_of(ctx).find_again(ctx.key, args.build)
    return reconciled(found, found.build)


_start = partial(action, risk=Risk.CHANGE, verify=_BUILD_CHECK, idempotent=True, undo="cicd.cancel")


async def _declared(ctx: Context, args: Any) -> dict[str, Any]:
    """Return what would be started. Builds of others are no part of it: they come and go while a person reads."""
    return (await _pipeline(provider_of(ctx), args.pipeline)).model_dump(mode="json")


@_start(target="pipeline:{pipeline}", preview=_preview_trigger, precondition=_declared, reconcile=_find_build)
async def trigger(ctx: Context, pipeline: str, parameters: dict[str, str] = {}) -> Build:  # noqa: B006  never touched
    """Start a build of a pipeline and return it at once. Pipelines that deploy are started by cicd.deploy."""
    provider = provider_of(ctx)
    await _pipeline(provider, pipeline)
    return await provider.trigger(ctx.key, pipeline, parameters, by=asked_by(ctx))


async def _preview_rerun(ctx: Context, args: Any) -> Preview:
    provider = provider_of(ctx)
    build = await _fit_to_rerun(provider, args.build)
    why = f", which {build.state}{f' ({build.reason})' if build.reason else ''}"
    return card(
        f"Run pipeline {build.pipeline} again as build {build.id}{why}",
        (*_told(build.parameters), *_built(build), _where(ctx, build.pipeline)),
        await pipeline_now(ctx, build.pipeline),
    )


async def _rerun_state(ctx: Context, args: Any) -> dict[str, Any]:
    return {"build": args.build, "state": (await provider_of(ctx).status(args.build)).state}


async def _fit_to_rerun(provider: Providers, id: str) -> Build:
    build = await provider.status(id)
    await _pipeline(provider, build.pipeline)
    return build


@_start(target="build:{build}", preview=_preview_rerun, precondition=_rerun_state, reconcile=_find_again)
async def rerun(ctx: Context, build: BuildId) -> Build:
    """Run a build that failed or was cancelled once more, as it was asked for, and return the new one at once."""
    provider = provider_of(ctx)
    await _fit_to_rerun(provider, build)
    return await provider.rerun(ctx.key, build, by=asked_by(ctx))


async def _preview_cancel(ctx: Context, args: Any) -> Preview:
    build = await provider_of(ctx).status(args.build)
    begun = f"started {clock(build.started_at)}; what it has done stays done" if build.started_at else "not started yet"
    service = build.parameters.get("service", "")
    return card(
        f"Stop build {build.id} of pipeline {build.pipeline}, asked for by {build.requested_by}",
        (*_told(build.parameters), *_built(build), begun, _where(ctx, build.pipeline)),
        await felt_by(ctx, service) if service in ctx.inventory.services else (),
    )


async def _under_way(ctx: Context, args: Any) -> dict[str, Any]:
    """Return whether there is anything left to stop. That a build has begun meanwhile makes no difference."""
    build = await provider_of(ctx).status(args.build)
    return {"build": build.id, "under way": build.state not in FINISHED}


async def _find_cancelled(ctx: Context, args: Any) -> Reconciled:
    build = await provider_of(ctx).status(args.build)
    done = build.state == "cancelled"
    return Reconciled("done" if done else "not_done", f"{build.id} is {build.state}", build.model_dump(mode="json"))


@action(
    risk=Risk.CHANGE,
    target="build:{build}",
    preview=_preview_cancel,
    precondition=_under_way,
    verify=_CANCEL_CHECK,
    undo="cicd.rerun",
    reconcile=_find_cancelled,
    idempotent=True,
)
async def cancel(ctx: Context, build: BuildId) -> Build:
    """Stop a build; what it has already done stays done."""
    return await provider_of(ctx).cancel(build, by=asked_by(ctx))


def _told(parameters: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name} = {value}" for name, value in sorted(parameters.items()))


def _built(build: Build) -> tuple[str, ...]:
    return (f"commit {build.commit}",) if build.commit else ()


def _where(ctx: Context, pipeline: str) -> str:
    settings: Settings = ctx.settings
    found = settings.declared().get(pipeline)
    return f"where: {found.provider if found else 'a pipeline that is not declared any more'}"


async def _pipeline(provider: Providers, name: str) -> Pipeline:
    found = {p.name: p for p in await provider.list_pipelines()}
    if name not in found:
        raise InvalidCall(f"pipeline: there is no pipeline {name!r}; there are: {', '.join(found) or 'none'}")
    if found[name].deploys:
        raise InvalidCall(f"pipeline: {name} deploys; use cicd.deploy or cicd.rollback, which name the service")
    return found[name]
