"""Pipelines as commands on this machine. The folder of a build is the truth; no process needs to live for it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sysop.api import ActionFailed, InvalidCall
from sysop_plugins.cicd import local_build
from sysop_plugins.cicd.local.log import tail
from sysop_plugins.cicd.local.records import (
    Record,
    Spec,
    build_id,
    create,
    folder_of,
    folders,
    make_lock,
    make_root,
    read,
)
from sysop_plugins.cicd.local.settings import PLACEHOLDER, PipelineSettings
from sysop_plugins.cicd.local.spawning import abandon, environment, spawn
from sysop_plugins.cicd.provider import Build, Comparison, Deploy, Found, Live, Rollout
from sysop_plugins.cicd.settings import Settings

_VALUE = re.compile(r"[A-Za-z0-9._:/@+][A-Za-z0-9._:/@+-]{0,199}")  # no leading dash: it would be an option
_STALE = 60_000  # a claim not started for so long was left behind by a process that died
_LOCK_WAIT = 5.0


class LocalProvider:
    """The provider over one folder of builds. Any number of processes may use the same folder."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root = root.absolute()
        self._settings = settings
        self._pipelines = settings.local.pipelines

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Start a build. The same key gives the build it started before; with other parameters it is an error."""
        return (await asyncio.to_thread(self._start, key, pipeline, parameters, by, change)).build

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Start a build once more, as it was asked for. Raises ActionFailed unless it failed or was cancelled."""
        return (await asyncio.to_thread(self._again, key, build, by)).build

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Start the build that brings a version live. Refused while another deploy of the service is under way."""
        pipeline = self._settings.pipeline_of(service)
        parameters = {"service": service, "version": version}
        return (await asyncio.to_thread(self._start, key, pipeline, parameters, by, change)).rollout()

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for a build to stop. Raises ActionFailed when it has already ended otherwise."""
        return await asyncio.to_thread(self._cancel, build, by)

    async def status(self, build: str) -> Build:
        """Return a build as it is now."""
        return (await asyncio.to_thread(read, folder_of(self._root, build))).build

    async def logs(self, build: str, lines: int) -> str:
        """Return the last lines a build wrote, at most 64 KiB, without the codes that move a terminal's cursor."""
        return await asyncio.to_thread(tail, folder_of(self._root, build) / "log", lines)

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the builds that were asked for or ended within the last minutes, newest first."""
        if pipeline is not None:
            self._pipeline(pipeline)
        records = await asyncio.to_thread(self._touched, local_build.now() - minutes * 60_000)
        found = [record.build for record in records if pipeline in (None, record.spec.pipeline)]
        return tuple(sorted(found, key=lambda one: (one.created_at, one.id), reverse=True))

    async def unfinished(self, service: str) -> tuple[Build, ...]:
        """Return the builds queued or running on a service, oldest first."""
        builds = [record.build for record in await asyncio.to_thread(self._unfinished)]
        return tuple(build for build in builds if build.parameters.get("service") == service)

    async def recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        """Return the deploys of the last minutes in any state, newest first."""
        return await asyncio.to_thread(self._recent_deploys, service, minutes)

    async def history(self, service: str) -> tuple[Deploy, ...]:
        """Return the deploys of a service that succeeded, in the order they came live."""
        return await asyncio.to_thread(self._history, service)

    async def live_version(self, service: str) -> Live:
        """Return what is live by the records of successful deploys."""
        deploys = await self.history(service)
        if not deploys:
            return Live(service=service)
        last = deploys[-1]
        return Live(
            service=service, version=last.version, since=last.at, build=last.build, by=last.by, change=last.change
        )

    async def compare(self, service: str, one: str, other: str) -> Comparison:
        """Return what the records say of the deploys from one version to the other; there is no code to compare."""
        history = await self.history(service)
        known = [deploy.version for deploy in history]
        for name, version in (("one", one), ("other", other)):
            if version not in known:
                raise ActionFailed(f"{name}: {service} {version} was never deployed; there were: {_named(known)}")
        first, last = sorted((_last(known, one), _last(known, other)))
        between = history[first + 1 : last + 1]
        told = tuple(f"{deploy.version}: {deploy.change or 'nothing was noted'}" for deploy in between)
        return Comparison(service=service, one=one, other=other, changes=told)

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key started a build, for after a crash. Not done stays not done unless asked again."""
        return await asyncio.to_thread(self._find, key)

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether the key ran a build again, for after a crash."""
        return await asyncio.to_thread(self._find, key)

    def _start(self, key: str, name: str, parameters: Mapping[str, str], by: str, change: str) -> Record:
        pipeline = self._pipeline(name)
        _check_values(name, pipeline, parameters)
        make_root(self._root)
        if pipeline.deploys:
            with _locked(self._root / ".claims"):  # two deploys of a service must not both find the place free
                record = self._claim(key, name, parameters, by, change)
        else:
            record = self._claim(key, name, parameters, by, change)
        if record.build.state == "queued":
            record = spawn(record.folder)
        if record.build.started_at is None:
            raise ActionFailed(f"{record.build.id}: {record.build.reason}")
        return record

    def _again(self, key: str, build: str, by: str) -> Record:
        before = read(folder_of(self._root, build))
        if before.build.state not in ("failed", "cancelled"):
            raise ActionFailed(f"{build} is {before.build.state}; only what failed or was cancelled is run again")
        return self._start(key, before.spec.pipeline, before.spec.parameters, by, f"again after {build}")

    def _claim(self, key: str, name: str, parameters: Mapping[str, str], by: str, change: str) -> Record:
        """Return the key's build, made now unless it is there. Raises ActionFailed where it must not be started."""
        folder = self._root / build_id(key)
        deploys = self._pipelines[name].deploys
        if deploys and not (folder / "started").exists():
            self._make_way(parameters["service"], folder.name)
        if not folder.is_dir():
            previous = self._live(parameters["service"]) if deploys else None
            create(self._root, self._spec(folder, key, name, parameters, previous, by, change))
        record = read(folder)
        if (record.spec.key, record.spec.pipeline, record.spec.parameters) != (key, name, dict(parameters)):
            raise ActionFailed(
                f"key {key!r} already names {folder.name} of pipeline {record.spec.pipeline} with other parameters"
            )
        return record

    def _spec(
        self,
        folder: Path,
        key: str,
        name: str,
        parameters: Mapping[str, str],
        previous: str | None,
        by: str,
        change: str,
    ) -> Spec:
        pipeline = self._pipelines[name]
        return Spec(
            key=key,
            pipeline=name,
            parameters=dict(parameters),
            command=tuple(PLACEHOLDER.sub(lambda m: parameters[m[1]], part) for part in pipeline.command),
            directory=str(pipeline.directory or folder / "work"),
            environment=environment(folder.name, name, parameters),
            timeout_seconds=pipeline.timeout_seconds,
            deploys=pipeline.deploys,
            previous=previous,
            change=change,
            requested_by=by,
            created_at=local_build.now(),
        )

    def _make_way(self, service: str, own: str) -> None:
        """Raise ActionFailed while another deploy of the service is under way; close claims nobody will start."""
        for other in self._unfinished():
            if not other.deploys or other.service != service or other.build.id == own:
                continue
            stale = other.build.state == "queued" and other.build.created_at < local_build.now() - _STALE
            if stale and abandon(other.folder, "it was never started and another deploy came first"):
                continue
            raise ActionFailed(
                f"{service}: {other.build.id} of version {other.spec.parameters['version']} is still "
                f"{other.build.state}; wait for it or cancel it"
            )

    def _cancel(self, build: str, by: str) -> Build:
        folder = folder_of(self._root, build)
        found = read(folder).build
        if found.state == "queued":
            abandon(folder, f"cancelled by {by}")
            found = read(folder).build
        if found.state == "running":
            local_build.write(folder / "cancel", {"by": by, "at": local_build.now()})
            return read(folder).build
        if found.state != "cancelled":
            raise ActionFailed(f"{build} has already {found.state}; there is nothing to cancel")
        return found

    def _pipeline(self, name: str) -> PipelineSettings:
        found = self._pipelines.get(name)
        if found is None:
            known = ", ".join(sorted(self._pipelines)) or "none; declare them under plugins.cicd.local.pipelines"
            raise InvalidCall(f"pipeline: there is no pipeline {name!r}; there are: {known}")
        return found

    def _unfinished(self) -> list[Record]:
        records = [read(f) for f in folders(self._root) if not (f / "result.json").exists()]
        return sorted((r for r in records if not r.build.finished), key=lambda r: r.build.created_at)

    def _recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        since = local_build.now() - minutes * 60_000
        records = [r for r in self._touched(since) if r.deploys and service in (None, r.service)]
        deploys = [r.deploy() for r in records]
        return tuple(sorted((d for d in deploys if d.at >= since), key=lambda d: (d.at, d.build), reverse=True))

    def _touched(self, since: int) -> list[Record]:
        """Return what was asked for, started or ended since then."""
        return [read(f) for f in folders(self._root) if f.stat().st_mtime_ns // 1_000_000 >= since]

    def _history(self, service: str) -> tuple[Deploy, ...]:
        records = [read(f) for f in folders(self._root) if (f / "result.json").exists()]
        deploys = [r.deploy() for r in records if r.deploys and r.service == service and r.build.state == "succeeded"]
        return tuple(sorted(deploys, key=lambda d: (d.at, d.build)))

    def _live(self, service: str) -> str | None:
        deploys = self._history(service)
        return deploys[-1].version if deploys else None

    def _find(self, key: str) -> Found:
        if not self._root.parent.is_dir():
            return Found(state="unknown", detail=f"the folder of builds {self._root} cannot be reached")
        folder = self._root / build_id(key)
        if not folder.is_dir():
            return Found(state="not_done", detail="no build was asked for under this key")
        try:
            record = read(folder)
        except ActionFailed as unreadable:
            return Found(state="unknown", detail=str(unreadable))
        if record.build.started_at is None:
            return Found(state="not_done", detail=f"{folder.name} was asked for, but never started", build=record.build)
        return Found(
            state="done",
            detail=f"{folder.name} was started and is {record.build.state}",
            build=record.build,
            rollout=record.rollout() if record.deploys else None,
        )


def _named(versions: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(reversed(versions))) or "none"


def _last(versions: Sequence[str], wanted: str) -> int:
    return max(number for number, version in enumerate(versions) if version == wanted)


def _check_values(name: str, pipeline: PipelineSettings, parameters: Mapping[str, str]) -> None:
    declared = ", ".join(pipeline.parameters) or "none"
    for given in parameters:
        if given not in pipeline.parameters:
            raise InvalidCall(f"parameters.{given}: pipeline {name} does not take it; it takes: {declared}")
    for needed in pipeline.parameters:
        if needed not in parameters:
            raise InvalidCall(f"parameters.{needed}: is missing; pipeline {name} takes: {declared}")
        if not _VALUE.fullmatch(parameters[needed]):
            raise InvalidCall(
                f"parameters.{needed}: {parameters[needed]!r} may only have letters, digits and . _ : / @ + - , "
                "at most 200, and must not start with -"
            )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    make_lock(path)
    descriptor = os.open(path, os.O_RDWR)
    try:
        deadline = time.monotonic() + _LOCK_WAIT
        while not _take(descriptor):
            if time.monotonic() > deadline:
                raise ActionFailed(f"{path} is held by another process; nothing was started")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
