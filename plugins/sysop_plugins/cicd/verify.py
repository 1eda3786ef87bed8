"""Post-checks: did the build end well, and is the service well since?

Each decides from what can be read now and remembers nothing, so it may be asked again after any crash.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sysop.api import CallError, Context, Verification
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.provider import Build
from sysop_plugins.cicd.settings import LONGEST_BUILD, LONGEST_HEALTH, SAMPLES, HealthQuery, Settings

_NEVER_STARTED = timedelta(minutes=1)
_ENDING = timedelta(minutes=1)  # from a build's time-out to the record of its end: signals, and a slow disk
LONGEST_CHECK = _NEVER_STARTED + timedelta(seconds=LONGEST_BUILD) + _ENDING + timedelta(seconds=LONGEST_HEALTH)


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
    return Verification("pending", f"{build.id} is still {build.state}")


async def service_is_well(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when the build succeeded and the service's health query stayed below its bound since."""
    build, ended = await _look(ctx, Build.model_validate(result["build"]))
    if ended.state != "passed" or build.finished_at is None:
        return ended
    settings: Settings = ctx.settings
    health = settings.health_of(result["service"])
    if health is None:
        return Verification("passed", f"{ended.detail}; no health query is declared for {result['service']}")
    return await _judge_health(ctx, health, build.finished_at)


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
    """Wait for a build's end for as long as its pipeline may take, and no longer. `unread` says why nobody knows it."""
    detail = unread or f"{build.id} is {build.state}"
    age = timedelta(milliseconds=ctx.now() - build.created_at)
    if not unread and build.started_at is None and age > _NEVER_STARTED:
        return Verification("failed", f"{build.id} was never started")
    settings: Settings = ctx.settings
    allowed = timedelta(seconds=settings.timeout_of(build.pipeline))
    if age > _NEVER_STARTED + allowed + _ENDING:
        return Verification("failed", f"{detail}, though its pipeline may take {allowed.total_seconds():g} s only")
    return Verification("pending", detail)


async def _judge_health(ctx: Context, health: HealthQuery, ended_at: int) -> Verification:
    well, detail = await _readings(ctx, health, ended_at)
    if well:
        return Verification("passed", detail)
    if ctx.now() - ended_at < health.within_seconds * 1000:
        return Verification("pending", detail)
    return Verification("failed", f"not well within {health.within_seconds} s after the build: {detail}")


async def _readings(ctx: Context, health: HealthQuery, ended_at: int) -> tuple[bool, str]:
    """Tell whether the last readings since the build's end are all below the bound."""
    if ctx.now() - ended_at < health.every_seconds * (SAMPLES - 1) * 1000:
        return False, "the build has just ended"
    minutes = math.ceil(health.every_seconds * SAMPLES / 60)
    try:
        found = await ctx.read("metrics.range", query=health.query, minutes=minutes, step_seconds=health.every_seconds)
    except CallError as failed:
        return False, f"the health query could not be read: {failed}"
    if len(found["series"]) != 1:
        return False, f"{health.query} gives {len(found['series'])} series, one is needed"
    points = [p["value"] for p in found["series"][0]["points"] if p["at"] * 1000 >= ended_at]
    return _all_below(health, points[-SAMPLES:])


def _all_below(health: HealthQuery, values: Sequence[float | None]) -> tuple[bool, str]:
    shown = ", ".join("none" if v is None else f"{v:.4g}" for v in values) or "none"
    detail = f"{health.query}: last readings {shown}, bound {health.below:g}"
    return len(values) == SAMPLES and all(v is not None and v < health.below for v in values), detail
