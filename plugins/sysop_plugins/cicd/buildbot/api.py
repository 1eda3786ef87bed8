"""The part of Buildbot's REST API, version 2, that pipelines need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from pydantic import TypeAdapter

from sysop.api import ActionFailed, Context, InvalidCall, Response
from sysop_plugins.cicd.buildbot import replies
from sysop_plugins.cicd.buildbot.settings import BuildbotPipeline, BuildbotSettings
from sysop_plugins.cicd.buildbot.signing_in import signed_in
from sysop_plugins.remote.wire import T, Wire

REMEMBERED = 200
"""So many requests of a builder are looked at, the newest: the master reads the properties of each by itself."""
_DONE = frozenset({200})
_V2 = "/api/v2"
_REVISION = "got_revision"
_STARTING = frozenset({"created", "starting"})
_LOOKS, _LOOK_S = 24, 0.25
_WAITS = 4
"""A request that nobody has claimed after so many more looks waits for a worker."""

Asked = tuple[replies.RequestReply, replies.BuildReply | None]
"""What was asked for, with its newest build where it has one."""


class Api:
    """Buildbot as one call sees it. It signs in at the first request."""

    def __init__(self, ctx: Context, settings: BuildbotSettings) -> None:
        self._ctx = ctx
        self._settings = settings
        self._signing = asyncio.Lock()
        self._signed: Wire | None = None

    async def request(self, id: int) -> Asked:
        """Return what was asked for."""
        found = await self._read(replies.REQUESTS, f"/buildrequests/{id}", property="*")
        builds = await self._read(replies.BUILDS, f"/buildrequests/{id}/builds", property=_REVISION)
        return found.buildrequests[0], max(builds.builds, key=lambda one: one.buildid, default=None)

    async def requests(self, builder: str) -> list[Asked]:
        """Return what was asked for last of a builder, newest first."""
        id = (await self.builder(builder)).builderid
        limit, order = str(REMEMBERED), "-buildrequestid"
        found = await self._read(
            replies.REQUESTS, f"/builders/{id}/buildrequests", order=order, limit=limit, property="*"
        )
        path = f"/builders/{id}/builds"
        builds = await self._read(replies.BUILDS, path, order="-number", limit=limit, property=_REVISION)
        newest = {one.buildrequestid: one for one in reversed(builds.builds)}
        return [(one, newest.get(one.buildrequestid)) for one in found.buildrequests]

    async def builder(self, name: str | int) -> replies.BuilderReply:
        """Return a builder by its name or number."""
        return (await self._read(replies.BUILDERS, f"/builders/{quote(str(name))}")).builders[0]

    async def sources(self, request: replies.RequestReply) -> tuple[replies.Source, ...]:
        """Return what a request was to build."""
        found = await self._read(replies.BUILDSETS, f"/buildsets/{request.buildsetid}")
        return found.buildsets[0].sourcestamps

    async def force(self, one: BuildbotPipeline, values: Mapping[str, str], optional: Mapping[str, str]) -> int:
        """Ask for a build and return the request. Of the optional values only what the scheduler takes is sent.

        The scheduler is looked at before, since it drops in silence what it does not know.
        """
        takes = await self._takes(one)
        if unknown := sorted(set(values) - takes):
            raise ActionFailed(
                f"buildbot: the force scheduler {one.scheduler} takes no {unknown[0]}; it takes: {_listed(takes)}"
            )
        wanted = {**{name: value for name, value in optional.items() if name in takes}, **values}
        builder = await self.builder(one.builder)
        params = {**wanted, "builderid": str(builder.builderid)}
        wire, answer = await self._order(f"/forceschedulers/{one.scheduler}", "force", params)
        try:
            return wire.fits(replies.FORCED, answer).result[1][builder.builderid]
        except (ActionFailed, KeyError) as odd:
            raise TimeoutError("buildbot: a build was asked for, but the answer does not tell which") from odd

    async def cancel(self, request: int, reason: str) -> None:
        """Ask for a build to stop, or for its request not to be built: the master knows which of them it still can.

        Buildbot 4.3 loses a build for ever, and its builder with it, that is stopped while it starts, so that moment is
        waited for. Raises ActionFailed where it lasts; nothing has been asked then.
        """
        waiting = 0
        for _ in range(_LOOKS):
            asked, build = await self.request(request)
            if asked.complete or (build is not None and build.state_string not in _STARTING):
                break
            waiting = 0 if asked.claimed else waiting + 1
            if waiting > _WAITS:
                break
            await asyncio.sleep(_LOOK_S)
        else:
            raise ActionFailed(
                f"buildbot: request {request} is just starting, and Buildbot would lose it if it were stopped in this "
                "moment; cancel it again in a minute"
            )
        await self._order(f"/buildrequests/{request}", "cancel", {"reason": reason})

    async def steps(self, build: replies.BuildReply) -> tuple[replies.StepReply, ...]:
        """Return the steps of a build, in their order."""
        return (await self._read(replies.STEPS, f"/builds/{build.buildid}/steps")).steps

    async def logs(self, step: replies.StepReply) -> tuple[replies.LogReply, ...]:
        """Return the logs of a step."""
        return (await self._read(replies.LOGS, f"/steps/{step.stepid}/logs")).logs

    async def lines(self, log: replies.LogReply, first: int, count: int) -> str:
        """Return lines of a log, which must be there."""
        path = f"/logs/{log.logid}/contents"
        found = await self._read(replies.CHUNKS, path, offset=str(first), limit=str(count))
        return found.logchunks[0].content

    async def _takes(self, one: BuildbotPipeline) -> set[str]:
        """Return what the scheduler of a pipeline takes. Raises ActionFailed where it does not start that builder."""
        try:
            found = await self._read(replies.SCHEDULERS, f"/forceschedulers/{quote(one.scheduler)}")
        except InvalidCall as missing:
            raise InvalidCall(f"buildbot: there is no force scheduler {one.scheduler}") from missing
        scheduler = found.forceschedulers[0]
        if one.builder not in scheduler.builder_names or not scheduler.enabled:
            state = "is switched off" if not scheduler.enabled else f"does not start the builder {one.builder}"
            raise ActionFailed(f"buildbot: the force scheduler {one.scheduler} {state}")
        return {name for field in scheduler.all_fields for name in field.names()}

    async def _read(self, shape: TypeAdapter[T], path: str, **params: str) -> T:
        return await (await self._wire()).read(shape, _V2 + path, **params)

    async def _order(self, path: str, method: str, params: Mapping[str, str]) -> tuple[Wire, Response]:
        wire = await self._wire()
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params)}
        return wire, await wire.change("POST", _V2 + path, body, ok=_DONE)

    async def _wire(self) -> Wire:
        async with self._signing:
            if self._signed is None:
                self._signed = await signed_in(self._ctx, self._settings)
        return self._signed


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
