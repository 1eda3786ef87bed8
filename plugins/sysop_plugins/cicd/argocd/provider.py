"""Argo CD as a provider: an application is synced to a version, or rolled back to what its history remembers."""

from __future__ import annotations

from collections.abc import Mapping

from sysop.api import ActionFailed, Context
from sysop_plugins.cicd import record
from sysop_plugins.cicd.argocd import wishes
from sysop_plugins.cicd.argocd.api import Api
from sysop_plugins.cicd.argocd.applications import Applications, Place
from sysop_plugins.cicd.argocd.ids import OperationId, parse
from sysop_plugins.cicd.argocd.reading import ASKED, KEY, Asked, asked
from sysop_plugins.cicd.argocd.replies import App
from sysop_plugins.cicd.argocd.settings import ArgoSettings
from sysop_plugins.cicd.given import fit
from sysop_plugins.cicd.local.log import LOG_BYTES
from sysop_plugins.cicd.provider import Build, Comparison, Deploy, Found, Live, Rollout
from sysop_plugins.cicd.record import Record
from sysop_plugins.cicd.settings import Settings


class ArgoProvider:
    """The provider over Argo CD's API, for one call."""

    def __init__(self, ctx: Context, whole: Settings, settings: ArgoSettings) -> None:
        self._ctx = ctx
        self._pipelines = settings.pipelines
        self._api = Api(ctx, settings)
        self._apps = Applications(ctx, self._api, whole, settings)

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Ask for a sync to what Git says. The same key gives the one it asked for before."""
        one = self._pipelines[pipeline]
        fit(pipeline, one.parameters, parameters)
        place = Place(pipeline, one, one.application, one.application)
        app = await self._apps.app(place)
        known = await self._apps.records(place, app)
        target = app.spec.source.targetRevision if app.spec.source else ""
        return wishes.own(app, known, key) or await self._ask(place, app, [], self._wish(app, key, target), by)

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Ask for a sync to a version, or for a rollback to one the history has.

        Raises ActionFailed while another operation goes on, and where automated sync would undo it.
        """
        place = self._apps.place(service)
        app = await self._apps.app(place)
        known = await self._apps.records(place, app)
        before = record.history(known, service)
        previous = before[-1].version if before else None
        own = wishes.own(app, known, key)
        if own is None:
            own = await self._ask(place, app, known, self._wish(app, key, version), by)
        return Rollout(service=service, version=version, previous=previous, change=change, build=own)

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Ask for the same version once more. Raises ActionFailed unless the operation failed or was cancelled."""
        place = self._apps.named(parse(build).application)
        app = await self._apps.app(place)
        own = wishes.own(app, await self._apps.records(place, app), key)
        if own is not None:
            return own
        _, app, before = await self._apps.having(build)
        if before.build.state not in ("failed", "cancelled"):
            raise ActionFailed(f"{build} is {before.build.state}; only what failed or was cancelled is run again")
        return await self._ask(place, app, [], self._wish(app, key, before.version), by)

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for an operation to stop. Raises ActionFailed when it has already ended otherwise."""
        place, _, found = await self._apps.having(build)
        before = found.build
        if before.state == "cancelled":
            return before
        if before.finished:
            raise ActionFailed(f"{build} has already {before.state}; there is nothing to cancel")
        await self._api.terminate(place.application, place.one.project)
        return await self.status(build)

    async def status(self, build: str) -> Build:
        """Return an operation as it is now. One that waited has begun by then, and goes by when."""
        return (await self._apps.having(build))[2].build

    async def logs(self, build: str, lines: int) -> str:
        """Return what the last operation says of each resource; of older ones nothing is kept."""
        place, app, found = await self._apps.having(build)
        state = app.status.operationState
        if state is None or found.build.started_at != state.startedAt:
            return "Argo CD keeps what became of the resources for the last operation only."
        resources = state.syncResult.resources if state.syncResult else ()
        told: list[str] = []
        for one in resources:
            told += [
                " ".join(filter(None, (one.kind, one.name, one.status or one.hookPhase))),
                *one.message.split("\n"),
            ]
        health = app.status.health
        told += [f"{place.application}: {state.phase}: {state.message}", f"health: {health.status} {health.message}"]
        return "\n".join(line.rstrip() for line in told[-lines:]).encode()[-LOG_BYTES:].decode("utf-8", "ignore")

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the operations of the last minutes, newest first."""
        begin = self._ctx.now() - minutes * 60_000
        known = await self._apps.all(pipeline, begin)
        found = [one.build for one in known if (one.build.finished_at or begin) >= begin]
        return tuple(sorted(found, key=lambda build: (build.created_at, build.id), reverse=True))

    async def unfinished(self, service: str) -> tuple[Build, ...]:
        """Return what waits or goes on for a service, oldest first."""
        return record.unfinished(await self._apps.of(service), service)

    async def recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        """Return the operations of the last minutes as deploys, newest first."""
        begin = self._ctx.now() - minutes * 60_000
        known = await self._apps.all(None, begin, deploys=True) if service is None else await self._apps.of(service)
        return record.recent(known, service, begin)

    async def history(self, service: str) -> tuple[Deploy, ...]:
        """Return the deploys of a service that succeeded, in the order they came live: as many as Argo CD keeps."""
        return record.history(await self._apps.of(service), service)

    async def compare(self, service: str, one: str, other: str) -> Comparison:
        """Return what the commits say that came live from one version to the other."""
        past = await self.history(service)
        versions = [deploy.version for deploy in past]
        for field, version in (("one", one), ("other", other)):
            if version not in versions:
                raise ActionFailed(f"{field}: {service} {version} is not in the history that Argo CD keeps")
        first, last = sorted((versions.index(one), versions.index(other)))
        came = [deploy for deploy in past[first + 1 : last + 1] if deploy.change]
        changes = tuple(f"{deploy.version}: {deploy.change}" for deploy in came)
        return Comparison(service=service, one=one, other=other, changes=changes)

    async def live_version(self, service: str) -> Live:
        """Return what is live by the history."""
        return record.live(service, await self.history(service))

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key asked for an operation of one of a pipeline's applications."""
        for place, app in await self._apps.places(pipeline):
            if not wishes.may_carry(app, key):
                continue
            own = wishes.own(app, await self._apps.records(place, app), key)
            if own is not None:
                version = own.parameters.get("version", "")
                rollout = Rollout(service=place.service, version=version, previous=None, change="", build=own)
                return Found(
                    state="done",
                    detail=f"{own.id} is {own.state}",
                    build=own,
                    rollout=rollout if place.one.deploys else None,
                )
        return record.found(None)

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether the key asked for an operation of the application of another one."""
        place = self._apps.named(
            parse(build).application
        )  # of the one that failed nothing is left once another has begun
        app = await self._apps.app(place)
        own = wishes.own(app, await self._apps.records(place, app), key)
        if own is None:
            return record.found(None)
        return Found(state="done", detail=f"{own.id} is {own.state}", build=own)

    async def _ask(self, place: Place, app: App, known: list[Record], wish: Asked, by: str) -> Build:
        """Write down what is asked for, then ask. Only what was written down is found again after a rollback."""
        wishes.refuse_busy(place, app, known)
        entry = wishes.remembered(app, known, wish.version)
        pauses = wishes.pauses(place, app, wish.version, entry)
        name, project = place.application, place.one.project
        await self._api.note(name, project, {ASKED: wish.text()}, pause=pauses)
        if entry is not None:
            after = await self._api.roll_back(name, project, entry.id)
        else:
            after = await self._api.sync(name, project, wish.version, {KEY: wish.key, "sysop_by": by})
        own = wishes.own(after, await self._apps.records(place, after), wish.key)
        id = OperationId(name, wish.after, after=True)
        return own or Build(
            id=str(id),
            pipeline=place.pipeline,
            state="queued",
            parameters={"service": place.service, "version": wish.version} if place.one.deploys else {},
            created_at=wish.at,
        )

    def _wish(self, app: App, key: str, version: str) -> Asked:
        """Return what is to be written down; asked again under the same key, as it was written down first."""
        said = asked(app)
        return said if said is not None and said.key == key else Asked(key, version, self._ctx.now(), app.began)
