"""Post-checks: did the build end well, and is the service well since?

Each decides from what can be read now and remembers nothing, so it may be asked again after any crash.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sysop.api import CallError, Context, Verification
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.provider import Build
from sysop_plugins.cicd.settings import SAMPLES, HealthQuery, Settings

_NEVER_STARTED = 60_000


async def build_ended_well(ctx: Context, args: Any, result: Any) -> Verification:
    """Pass when the build succeeded."""
    return _judge_build(ctx, await provider_of(ctx).status(result["id"]))


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
    build = await provider_of(ctx).status(result["build"]["id"])
    ended = _judge_build(ctx, build)
    if ended.state != "passed" or build.finished_at is None:
        return ended
    settings: Settings = ctx.settings
    health = settings.health_of(result["service"])
    if health is None:
        return Verification("passed", f"{ended.detail}; no health query is declared for {result['service']}")
    return await _judge_health(ctx, health, build.finished_at)


def _judge_build(ctx: Context, build: Build) -> Verification:
    if build.state == "succeeded":
        return Verification("passed", f"{build.id} succeeded")
    if build.finished:
        return Verification("failed", f"{build.id} {build.state}: {build.reason}")
    if build.state == "queued" and ctx.now() - build.created_at > _NEVER_STARTED:
        return Verification("failed", f"{build.id} was never started")
    return Verification("pending", f"{build.id} is {build.state}")


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
