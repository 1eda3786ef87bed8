"""GitHub as a provider: workflows are pipelines, and a deployment brings a version live."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from sysop.api import ActionFailed, Context, InvalidCall
from sysop_plugins.cicd import record
from sysop_plugins.cicd.github.api import Api, since
from sysop_plugins.cicd.github.deploying import Deploying
from sysop_plugins.cicd.github.ids import DeploymentId, RunId, parse
from sysop_plugins.cicd.github.logs import log_of
from sysop_plugins.cicd.github.reading import build_of, comparison_of
from sysop_plugins.cicd.github.replies import RunReply
from sysop_plugins.cicd.github.settings import GitHubPipeline, GitHubSettings
from sysop_plugins.cicd.given import fit
from sysop_plugins.cicd.provider import Build, Comparison, Deploy, Found, Live, Rollout
from sysop_plugins.cicd.record import Record
from sysop_plugins.cicd.settings import Settings
from sysop_plugins.remote.wire import Unclear

SECOND_LOOK = 5.0
"""Seconds after which is looked again for a run whose number an older server did not tell: it may not be listed yet."""
_SEARCHED = 300


class GitHubProvider:
    """The provider over GitHub's API, for one call."""

    def __init__(
        self, ctx: Context, whole: Settings, settings: GitHubSettings, second_look: float = SECOND_LOOK
    ) -> None:
        self._settings = settings
        self._ctx = ctx
        self._api = Api(ctx, settings)
        self._second_look = second_look
        self._deploying = Deploying(self._api, whole, settings, ctx.now)

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Start a run of a workflow. The same key gives the run it started before, where the workflow takes the key."""
        one = self._settings.pipelines[pipeline]
        fit(pipeline, one.parameters, parameters)
        if one.key_input and (found := (await self._with_key(one, key))[0]):
            return build_of(one.repository, pipeline, found)
        inputs = {**parameters, one.key_input: key} if one.key_input else dict(parameters)
        number = await self._api.dispatch(one.repository, one.workflow or "", one.ref, inputs)
        if number is not None:
            run = await self._api.newest(RunId(one.repository, number, 1))
            return build_of(one.repository, pipeline, run).model_copy(
                update={"parameters": dict(parameters), "requested_by": by}
            )
        found = await self._soon(one, key)
        if found is None:
            raise Unclear("github: the workflow was started, but which run it is cannot be told; see key_input")
        return build_of(one.repository, pipeline, found)

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Run the failed jobs of a run again, as its next attempt."""
        id = self._run_id(build)
        before = await self.status(build)
        if before.state not in ("failed", "cancelled"):
            raise ActionFailed(f"{build} is {before.state}; only what failed or was cancelled is run again")
        newest = await self._api.newest(id)
        if newest.run_attempt > id.attempt:
            raise ActionFailed(f"{build} was run again already, as attempt {newest.run_attempt}")
        await self._api.rerun(id)
        after = await self._api.newest(id)
        if after.run_attempt == id.attempt:  # not shown yet
            return before.model_copy(
                update={
                    "id": str(RunId(id.repository, id.number, id.attempt + 1)),
                    "state": "queued",
                    "started_at": None,
                    "finished_at": None,
                    "reason": "",
                }
            )
        return build_of(id.repository, before.pipeline, after)

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Ask for a deployment. Refused while another one of the service is under way."""
        return await self._deploying.deploy(key, service, version, by=by, change=change)

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for a run to stop. Raises ActionFailed when it has already ended otherwise."""
        id = self._id(build)
        if isinstance(id, DeploymentId):
            raise ActionFailed(f"{build}: GitHub cannot stop a deployment; cancel the run that carries it out")
        before = await self.status(build)
        if before.state == "cancelled":
            return before
        if before.finished:
            raise ActionFailed(f"{build} has already {before.state}; there is nothing to cancel")
        await self._api.cancel(id)
        return await self.status(build)

    async def status(self, build: str) -> Build:
        """Return a run or a deployment as it is now."""
        id = self._id(build)
        if isinstance(id, DeploymentId):
            return await self._deploying.status(id)
        run = await self._api.run(id)
        return build_of(id.repository, self._declared(id, run), run)

    async def logs(self, build: str, lines: int) -> str:
        """Return the last lines of what went wrong: of the failed jobs, else of the last one; at most 64 KiB."""
        id = self._id(build)
        if isinstance(id, DeploymentId):
            return await self._deploying.told(id)
        return await log_of(self._api, id, lines)

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the runs and deployments of the last minutes, newest first."""
        begin = self._ctx.now() - minutes * 60_000
        found: list[Build] = []
        for name, one in self._settings.pipelines.items():
            if pipeline not in (None, name):
                continue
            if one.deploys:
                found += [each.build for each in await self._deploying.records(name, begin)]
            else:
                found += await self._runs(name, one, begin)
        return tuple(sorted(found, key=lambda build: (build.created_at, build.id), reverse=True))

    async def unfinished(self, service: str) -> tuple[Build, ...]:
        """Return the deployments of a service that have not ended, oldest first."""
        return record.unfinished(await self._records(service), service)

    async def recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        """Return the deployments of the last minutes in any state, newest first."""
        begin = self._ctx.now() - minutes * 60_000
        known = await self._deploying.recent(begin) if service is None else await self._records(service)
        return record.recent(known, service, begin)

    async def history(self, service: str) -> tuple[Deploy, ...]:
        """Return the deployments of a service that succeeded, in the order they came live."""
        return record.history(await self._records(service), service)

    async def compare(self, service: str, one: str, other: str) -> Comparison:
        """Return the commits between two versions."""
        repository = self._deploying.pipeline(service)[1].repository
        return comparison_of(service, one, other, await self._api.compare(repository, one, other))

    async def live_version(self, service: str) -> Live:
        """Return what is live by the records of successful deployments."""
        return record.live(service, await self.history(service))

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key started a run or a deployment."""
        one = self._settings.pipelines[pipeline]
        if one.deploys:
            return await self._deploying.find(key, pipeline)
        if one.key_input is None:
            return Found(state="unknown", detail=f"pipeline {pipeline} has no key_input, so a run is not found again")
        run, looked_at = await self._with_key(one, key)
        if run is None:
            return record.told(None, looked_at, _SEARCHED, self._ctx.now())
        build = build_of(one.repository, pipeline, run)
        return Found(state="done", detail=f"{build.id} is {build.state}", build=build)

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether a run has an attempt after the one that was to be run again."""
        id = self._run_id(build)
        run = await self._api.newest(id)
        if run.run_attempt > id.attempt:
            again = build_of(id.repository, self._declared(id, run), run)
            return Found(state="done", detail=f"{again.id} is {again.state}", build=again)
        return Found(state="not_done", detail=f"attempt {id.attempt} is still the last one")

    async def _records(self, service: str) -> list[Record]:
        return await self._deploying.records(self._deploying.pipeline(service)[0], 0)

    async def _runs(self, name: str, one: GitHubPipeline, begin: int) -> list[Build]:
        runs = self._api.runs(one.repository, one.workflow or "", created=since(begin))
        return [build_of(one.repository, name, run) async for run in runs]

    async def _with_key(self, one: GitHubPipeline, key: str) -> tuple[RunReply | None, list[int]]:
        """Return the run that carries the key, and when those were asked for that were looked at."""
        looked_at: list[int] = []
        async for run in self._api.runs(one.repository, one.workflow or "", event="workflow_dispatch"):
            looked_at.append(run.created_at)
            if _carries(run.display_title, key):
                return run, looked_at
            if len(looked_at) == _SEARCHED:
                break
        return None, looked_at

    async def _soon(self, one: GitHubPipeline, key: str) -> RunReply | None:
        """Look for a run that was asked for a moment ago, twice."""
        if one.key_input is None:
            return None
        found, _ = await self._with_key(one, key)
        if found is None:
            await asyncio.sleep(self._second_look)
            found, _ = await self._with_key(one, key)
        return found

    def _declared(self, id: RunId, run: RunReply) -> str:
        """Return the pipeline a run belongs to. Raises InvalidCall where none is declared for its workflow."""
        file = run.path.partition("@")[0].rpartition("/")[2]
        for name, one in self._settings.pipelines.items():
            if (one.repository, one.workflow) == (id.repository, file):
                return name
        raise InvalidCall(f"build: {file!r} of {id.repository} is no workflow of plugins.cicd.github.pipelines")

    def _id(self, build: str) -> RunId | DeploymentId:
        """Return what an id names. Raises InvalidCall where no pipeline is declared for its repository."""
        id = parse(build)
        if id.repository not in {one.repository for one in self._settings.pipelines.values()}:
            raise InvalidCall(f"build: {id.repository} is no repository of plugins.cicd.github.pipelines")
        return id

    def _run_id(self, build: str) -> RunId:
        id = self._id(build)
        if isinstance(id, DeploymentId):
            raise InvalidCall(f"build: {build} is a deployment; deploy the version again by cicd.deploy")
        return id


def _carries(title: str, key: str) -> bool:
    """Tell whether a title holds the key and not a longer one that begins like it."""
    return re.search(rf"(?<![\w:.-]){re.escape(key)}(?![\w:.-])", title) is not None
