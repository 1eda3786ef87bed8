"""Deploys as a provider has them on record, and what follows from the records whichever provider it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sysop_plugins.cicd.provider import Build, Deploy, Found, Live, Rollout

_LONG = 7 * 24 * 3600 * 1000
"""In milliseconds: what is older was not asked for by a call that is still open."""


@dataclass(frozen=True, slots=True)
class Record:
    """A build that brings a version of a service live. `key` is ours, empty where somebody else asked for it.

    `came_live` marks one whose version runs though the build has not ended well: it is what a rollback takes back.
    """

    build: Build
    service: str
    version: str
    change: str = ""
    key: str = ""
    came_live: bool = False

    def deploy(self, previous: str | None) -> Deploy:
        """Return it as a deploy."""
        return Deploy(
            service=self.service,
            version=self.version,
            previous=previous,
            at=self.build.finished_at or self.build.created_at,
            build=self.build.id,
            state=self.build.state,
            by=self.build.requested_by,
            change=self.change,
        )

    def rollout(self, previous: str | None) -> Rollout:
        """Return the handle on it."""
        return Rollout(
            service=self.service, version=self.version, previous=previous, change=self.change, build=self.build
        )


def history(records: Iterable[Record], service: str) -> tuple[Deploy, ...]:
    """Return the deploys of a service that came live, in that order."""
    mine = _live_ones(records, service)
    before = [None, *(one.version for one in mine)]
    return tuple(one.deploy(previous) for one, previous in zip(mine, before, strict=False))


def _live_ones(records: Iterable[Record], service: str) -> list[Record]:
    mine = [one for one in records if one.service == service and (one.came_live or one.build.state == "succeeded")]
    return sorted(mine, key=lambda one: (one.build.finished_at or one.build.created_at, *_asked(one)))


def _asked(record: Record) -> tuple[int, int, str]:
    """Return what orders records by when they were asked for, also where a provider tells whole seconds only."""
    return record.build.created_at, len(record.build.id), record.build.id


def recent(records: Iterable[Record], service: str | None, begin: int) -> tuple[Deploy, ...]:
    """Return the deploys since then in any state, of one service or of all, newest first."""
    known = list(records)
    found = []
    for one in known:
        if service in (None, one.service):
            deploy = one.deploy(_live_before(known, one))
            found += [deploy] if deploy.at >= begin else []
    return tuple(sorted(found, key=lambda deploy: (deploy.at, deploy.build), reverse=True))


def _live_before(records: Sequence[Record], it: Record) -> str | None:
    """Return what was live when it was asked for, as far as the records go back."""
    asked = it.build.created_at
    before = [
        one
        for one in _live_ones(records, it.service)
        if (one.build.finished_at or one.build.created_at) <= asked and _asked(one) < _asked(it)
    ]
    return before[-1].version if before else None


def unfinished(records: Iterable[Record], service: str) -> tuple[Build, ...]:
    """Return the builds of a service that have still to bring their version live, oldest first."""
    open_ones = [one for one in records if one.service == service and not one.came_live]
    builds = [one.build for one in open_ones if not one.build.finished]
    return tuple(sorted(builds, key=lambda build: (build.created_at, build.id)))


def live(service: str, deploys: Sequence[Deploy]) -> Live:
    """Return what is live by the records of successful deploys."""
    if not deploys:
        return Live(service=service)
    last = deploys[-1]
    return Live(service=service, version=last.version, since=last.at, build=last.build, by=last.by, change=last.change)


def found(record: Record | None) -> Found:
    """Return what a key started."""
    if record is None:
        return Found(state="not_done", detail="nothing carries this key")
    build = record.build
    return Found(state="done", detail=f"{build.id} is {build.state}", build=build, rollout=record.rollout(None))


def told(record: Record | None, looked_at: Sequence[int], bound: int, now: int) -> Found:
    """Return what a key started, unknown where older ones than the `bound` that were looked at may carry it.

    `looked_at` are the times, in milliseconds, at which those were asked for.
    """
    if record is None and len(looked_at) >= bound and min(looked_at) > now - _LONG:
        return Found(state="unknown", detail=f"none of the last {bound} carries this key, and older ones were not read")
    return found(record)
