"""Post-checks: did the build end well, and is the service well since?

Each decides from what can be read now and remembers nothing, so it may be asked again after any crash.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sysop.api import CallError, Context, Verification
from sysop_plugins.cicd.changing import is_here, name_of, pause
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.declared import LONGEST_BUILD
from sysop_plugins.cicd.provider import Build
from sysop_plugins.cicd.settings import Settings
from sysop_plugins.remote.health import Times, judge_all
from sysop_plugins.remote.queries import LONGEST_HEALTH

_NEVER_STARTED = timedelta(minutes=1)
_ENDING = timedelta(minutes=1)  # from a build's time-out to the record of its end: signals, and a slow disk
# A build may wait for a worker as long as it may run.
LONGEST_CHECK = 2 * timedelta(seconds=LONGEST_BUILD) + _ENDING + timedelta(seconds=LONGEST_HEALTH)


async def build_ended_well(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when the build succeeded."""
    _, ended = await _look(ctx, Build.model_validate(result))
    return ended


async def build_stopped(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when the build is cancelled; fail when it ended otherwise before it could be."""
    build = await provider_of(ctx).status(result["id"])
    if build.state == "cancelled":
        return Verification("passed", f"{build.id} is cancelled")
    if build.finished:
        return Verification("failed", f"{build.id} had {build.state} before it could be stopped")
    return _pending(ctx, build, f"{build.id} is still {build.state}")


async def deploy_is_well(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when the build succeeded and the service was well since; else name the rollback that takes it back."""
    return await _service_is_well(ctx, result, "cicd.rollback", "to")


async def rollback_is_well(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when the build succeeded and the service was well since; else name the deploy that takes it back."""
    return await _service_is_well(ctx, result, "cicd.deploy", "version")


async def _service_is_well(ctx: Context, result: Any, undo: str, parameter: str) -> Verification:
    build, ended = await _look(ctx, Build.model_validate(result["build"]))
    if ended.state != "passed" or build.finished_at is None:
        return ended
    settings: Settings = ctx.settings
    service, before, version = result["service"], result["previous"], result["version"]
    queries = settings.health_of(service)
    if not queries:
        return Verification("passed", f"{ended.detail}; no health query is declared for {service}")
    found = await judge_all(ctx, queries, Times(build.created_at, build.finished_at, "the build"))
    if found.state != "failed" or before in (None, version):
        return found
    return replace(found, detail=f"{found.detail}; {undo} service={service} {parameter}={before} takes {version} back")


async def _look(ctx: Context, started: Build) -> tuple[Build, Verification]:
    """Return the build as it is now, or was when it started where that cannot be read, and how it ended if it did."""
    build, unread = started, ""
    try:
        build = await provider_of(ctx).status(started.id)
    except CallError as failed:
        unread = f"{started.id} cannot be looked at: {failed}"
    ended = None if unread else _judge_build(build)
    return build, ended or _still(ctx, build, unread)


def _judge_build(build: Build) -> Verification | None:
    if build.state == "succeeded":
        return Verification("passed", f"{build.id} succeeded")
    return Verification("failed", f"{build.id} {build.state}: {build.reason}") if build.finished else None


def _still(ctx: Context, build: Build, unread: str) -> Verification:
    """Wait for a build's end for as long as its pipeline may take, and no longer. `unread` says why nobody knows it.

    One that waits for a worker of a server elsewhere may wait as long before it begins.
    """
    detail = unread or f"{build.id} is {build.state}"
    age = timedelta(milliseconds=ctx.now() - (build.started_at or build.created_at))
    if not unread and build.started_at is None and is_here(build.id) and age > _NEVER_STARTED:
        return Verification("failed", f"{build.id} was never started")
    settings: Settings = ctx.settings
    allowed = timedelta(seconds=settings.timeout_of(build.pipeline))
    if age > _NEVER_STARTED + allowed + _ENDING:
        return Verification("failed", f"{detail}, though its pipeline may take {allowed.total_seconds():g} s only")
    return _pending(ctx, build, detail)


def _pending(ctx: Context, build: Build, detail: str) -> Verification:
    return Verification("pending", detail, pause(ctx, build), (name_of(build.id),))
