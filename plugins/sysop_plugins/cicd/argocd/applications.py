"""The applications that pipelines are declared for, and what is on record of each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sysop.api import ActionFailed, Context, InvalidCall
from sysop_plugins.cicd.argocd.api import Api
from sysop_plugins.cicd.argocd.ids import OperationId, parse
from sysop_plugins.cicd.argocd.reading import Named, is_commit, records_of, revision_of, short
from sysop_plugins.cicd.argocd.replies import App
from sysop_plugins.cicd.argocd.settings import SERVICE, ArgoPipeline, ArgoSettings
from sysop_plugins.cicd.record import Record
from sysop_plugins.cicd.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """An application that a pipeline brings versions to."""

    pipeline: str
    one: ArgoPipeline
    service: str
    application: str


class Applications:
    """The applications as one call sees them."""

    def __init__(self, ctx: Context, api: Api, whole: Settings, settings: ArgoSettings) -> None:
        self._ctx = ctx
        self._api = api
        self._whole = whole
        self._settings = settings
        self._pipelines = settings.pipelines

    async def having(self, build: str) -> tuple[Place, App, Record]:
        """Return the operation an id names, with its application. Raises InvalidCall where nothing is known of it."""
        id = parse(build)
        place = self.named(id.application)
        app = await self.app(place)
        commit = _picked(id, records_of(app, self._called_so(place, {})), build).build.commit
        names = {commit: await self._called(place, commit)} if commit else {}
        return place, app, _picked(id, records_of(app, self._called_so(place, names)), build)

    async def app(self, place: Place) -> App:
        """Return an application as it is now."""
        return await self._api.app(place.application, place.one.project)

    async def of(self, service: str) -> list[Record]:
        """Return what is on record of a service."""
        place = self.place(service)
        return await self.records(place, await self.app(place))

    async def all(self, pipeline: str | None, begin: int, *, deploys: bool = False) -> list[Record]:
        """Return what is on record of a pipeline's applications or of all, perhaps of those that deploy only.

        Applications with which nothing happened since `begin` are left out: each would cost a question a commit.
        """
        names = [name for name, one in self._pipelines.items() if pipeline in (None, name) and one.deploys >= deploys]
        places = [found for name in names for found in await self.places(name)]
        moved = [(place, app) for place, app in places if not app.still_since(begin)]
        return [one for place, app in moved for one in await self.records(place, app)]

    async def places(self, pipeline: str) -> list[tuple[Place, App]]:
        """Return the applications of a pipeline as they are now."""
        one = self._pipelines[pipeline]
        if SERVICE not in one.application:
            place = self.named(one.application)
            return [(place, await self.app(place))]
        named = {other.application for other in self._pipelines.values()}
        apps = [app for app in await self._api.apps(one.project) if app.metadata.name not in named]
        found = [(_service_in(one.application, app.metadata.name), app) for app in apps]
        return [(Place(pipeline, one, s, app.metadata.name), app) for s, app in found if s is not None]

    def place(self, service: str) -> Place:
        """Return where a service is deployed. Raises ActionFailed where that application is another service's."""
        name = self._whole.releases(service)
        one = self._pipelines[name]
        return Place(name, one, service, one.application.replace(SERVICE, service))

    def named(self, application: str) -> Place:
        """Return the place of an application. Raises InvalidCall where no pipeline is declared for it."""
        fits = [(name, one, _service_in(one.application, application)) for name, one in sorted(self._pipelines.items())]
        for name, one, _ in fits:
            if one.application == application:  # one that is named goes before a name that only fits
                named = self._whole.services_of(name)
                return Place(name, one, named[0] if len(named) == 1 else application, application)
        for name, one, service in fits:
            if service is not None:
                return Place(name, one, service, application)
        raise InvalidCall(f"build: application {application!r} is not declared under plugins.cicd.argocd.pipelines")

    async def records(self, place: Place, app: App) -> list[Record]:
        """Return what is on record of an application."""
        state = app.status.operationState
        revisions = {revision_of(entry) for entry in app.status.history}
        revisions |= {state.syncResult.revision} if state and state.syncResult else set()
        commits = sorted(filter(is_commit, revisions))
        names = dict(zip(commits, await asyncio.gather(*(self._called(place, c) for c in commits)), strict=True))
        return records_of(app, self._called_so(place, names))

    def _called_so(self, place: Place, names: Mapping[str, tuple[str, str]]) -> Named:
        link = f"{self._settings.url}/applications/{place.application}"
        return Named(place.pipeline, place.service, place.application, link, place.one.deploys, self._ctx.now(), names)

    async def _called(self, place: Place, commit: str) -> tuple[str, str]:
        """Return a commit's tag, else its first digits, and what it says."""
        try:
            found = await self._api.revision(place.application, place.one.project, commit)
        except (ActionFailed, InvalidCall):  # the repository may have dropped it; what is live is known all the same
            return short(commit), ""
        return (found.tags[0] if found.tags else short(commit)), found.message.partition("\n")[0]


def _service_in(pattern: str, application: str) -> str | None:
    before, _, after = pattern.partition(SERVICE)
    found = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", application)
    return found[1] if SERVICE in pattern and found else None


def _picked(id: OperationId, known: list[Record], build: str) -> Record:
    if not id.after:
        found = [one for one in known if one.build.started_at == id.at]
    else:
        found = [one for one in known if one.build.started_at is None or one.build.started_at > id.at]
    if not found:
        raise InvalidCall(f"build: Argo CD remembers no operation {build}")
    return found[0]
