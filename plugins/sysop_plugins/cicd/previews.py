"""What an approver is shown beside the change itself: where, what lies between, who feels it, what else goes on.

All of it is read once, when people are asked, and bound as they saw it; right before the effect only the precondition
is read again. So figures of the moment may stand here, with the time they are from. None of it ever keeps a change from
being asked for: what cannot be told is told to be unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from sysop.api import CallError, Context
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.provider import Build, Comparison, Deploy
from sysop_plugins.cicd.settings import Settings
from sysop_plugins.cicd.versions import clock
from sysop_plugins.remote.queries import HealthQuery

_PATIENCE = 4.0
"""Seconds for each side question; a card is wanted soon, and the gate allows a preview ten."""
_COMMITS, _FILES, _AUTHORS, _CALLERS, _BUSY, _LINE = 5, 5, 5, 8, 5, 200
_LATELY = 24 * 60


async def around_deploy(ctx: Context, service: str, one: str | None, other: str) -> tuple[str, ...]:
    """Return where a version goes, what lies between it and the live one, and how the service does now."""
    between, health = await asyncio.gather(_between(ctx, service, one, other), _health(ctx, service))
    return (where(ctx, service), *between, *health)


def where(ctx: Context, service: str) -> str:
    """Say by which pipeline of which system a service is deployed, and to which environment."""
    settings: Settings = ctx.settings
    pipeline = settings.pipeline_of(service)
    provider = settings.declared()[pipeline].provider
    return f"where: {ctx.inventory.environment_of(service)}, by pipeline {pipeline} of {provider}"


async def felt_by(ctx: Context, service: str) -> tuple[str, ...]:
    """Return who feels a change of a service, directly or through others, and what is being deployed around it."""
    direct = {name for name, found in ctx.inventory.services.items() if service in found.depends_on}
    callers = ctx.inventory.dependents(service)
    told = [f"{one} calls {service}{'' if one in direct else ' through others'}" for one in callers]
    around = await _tell("deploys around it", lambda: _around(ctx, service, callers))
    return (*_cut(told, _CALLERS, "more call it"), *around)


async def pipeline_now(ctx: Context, pipeline: str, but: str = "") -> tuple[str, ...]:
    """Return which builds of a pipeline run at this time, without one of them."""

    async def ask() -> list[str]:
        builds = await provider_of(ctx).builds(pipeline, _LATELY)
        return [_busy(one) for one in builds if not one.finished and one.id != but]

    return _cut(await _tell(f"what else runs on {pipeline}", ask), _BUSY, "more run")


async def _between(ctx: Context, service: str, one: str | None, other: str) -> tuple[str, ...]:
    if one is None or one == other:
        return ()

    async def ask() -> list[str]:
        return compared(await provider_of(ctx).compare(service, one, other))

    return tuple(await _tell(f"what lies between {one} and {other}", ask))


def compared(found: Comparison) -> list[str]:
    """Return a comparison in a few lines."""
    count = len(found.commits) + found.more
    size = [f"{count} commit{'s' if count != 1 else ''}"] if count else []
    size += [f"{len(found.files)} file{'s' if len(found.files) != 1 else ''}"] if found.files else []
    if found.additions is not None and found.deletions is not None:
        size.append(f"+{found.additions} -{found.deletions} lines")
    authors = ", ".join(_cut(found.authors, _AUTHORS, "more"))
    head = f"between: {', '.join(size)}{f', by {authors}' if authors else ''}" if size or authors else ""
    commits = [f"{one.id[:12]} {one.author}: {_short(one.message)}" for one in reversed(found.commits)]
    left = max(0, count - _COMMITS)
    lines = [*commits[:_COMMITS], *([f"… {left} more commits"] if left else [])]
    files = [f"files: {', '.join(_cut(found.files, _FILES, 'more'))}"] if found.files else []
    noted = [f"between: {_short(change)}" for change in found.changes]
    return [*([head] if head else []), *lines, *files, *_cut(noted, _COMMITS, "more deploys")]


async def _around(ctx: Context, service: str, callers: Sequence[str]) -> list[str]:
    known = ctx.inventory.services.get(service)
    near = {*callers, *(known.depends_on if known else ())} - {service}
    deploys = await provider_of(ctx).recent_deploys(None, _LATELY)
    return list(_cut([_deploying(one) for one in deploys if one.service in near and _open(one)], _BUSY, "more deploys"))


def _open(deploy: Deploy) -> bool:
    return deploy.state in ("queued", "running")


def _deploying(deploy: Deploy) -> str:
    return f"{deploy.service} {deploy.version} is being deployed ({deploy.build})"


def _busy(build: Build) -> str:
    return f"{build.id} is {build.state} since {clock(build.started_at or build.created_at)}, for {build.requested_by}"


async def _health(ctx: Context, service: str) -> tuple[str, ...]:
    settings: Settings = ctx.settings
    queries = settings.health_of(service)
    found = await asyncio.gather(*(_tell(f"health: {one.query}", _reading(ctx, one)) for one in queries))
    return tuple(line for lines in found for line in lines)


def _reading(ctx: Context, health: HealthQuery) -> Callable[[], Awaitable[list[str]]]:
    async def ask() -> list[str]:
        found = await ctx.read("metrics.query", query=health.query)
        value = found["value"]
        shown = "no value" if value is None else f"{value:.4g}"
        bound = f", bound {health.below:g}" if health.below is not None else ""
        return [f"health at {clock(ctx.now())}: {health.query} is {shown}{bound}"]

    return ask


async def _tell(what: str, ask: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Return the answer, or that it is not known and why: a side question never stops a change from being asked for."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await ask()
    except CallError as unknown:
        return [f"{what}: not known ({_short(str(unknown))})"]
    except TimeoutError:
        return [f"{what}: not known (no answer within {_PATIENCE:g} s)"]


def _cut(lines: Iterable[str], most: int, more: str) -> tuple[str, ...]:
    every = tuple(lines)
    return every if len(every) <= most else (*every[:most], f"… {len(every) - most} {more}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
