"""Buildbot as a provider: a force scheduler starts what a builder builds."""

from __future__ import annotations

from collections.abc import Mapping

from sysop.api import ActionFailed, Context, InvalidCall
from sysop_plugins.cicd import record
from sysop_plugins.cicd.buildbot.api import REMEMBERED, Api, Asked
from sysop_plugins.cicd.buildbot.ids import build_id, parse
from sysop_plugins.cicd.buildbot.logs import end_of
from sysop_plugins.cicd.buildbot.reading import build_of, change_of, key_of, reason_of, text
from sysop_plugins.cicd.buildbot.replies import RequestReply
from sysop_plugins.cicd.buildbot.settings import REASON, BuildbotPipeline, BuildbotSettings
from sysop_plugins.cicd.given import fit
from sysop_plugins.cicd.provider import Build, Comparison, Deploy, Found, Live, Rollout
from sysop_plugins.cicd.record import Record
from sysop_plugins.cicd.settings import Settings


class BuildbotProvider:
    """The provider over a master's API, for one call."""

    def __init__(self, ctx: Context, whole: Settings, settings: BuildbotSettings) -> None:
        self._ctx = ctx
        self._whole = whole
        self._settings = settings
        self._pipelines = settings.pipelines
        self._api = Api(ctx, settings)

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Ask for a build. The same key gives the one it asked for before; with other parameters it is an error."""
        fit(pipeline, self._pipelines[pipeline].parameters, parameters)
        known = await self._with_key(pipeline, key, parameters)
        return known.build if known else await self._start(key, pipeline, parameters, change)

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Force a build with the parameters and the source of one that failed.

        Buildbot's own rebuild takes no key: what it started could not be told from what another person rebuilt.
        """
        asked = await self._api.request(parse(build))
        before = await self._build(asked)
        if before.state not in ("failed", "cancelled"):
            raise ActionFailed(f"{build} is {before.state}; only what failed or was cancelled is run again")
        name = before.pipeline
        fit(name, self._pipelines[name].parameters, before.parameters)
        known = await self._with_key(name, key, before.parameters)
        source = await self._source(asked[0])
        return known.build if known else await self._start(key, name, before.parameters, f"again {build}", source)

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Ask for the build that brings a version live. Refused while another one of the service is under way."""
        name = self._whole.pipeline_of(service)
        wish = {"service": service, "version": version}
        known = await self._records(name)
        before = record.history(known, service)
        mine = _own(known, key, wish)
        if mine is None and (busy := record.unfinished(known, service)):
            raise ActionFailed(f"{service}: {busy[0].id} is still {busy[0].state}; wait for it or cancel it")
        build = mine.build if mine else await self._start(key, name, wish, change)
        previous = before[-1].version if before else None
        return Rollout(service=service, version=version, previous=previous, change=change, build=build)

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for a build to stop. Raises ActionFailed when it has already ended otherwise.

        What is returned is the build as it was: the master stops it a moment later.
        """
        before = await self.status(build)
        if before.state == "cancelled":
            return before
        if before.finished:
            raise ActionFailed(f"{build} has already {before.state}; there is nothing to cancel")
        await self._api.cancel(parse(build), f"by {by}")
        return before

    async def status(self, build: str) -> Build:
        """Return a build as it is now."""
        return await self._build(await self._api.request(parse(build)))

    async def logs(self, build: str, lines: int) -> str:
        """Return the last lines a build wrote, at most 64 KiB."""
        asked = await self._api.request(parse(build))
        await self._build(asked)  # raises for what is not declared
        return "" if asked[1] is None else await end_of(self._api, asked[1], lines)

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the builds of the last minutes, newest first, at most two hundred of each builder."""
        begin = self._ctx.now() - minutes * 60_000
        names = [name for name in self._pipelines if pipeline in (None, name)]
        found = [one.build for name in names for one in await self._records(name)]
        fresh = [build for build in found if (build.finished_at or build.created_at) >= begin]
        return tuple(sorted(fresh, key=lambda build: (build.created_at, parse(build.id)), reverse=True))

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
        """Return what was said of the deploys from one version to the other; a forced build knows of no commits."""
        deploys = await self.history(service)
        versions = [deploy.version for deploy in deploys]
        for field, version in (("one", one), ("other", other)):
            if version not in versions:
                raise ActionFailed(f"{field}: {service} {version} is not among the last deploys of {service}")
        first, last = sorted(len(versions) - 1 - versions[::-1].index(version) for version in (one, other))
        told = tuple(f"{it.version}: {it.change or 'nothing was noted'}" for it in deploys[first + 1 : last + 1])
        return Comparison(service=service, one=one, other=other, changes=told)

    async def live_version(self, service: str) -> Live:
        """Return what is live by the records of successful deploys."""
        return record.live(service, await self.history(service))

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key asked for a build. The master lists what it has answered for."""
        asked = await self._api.requests(self._pipelines[pipeline].builder)
        looked_at = [request.submitted_at * 1000 for request, _ in asked]
        return record.told(_own(self._mine(pipeline, asked), key), looked_at, REMEMBERED, self._ctx.now())

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether the key asked for a build like another one."""
        try:
            name = (await self.status(build)).pipeline
        except InvalidCall as gone:
            return Found(state="unknown", detail=str(gone))
        return await self.find(key, name)

    async def _start(
        self, key: str, name: str, parameters: Mapping[str, str], change: str, source: Mapping[str, str] | None = None
    ) -> Build:
        """Ask for a build. Nothing is read afterwards: a look that fails must not look like a build never asked for."""
        one = self._pipelines[name]
        reason = {REASON: reason_of(key, change)}
        keyed = {**parameters, **(reason if one.key_parameter == REASON else {one.key_parameter: key})}
        request = await self._api.force(one, keyed, {**(source or {}), **reason})
        return Build(
            id=build_id(request),
            pipeline=name,
            state="queued",
            parameters=dict(parameters),
            created_at=self._ctx.now(),
            url=f"{self._settings.url}/#/buildrequests/{request}",
            requested_by=self._settings.user or "",
        )

    async def _source(self, request: RequestReply) -> dict[str, str]:
        """Return what a force scheduler can be told of what was built."""
        sources = await self._api.sources(request)
        told = [one for one in sources if one.patch or one.codebase or one.branch or one.revision]
        if any(one.patch or one.codebase for one in told) or len(told) > 1:
            raise ActionFailed("build: it was built from a patch or several codebases; rebuild it in Buildbot itself")
        given = {"branch": told[0].branch, "revision": told[0].revision} if told else {}
        return {name: value for name, value in given.items() if value}

    async def _build(self, asked: Asked) -> Build:
        """Return what was asked for as a build. Raises InvalidCall where no pipeline is declared for its builder."""
        request, _ = asked
        builder = (await self._api.builder(request.builderid)).name
        name = self._name_of(builder, request)
        if name is None:
            raise InvalidCall(f"build: {builder!r} is no builder of plugins.cicd.buildbot.pipelines")
        return build_of(name, asked, self._pipelines[name].parameters, self._settings.url)

    async def _records(self, name: str) -> list[Record]:
        """Return what was asked for of a pipeline, newest first."""
        return self._mine(name, await self._api.requests(self._pipelines[name].builder))

    def _mine(self, name: str, found: list[Asked]) -> list[Record]:
        one = self._pipelines[name]
        return [self._record(name, one, asked) for asked in found if self._name_of(one.builder, asked[0]) == name]

    def _record(self, name: str, one: BuildbotPipeline, asked: Asked) -> Record:
        build = build_of(name, asked, one.parameters, self._settings.url)
        service, version = (build.parameters.get(field, "") for field in ("service", "version"))
        return Record(build, service, version, change_of(asked[0]), key_of(asked[0], one.key_parameter))

    async def _with_key(self, name: str, key: str, parameters: Mapping[str, str]) -> Record | None:
        return _own(await self._records(name), key, parameters)

    def _name_of(self, builder: str, request: RequestReply) -> str | None:
        """Return the pipeline of a request: several may share a builder, and then its force scheduler tells which."""
        fitting = sorted(name for name, one in self._pipelines.items() if one.builder == builder)
        scheduler = text(request.properties, "scheduler")
        by = [name for name in fitting if self._pipelines[name].scheduler == scheduler]
        return next(iter([*by, *fitting]), None)


def _own(records: list[Record], key: str, parameters: Mapping[str, str] | None = None) -> Record | None:
    """Return what a key asked for. Raises InvalidCall where that was something else.

    The oldest: a person's rebuild of it in Buildbot takes over all its properties, the key among them.
    """
    mine = next((one for one in reversed(records) if one.key == key), None)
    if mine is not None and parameters is not None and mine.build.parameters != parameters:
        raise InvalidCall(f"key: it has asked for {mine.build.id} with other parameters")
    return mine
