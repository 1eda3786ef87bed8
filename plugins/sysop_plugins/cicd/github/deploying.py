"""Deployments: asking for one, and what is on record of all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sysop.api import ActionFailed
from sysop_plugins.cicd import record
from sysop_plugins.cicd.github.api import Api
from sysop_plugins.cicd.github.ids import DeploymentId
from sysop_plugins.cicd.github.reading import deployed
from sysop_plugins.cicd.github.replies import Deployment
from sysop_plugins.cicd.github.settings import GitHubPipeline, GitHubSettings
from sysop_plugins.cicd.provider import Build, Found, Rollout
from sysop_plugins.cicd.record import Record
from sysop_plugins.cicd.settings import Settings

REMEMBERED = 50
"""So many deployments to an environment are looked at, newest first: each costs one more question."""
_SEARCHED = 300
_WORDS = 140


class Deploying:
    """The deployments of all environments that are declared."""

    def __init__(self, api: Api, whole: Settings, settings: GitHubSettings, now: Callable[[], int]) -> None:
        self._api = api
        self._now = now
        self._whole = whole
        self._pipelines = {name: one for name, one in settings.pipelines.items() if one.deploys}

    def pipeline(self, service: str) -> tuple[str, GitHubPipeline]:
        """Return the pipeline that deploys a service, and its name."""
        name = self._whole.pipeline_of(service)
        return name, self._pipelines[name]

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str) -> Rollout:
        """Ask for a deployment. Raises ActionFailed while another one of the service is under way."""
        name, one = self.pipeline(service)
        known = await self.records(name, 0)
        live = record.history(known, service)
        it, _ = await self._with_key(one, key)
        if it is None:
            if busy := record.unfinished(known, service):
                raise ActionFailed(f"{service}: {busy[0].id} is still {busy[0].state}; wait for it or cancel it")
            it = await self._api.deploy(one.repository, _wish(one, key, service, version, by, change))
        return (await self._record(name, one, it)).rollout(live[-1].version if live else None)

    async def status(self, id: DeploymentId) -> Build:
        """Return a deployment as it is now."""
        it = await self._api.deployment(id)
        place = (id.repository, it.environment)
        names = [name for name, one in self._pipelines.items() if (one.repository, one.environment) == place]
        service = self._service(names[0], it) if names else it.noted("service")
        said = await self._api.statuses(id)
        return deployed(id.repository, names[0] if names else it.environment, service, it, said)

    async def told(self, id: DeploymentId) -> str:
        """Return what was said of a deployment, oldest first."""
        said = await self._api.statuses(id)
        return "\n".join(f"{one.state}: {one.description or ''} {one.log_url or ''}".rstrip() for one in reversed(said))

    async def records(self, name: str | None, begin: int) -> list[Record]:
        """Return the deployments of a pipeline or of all since then, newest first, at most fifty of each."""
        found: list[Record] = []
        for each, one in self._pipelines.items():
            if name in (None, each):
                newest = await self._newest(one, begin)
                found += await asyncio.gather(*(self._record(each, one, it) for it in newest))
        return found

    async def recent(self, begin: int) -> list[Record]:
        """Return the deployments of all pipelines that were under way since then, and what was live before them.

        It is asked for every minute, and each deployment costs one more question: older ones are left alone.
        """
        found: list[Record] = []
        for name, one in self._pipelines.items():
            edge = begin - round(one.timeout_seconds * 1000)
            newest = await self._newest(one, 0)
            fresh = [it for it in newest if it.created_at >= edge]
            found += await asyncio.gather(*(self._record(name, one, it) for it in fresh))
            found += await self._before(name, one, {self._service(name, it) for it in fresh}, newest[len(fresh) :])
        return found

    async def _before(
        self, name: str, one: GitHubPipeline, services: set[str], older: list[Deployment]
    ) -> list[Record]:
        """Return, of each service, the older deployments down to the newest that succeeded."""
        found: list[Record] = []
        for it in older:
            if not services:
                break
            if self._service(name, it) in services:
                found.append(await self._record(name, one, it))
                services -= {found[-1].service} if found[-1].build.state == "succeeded" else set()
        return found

    async def find(self, key: str, name: str) -> Found:
        """Tell whether the key made a deployment."""
        one = self._pipelines[name]
        it, looked_at = await self._with_key(one, key)
        known = None if it is None else await self._record(name, one, it)
        return record.told(known, looked_at, _SEARCHED, self._now())

    async def _newest(self, one: GitHubPipeline, begin: int) -> list[Deployment]:
        newest: list[Deployment] = []
        async for it in self._api.deployments(one.repository, one.environment or ""):
            if it.created_at < begin or len(newest) == REMEMBERED:
                break
            newest.append(it)
        return newest

    async def _with_key(self, one: GitHubPipeline, key: str) -> tuple[Deployment | None, list[int]]:
        """Return the deployment that carries the key, and when those were asked for that were looked at."""
        looked_at: list[int] = []
        async for it in self._api.deployments(one.repository, one.environment or ""):
            looked_at.append(it.created_at)
            if it.noted("sysop_key") == key:
                return it, looked_at
            if len(looked_at) == _SEARCHED:
                break
        return None, looked_at

    async def _record(self, name: str, one: GitHubPipeline, it: Deployment) -> Record:
        said = await self._api.statuses(DeploymentId(one.repository, it.id))
        service = self._service(name, it)
        build = deployed(one.repository, name, service, it, said)
        return Record(build, service, it.ref, it.description or "", it.noted("sysop_key"))

    def _service(self, name: str, it: Deployment) -> str:
        """Return the service a deployment is of: as we noted it, else the only one its pipeline deploys."""
        named = self._whole.services_of(name)
        return it.noted("service") or (
            named[0] if len(named) == 1 else self._pipelines[name].repository.partition("/")[2]
        )


def _wish(one: GitHubPipeline, key: str, service: str, version: str, by: str, change: str) -> dict[str, object]:
    return {
        "ref": version,
        "environment": one.environment,
        "task": "deploy",
        "auto_merge": False,
        "description": change[:_WORDS],
        "payload": {"sysop_key": key, "service": service, "by": by},
    }
