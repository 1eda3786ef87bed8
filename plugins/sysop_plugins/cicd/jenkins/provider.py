"""Jenkins as a provider: what is asked for waits in its queue first, and has a number only later."""

from __future__ import annotations

from collections.abc import Mapping

from sysop.api import ActionFailed, Context, InvalidCall
from sysop_plugins.cicd import record
from sysop_plugins.cicd.given import fit
from sysop_plugins.cicd.jenkins.api import REMEMBERED, Api
from sysop_plugins.cicd.jenkins.ids import BuildId, parse
from sysop_plugins.cicd.jenkins.reading import build_of, given, waiting_of
from sysop_plugins.cicd.jenkins.replies import BuildReply
from sysop_plugins.cicd.jenkins.settings import JenkinsSettings
from sysop_plugins.cicd.local.log import LOG_BYTES
from sysop_plugins.cicd.provider import Build, Commit, Comparison, Deploy, Found, Live, Rollout
from sysop_plugins.cicd.record import Record
from sysop_plugins.cicd.settings import Settings


class JenkinsProvider:
    """The provider over Jenkins's API, for one call."""

    def __init__(self, ctx: Context, whole: Settings, settings: JenkinsSettings) -> None:
        self._ctx = ctx
        self._whole = whole
        self._pipelines = settings.pipelines
        self._api = Api(ctx, settings)

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Ask for a build. The same key gives the one it asked for before, where the job has a parameter for it."""
        one = self._pipelines[pipeline]
        fit(pipeline, one.parameters, parameters)
        return (await self._with_key(pipeline, key)) or await self._start(key, pipeline, parameters, by)

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Ask for a build with the parameters of one that failed. Jenkins knows no second try of the same."""
        before = await self.status(build)
        if before.state not in ("failed", "cancelled"):
            raise ActionFailed(f"{build} is {before.state}; only what failed or was cancelled is run again")
        name = before.pipeline
        takes = self._pipelines[name].parameters
        parameters = {key: value for key, value in before.parameters.items() if key in takes}
        return (await self._with_key(name, key)) or await self._start(key, name, parameters, by)

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Ask for the build that brings a version live. Refused while another one of the service is under way."""
        name = self._whole.pipeline_of(service)
        known = await self._records(name)
        before = record.history(known, service)
        build = await self._with_key(name, key)
        if build is None:
            if busy := record.unfinished(known, service):
                raise ActionFailed(f"{service}: {busy[0].id} is still {busy[0].state}; wait for it or cancel it")
            build = await self._start(key, name, {"service": service, "version": version}, by)
        previous = before[-1].version if before else None
        return Rollout(service=service, version=version, previous=previous, change=change, build=build)

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for a build to stop. Raises ActionFailed when it has already ended otherwise."""
        before = await self.status(build)
        if before.state == "cancelled":
            return before
        if before.finished:
            raise ActionFailed(f"{build} has already {before.state}; there is nothing to cancel")
        await self._api.stop(parse(before.id))
        return await self.status(build)

    async def status(self, build: str) -> Build:
        """Return a build as it is now. One that waited has its number by then, and goes by that."""
        id = parse(build)
        name = self._name_of(id.job)
        if name is None:
            raise InvalidCall(f"build: {id.job!r} is no job of plugins.cicd.jenkins.pipelines")
        hidden = self._pipelines[name].key_parameter
        if not id.waits:
            return build_of(id.job, name, await self._api.build(id), hidden)
        item = await self._api.item(id.job, id.number)
        if item is not None and item.executable is None:
            return waiting_of(id.job, name, item, hidden)
        number = item.executable.number if item and item.executable else await self._number(id)
        return build_of(id.job, name, await self._api.build(BuildId(id.job, number)), hidden)

    async def logs(self, build: str, lines: int) -> str:
        """Return the last lines a build wrote, at most 64 KiB."""
        id = parse((await self.status(build)).id)
        if id.waits:
            return ""
        last = "\n".join((await self._api.log(id)).rstrip("\n").split("\n")[-lines:])
        return last.encode()[-LOG_BYTES:].decode("utf-8", "ignore")

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the builds of the last minutes, newest first, at most a hundred of each job."""
        begin = self._ctx.now() - minutes * 60_000
        found = [build for name in self._pipelines if pipeline in (None, name) for build in await self._all(name)]
        fresh = [build for build in found if (build.finished_at or build.created_at) >= begin]
        return tuple(sorted(fresh, key=lambda build: (build.created_at, build.id), reverse=True))

    async def unfinished(self, service: str) -> tuple[Build, ...]:
        """Return the builds that deploy a service and have not ended, oldest first."""
        return record.unfinished(await self._records(self._whole.pipeline_of(service)), service)

    async def recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        """Return the deploys of the last minutes in any state, newest first."""
        names = [self._whole.pipeline_of(service)] if service else [n for n, p in self._pipelines.items() if p.deploys]
        known = [one for name in names for one in await self._records(name)]
        return record.recent(known, service, self._ctx.now() - minutes * 60_000)

    async def history(self, service: str) -> tuple[Deploy, ...]:
        """Return the deploys of a service that succeeded, in the order they came live."""
        return record.history(await self._records(self._whole.pipeline_of(service)), service)

    async def compare(self, service: str, one: str, other: str) -> Comparison:
        """Return the commits that came with the deploys from one version to the other, as their builds list them."""
        name = self._whole.pipeline_of(service)
        job = self._pipelines[name].job
        mine = [
            it
            for it in reversed(await self._api.builds(job))
            if it.result == "SUCCESS" and given(it.actions).get("service") == service
        ]
        versions = [given(it.actions).get("version", "") for it in mine]
        for field, version in (("one", one), ("other", other)):
            if version not in versions:
                raise ActionFailed(f"{field}: {service} {version} is not among the last builds of {job}")
        first, last = sorted((versions.index(one), versions.index(other)))
        return _compared(service, one, other, mine[first + 1 : last + 1])

    async def live_version(self, service: str) -> Live:
        """Return what is live by the records of successful deploys."""
        return record.live(service, await self.history(service))

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key asked for a build."""
        one = self._pipelines[pipeline]
        if one.key_parameter is None:
            return Found(state="unknown", detail=f"pipeline {pipeline} has no key_parameter, so a build is not found")
        if (build := await self._with_key(pipeline, key)) is not None:
            return record.found(self._record(pipeline, build))
        looked_at = [it.timestamp for it in await self._api.builds(one.job)]
        return record.told(None, looked_at, REMEMBERED, self._ctx.now())

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether the key asked for a build like another one."""
        name = self._name_of(parse(build).job)
        if name is None:
            return Found(state="unknown", detail="its job is not declared any more")
        return await self.find(key, name)

    async def _start(self, key: str, name: str, parameters: Mapping[str, str], by: str) -> Build:
        one = self._pipelines[name]
        keyed = {**parameters, one.key_parameter: key} if one.key_parameter else dict(parameters)
        place = await self._api.start(one.job, keyed)
        return await self.status(str(BuildId(one.job, place, waits=True)))

    async def _all(self, name: str) -> list[Build]:
        """Return what waits and what has a number. The queue is read first: what leaves it then is seen as a build."""
        one = self._pipelines[name]
        waiting = await self._api.waiting(one.job)
        done = await self._api.builds(one.job)
        begun = {it.queueId for it in done}
        builds = [build_of(one.job, name, it, one.key_parameter) for it in done]
        return [*(waiting_of(one.job, name, it, one.key_parameter) for it in waiting if it.id not in begun), *builds]

    async def _records(self, name: str) -> list[Record]:
        return [self._record(name, build) for build in await self._all(name)]

    def _record(self, name: str, build: Build) -> Record:
        service = build.parameters.get("service", "")
        return Record(build, service, build.parameters.get("version", ""))

    async def _with_key(self, name: str, key: str) -> Build | None:
        """Return the build that carries the key: it may wait, run, or have ended."""
        one = self._pipelines[name]
        if one.key_parameter is None:
            return None
        for item in await self._api.waiting(one.job):
            if given(item.actions).get(one.key_parameter) == key:
                return waiting_of(one.job, name, item, one.key_parameter)
        for it in await self._api.builds(one.job):
            if given(it.actions).get(one.key_parameter) == key:
                return build_of(one.job, name, it, one.key_parameter)
        return None

    async def _number(self, id: BuildId) -> int:
        """Return the number of what waited so long ago that the queue has forgotten it."""
        found = [it.number for it in await self._api.builds(id.job) if it.queueId == id.number]
        if not found:
            raise InvalidCall(f"build: {id} is neither in the queue nor among the last builds of {id.job}")
        return found[0]

    def _name_of(self, job: str) -> str | None:
        return next((name for name, one in sorted(self._pipelines.items()) if one.job == job), None)


def _compared(service: str, one: str, other: str, builds: list[BuildReply]) -> Comparison:
    items = [item for it in builds for some in it.changeSets for item in some.items]
    commits = tuple(
        Commit(id=item.commitId, author=item.author.fullName, message=item.msg.partition("\n")[0]) for item in items
    )
    return Comparison(
        service=service,
        one=one,
        other=other,
        commits=commits,
        authors=tuple(sorted({commit.author for commit in commits if commit.author})),
        files=tuple(dict.fromkeys(path for item in items for path in item.affectedPaths)),
    )
