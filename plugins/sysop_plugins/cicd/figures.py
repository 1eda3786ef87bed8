"""How well a pipeline does, counted from its builds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from statistics import median

from pydantic import BaseModel, ConfigDict

from sysop_plugins.cicd.provider import Build


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Flaky(_Data):
    """Builds of the same commit with the same parameters that both failed and succeeded: it is chance that decides.

    `builds` are the newest ten.
    """

    parameters: dict[str, str]
    failed: int
    succeeded: int
    builds: tuple[str, ...]


class PipelineHealth(_Data):
    """A pipeline's builds over some days. Percent and seconds are null where no build tells them.

    Cancelled builds tell nothing and count for neither side. `failing_since` is when the first of the failures that
    now stand in a row ended, in milliseconds since the epoch; null while the last build succeeded.
    """

    pipeline: str
    days: int
    builds: int
    succeeded: int
    failed: int
    cancelled: int
    success_percent: float | None
    median_seconds: float | None
    slowest_seconds: float | None
    failing_since: int | None
    flaky: tuple[Flaky, ...]


def health(pipeline: str, days: int, builds: Sequence[Build]) -> PipelineHealth:
    """Return the figures of finished builds, in whatever order they come."""
    ended = sorted((one for one in builds if one.finished_at is not None), key=_ended_at)
    told = [one for one in ended if one.state != "cancelled"]
    good = sum(one.state == "succeeded" for one in told)
    seconds = [(_ended_at(one) - one.started_at) / 1000 for one in told if one.started_at is not None]
    return PipelineHealth(
        pipeline=pipeline,
        days=days,
        builds=len(builds),
        succeeded=good,
        failed=len(told) - good,
        cancelled=sum(one.state == "cancelled" for one in builds),
        success_percent=round(100 * good / len(told), 1) if told else None,
        median_seconds=round(median(seconds), 1) if seconds else None,
        slowest_seconds=round(max(seconds), 1) if seconds else None,
        failing_since=_failing_since(told),
        flaky=tuple(_flaky(ended)),
    )


def _ended_at(build: Build) -> int:
    return build.finished_at or 0


def _failing_since(told: Sequence[Build]) -> int | None:
    since = None
    for build in told:
        since = None if build.state == "succeeded" else since or build.finished_at
    return since


def _flaky(ended: Iterable[Build]) -> Iterable[Flaky]:
    """Yield what was built several times with unlike ends, the most often failed first.

    A build that names no commit is taken to be of the one before: Jenkins names only what is new.
    """
    alike: dict[str, list[Build]] = {}
    commit = ""
    for build in ended:
        commit = build.commit or commit
        if build.state != "cancelled":
            alike.setdefault(json.dumps([commit, build.parameters], sort_keys=True), []).append(build)
    found = []
    for builds in alike.values():
        failed = sum(one.state == "failed" for one in builds)
        if 0 < failed < len(builds):
            newest = tuple(one.id for one in reversed(builds))[:10]
            good = len(builds) - failed
            found.append(Flaky(parameters=builds[0].parameters, failed=failed, succeeded=good, builds=newest))
    return sorted(found, key=lambda one: (-one.failed, one.builds))
