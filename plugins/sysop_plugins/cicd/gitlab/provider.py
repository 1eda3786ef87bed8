"""GitLab as a provider: a pipeline is started with variables, which remember the key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sysop.api import ActionFailed, Context, InvalidCall
from sysop_plugins.cicd import record
from sysop_plugins.cicd.gitlab.api import Api, since
from sysop_plugins.cicd.gitlab.ids import PipelineId, parse
from sysop_plugins.cicd.gitlab.reading import (
    BY,
    CHANGE,
    KEY,
    NAME,
    SERVICE,
    attempt_of,
    build_of,
    comparison_of,
    deployed,
)
from sysop_plugins.cicd.gitlab.replies import Job, PipelineReply
from sysop_plugins.cicd.gitlab.settings import GitLabPipeline, GitLabSettings
from sysop_plugins.cicd.given import fit
from sysop_plugins.cicd.local.log import LOG_BYTES
from sysop_plugins.cicd.provider import Build, Comparison, Deploy, Found, Live, Rollout
from sysop_plugins.cicd.record import Record
from sysop_plugins.cicd.settings import Settings

REMEMBERED = 50
"""So many pipelines are looked at, newest first: each costs one more question."""
MOST_JOBS = 3


class GitLabProvider:
    """The provider over GitLab's API, for one call."""

    def __init__(self, ctx: Context, whole: Settings, settings: GitLabSettings) -> None:
        self._ctx = ctx
        self._whole = whole
        self._pipelines = settings.pipelines
        self._api = Api(ctx, settings)

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Start a pipeline. The same key gives the one it started before."""
        one = self._pipelines[pipeline]
        fit(pipeline, one.parameters, parameters)
        return await self._start(key, pipeline, one.ref, _variables(parameters) | {BY: by, CHANGE: change})

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Run the jobs that failed again, as another attempt of the same pipeline."""
        before = await self.status(build)
        if before.state not in ("failed", "cancelled"):
            raise ActionFailed(f"{build} is {before.state}; only what failed or was cancelled is run again")
        id, newest = self._id(build), parse(before.id)
        if newest.attempt > id.attempt:
            raise ActionFailed(f"{build} was run again already, as attempt {newest.attempt}")
        again = await self._api.retry(id)
        attempt = max(attempt_of(await self._api.jobs(id.project, id.number)), id.attempt + 1)
        return build_of(id.project, before.pipeline, again, attempt, {BY: by})

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Start the pipeline of a version. Refused while another one of the service is under way."""
        name = self._whole.pipeline_of(service)
        known = await self._deploys(name)
        before = record.history(known, service)
        mine = [one for one in known if one.key == key]
        if not mine and (busy := record.unfinished(known, service)):
            raise ActionFailed(f"{service}: {busy[0].id} is still {busy[0].state}; wait for it or cancel it")
        said = {SERVICE: service, BY: by, CHANGE: change}
        build = mine[0].build if mine else await self._start(key, name, version, said)
        previous = before[-1].version if before else None
        return Rollout(service=service, version=version, previous=previous, change=change, build=build)

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for a pipeline to stop. Raises ActionFailed when it has already ended otherwise."""
        before = await self.status(build)
        if before.state == "cancelled":
            return before
        if before.finished:
            raise ActionFailed(f"{build} has already {before.state}; there is nothing to cancel")
        await self._api.cancel(self._id(build))
        return await self.status(build)

    async def status(self, build: str) -> Build:
        """Return a pipeline as it is now."""
        id = self._id(build)
        it, jobs, variables = await asyncio.gather(
            self._api.pipeline(id.project, id.number),
            self._api.jobs(id.project, id.number),
            self._api.variables(id.project, id.number),
        )
        given = variables or {}
        return build_of(id.project, self._name_of(id.project, given), it, attempt_of(jobs), given)

    async def logs(self, build: str, lines: int) -> str:
        """Return the last lines of the jobs that failed, else of the last one; at most 64 KiB."""
        id = self._id(build)
        jobs = _newest(await self._api.jobs(id.project, id.number))
        shown = [job for job in jobs if job.status == "failed"][:MOST_JOBS] or jobs[-1:]
        parts = [f"job {job.name} ({job.stage}): {job.status} {job.failure_reason or ''}".rstrip() for job in jobs]
        for job in shown:
            parts += [f"== job {job.name}", (await self._api.log(id.project, job.id)).rstrip("\n")]
        last = "\n".join("\n".join(parts).split("\n")[-lines:])
        return last.encode()[-LOG_BYTES:].decode("utf-8", "ignore")

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the pipelines of the last minutes, newest first."""
        begin = since(self._ctx.now() - minutes * 60_000)
        found = [
            build for name in self._pipelines if pipeline in (None, name) for build in await self._since(name, begin)
        ]
        return tuple(sorted(found, key=lambda build: (build.created_at, build.id), reverse=True))

    async def unfinished(self, service: str) -> tuple[Build, ...]:
        """Return the pipelines that deploy a service and have not ended, oldest first."""
        return record.unfinished(await self._deploys(self._whole.pipeline_of(service)), service)

    async def recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        """Return the deploys of the last minutes in any state, newest first."""
        names = [self._whole.pipeline_of(service)] if service else [n for n, p in self._pipelines.items() if p.deploys]
        known = [one for name in names for one in await self._deploys(name)]
        return record.recent(known, service, self._ctx.now() - minutes * 60_000)

    async def history(self, service: str) -> tuple[Deploy, ...]:
        """Return the deploys of a service that succeeded, in the order they came live."""
        return record.history(await self._deploys(self._whole.pipeline_of(service)), service)

    async def compare(self, service: str, one: str, other: str) -> Comparison:
        """Return the commits between two versions."""
        project = self._pipelines[self._whole.pipeline_of(service)].project
        return comparison_of(service, one, other, await self._api.compare(project, one, other))

    async def live_version(self, service: str) -> Live:
        """Return what is live by the records of successful deploys."""
        return record.live(service, await self.history(service))

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key started a pipeline."""
        one = self._pipelines[pipeline]
        newest = await self._newest(pipeline, source="api")
        given = await asyncio.gather(*(self._api.variables(one.project, it.id) for it in newest))
        for it, variables in zip(newest, given, strict=True):
            if variables is not None and variables.get(KEY) == key:
                return record.found(await self._as_record(pipeline, it, variables))
        if None in given:
            detail = "the variables of some pipelines are not shown to the read token, which needs the role Maintainer"
            return Found(state="unknown", detail=detail)
        return record.told(None, [it.created_at for it in newest], REMEMBERED, self._ctx.now())

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether the jobs of a pipeline were tried again since."""
        id = self._id(build)
        now = await self.status(build)
        if parse(now.id).attempt > id.attempt:
            return Found(state="done", detail=f"{now.id} is {now.state}", build=now)
        return Found(state="not_done", detail=f"attempt {id.attempt} is still the last one")

    async def _start(self, key: str, name: str, ref: str, variables: Mapping[str, str]) -> Build:
        one = self._pipelines[name]
        if (before := await self._with_key(name, key)) is not None:
            return before.build
        made = await self._api.start(one.project, ref, {**variables, KEY: key, NAME: name})
        return build_of(one.project, name, made, 1, variables)

    async def _with_key(self, name: str, key: str) -> Record | None:
        records = await self._records(name, source="api")
        return next((one for one in records if one.key == key), None)

    async def _newest(self, name: str, **only: str) -> list[PipelineReply]:
        """Return the newest pipelines of a project, also those of another name."""
        newest: list[PipelineReply] = []
        async for it in self._api.pipelines(self._pipelines[name].project, **only):
            newest.append(it)
            if len(newest) == REMEMBERED:
                break
        return newest

    async def _told(self, name: str, newest: Sequence[PipelineReply]) -> list[Record]:
        """Return those of this name, with what their variables tell of them."""
        one = self._pipelines[name]
        found = await asyncio.gather(*(self._record(name, one, it) for it in newest))
        return [record for record in found if record is not None]

    async def _records(self, name: str, **only: str) -> list[Record]:
        return await self._told(name, await self._newest(name, **only))

    async def _deploys(self, name: str) -> list[Record]:
        """Return what was deployed, whoever asked for it, and our own pipelines that have deployed nothing yet.

        A deployment from a branch goes by its commit: the branch's name says nothing of the version. What was deployed
        is live also where a later job of its pipeline failed.
        """
        one = self._pipelines[name]
        ours = {parse(it.build.id).number: it for it in await self._records(name, source="api")}
        live: dict[int, bool] = {}
        theirs: list[Record] = []
        async for it in self._api.deployments(one.project, one.environment or ""):
            number = it.deployable.pipeline.id if it.deployable and it.deployable.pipeline else None
            if number is not None and number in ours:
                live[number] = live.get(number, False) or it.status == "success"
            else:
                theirs.append(deployed(one.project, name, self._service(name, {}), it))
            if len(theirs) + len(live) == REMEMBERED:
                break
        known = [(it, live.get(number)) for number, it in ours.items()]
        mine = [
            replace(it, came_live=bool(well) and it.build.finished)
            for it, well in known
            if well is not None or not it.build.finished
        ]
        return [*theirs, *mine]

    def _service(self, name: str, variables: Mapping[str, str]) -> str:
        named = self._whole.services_of(name)
        project = self._pipelines[name].project
        return variables.get(SERVICE) or (named[0] if len(named) == 1 else project.rpartition("/")[2])

    async def _record(self, name: str, one: GitLabPipeline, it: PipelineReply) -> Record | None:
        """Return a pipeline with its story, None where it is one of another name in the same project."""
        variables = await self._api.variables(one.project, it.id) or {}
        if self._name_of(one.project, variables) != name:
            return None
        return await self._as_record(name, it, variables)

    async def _as_record(self, name: str, it: PipelineReply, variables: Mapping[str, str]) -> Record:
        one = self._pipelines[name]
        jobs = await self._api.jobs(one.project, it.id)
        build = build_of(one.project, name, it, attempt_of(jobs), variables)
        return Record(build, self._service(name, variables), it.ref, variables.get(CHANGE, ""), variables.get(KEY, ""))

    async def _since(self, name: str, begin: str) -> list[Build]:
        return [one.build for one in await self._records(name, updated_after=begin)]

    def _name_of(self, project: str, variables: Mapping[str, str]) -> str:
        """Return the name of a project's pipeline: the one it was started as, else one that fits what was given."""
        if (asked := self._pipelines.get(variables.get(NAME, ""))) is not None and asked.project == project:
            return variables[NAME]
        names = [name for name, one in sorted(self._pipelines.items()) if one.project == project]
        fitting = [name for name in names if self._pipelines[name].deploys == (SERVICE in variables)]
        return (fitting or names or [project])[0]

    def _id(self, build: str) -> PipelineId:
        """Return what an id names. Raises InvalidCall where no pipeline is declared for its project."""
        id = parse(build)
        if id.project not in {one.project for one in self._pipelines.values()}:
            raise InvalidCall(f"build: {id.project} is no project of plugins.cicd.gitlab.pipelines")
        return id


def _variables(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name.upper(): value for name, value in parameters.items()}


def _newest(jobs: tuple[Job, ...]) -> list[Job]:
    """Return the last try of every job, in the order they were made."""
    last = {job.name: job for job in sorted(jobs, key=lambda job: job.id)}
    return sorted(last.values(), key=lambda job: job.id)
