"""What this plugin tells the record of changes: its own deploys, and those it finds when it asks."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from sysop.api import Change, ChangeKind, ChangeSource, ChangeState, Context, Http, PluginContext
from sysop_plugins.cicd.connect import provider_of
from sysop_plugins.cicd.provider import Build, BuildState, Deploy, Rollout
from sysop_plugins.cicd.settings import Settings

EVERY_S, EVERY_HERE_S = 60.0, 5.0
"""How often a server elsewhere is asked for deploys, and the records on this machine."""
_LONGEST = timedelta(seconds=30)
_SHARE = 10
_WAITS = re.compile(r"^(?:jenkins:.+:queue:|argocd:.+:after-)\d+$")
_ATTEMPT = re.compile(r"((?:github|gitlab):.+:\d+):\d+")
_STATES: dict[BuildState, ChangeState] = {
    "succeeded": ChangeState.DONE,
    "failed": ChangeState.FAILED,
    "cancelled": ChangeState.CANCELLED,
}


def name_of(build: str) -> str:
    """Return what a build is called in the record of changes and by webhooks: without its attempt."""
    found = _ATTEMPT.fullmatch(build)
    return found[1] if found else build


def is_here(build: str) -> bool:
    """Tell whether a build is one of this machine, which begins at once; elsewhere one may wait for a free worker."""
    return _provider(build) == "local"


def pause(ctx: Context, build: Build) -> timedelta | None:
    """Return after which time a build is looked at again: a tenth of its age, where each look is a question elsewhere.

    Webhooks tell sooner. None, for a build on this machine, leaves it at the post-check's own pace.
    """
    if is_here(build.id):
        return None
    age = timedelta(milliseconds=max(0, ctx.now() - build.created_at))
    return min(_LONGEST, max(timedelta(seconds=2), age / _SHARE))


def rolled_out(args: Any, result: Any) -> Change | None:
    """Return what a deploy or rollback has begun to change.

    One that only waits has no name yet by which others know it: they tell of it once it has begun.
    """
    told = Rollout.model_validate(result)
    if _WAITS.search(told.build.id):
        return None
    return _change(
        Deploy(
            service=told.service,
            version=told.version,
            previous=told.previous,
            at=told.build.finished_at or told.build.created_at,
            build=told.build.id,
            state=told.build.state,
            by="",
            change=told.change,
        ),
        told.build.url,
    )


def sources(settings: Settings) -> Iterable[ChangeSource]:
    """Return one source for each provider by which anything is deployed."""
    deploying = {one.provider for one in settings.declared().values() if one.deploys}
    return [
        ChangeSource(name, partial(_look, provider=name), EVERY_HERE_S if name == "local" else EVERY_S)
        for name in sorted(deploying)
    ]


@dataclass(frozen=True, slots=True)
class _Asking:
    """As much of a call's context as asking a provider takes."""

    settings: Any
    state: Path
    http: Http
    secret: Callable[[str], str]
    clock: int

    def now(self) -> int:
        return self.clock


async def _look(ctx: PluginContext, secret: Callable[[str], str], since: int, *, provider: str) -> list[Change]:
    asking = _Asking(ctx.settings, ctx.state, ctx.http, secret, round(time.time() * 1000))
    minutes = max(1, math.ceil((asking.clock - since) / 60_000))
    one = provider_of(cast(Context, asking)).only(provider)
    return [_change(deploy) for deploy in await one.recent_deploys(None, minutes)]


def _change(deploy: Deploy, url: str = "") -> Change:
    return Change(
        ChangeKind.DEPLOY,
        deploy.service,
        source=_provider(deploy.build),
        id=name_of(deploy.build),
        at=deploy.at,
        state=_STATES.get(deploy.state, ChangeState.STARTED),
        before=deploy.previous or "",
        after=deploy.version,
        by=deploy.by,
        title=deploy.change,
        url=url,
    )


def _provider(build: str) -> str:
    name, colon, _ = build.partition(":")
    return name if colon else "local"
