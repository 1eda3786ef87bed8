"""All providers as one: a pipeline's name and a build's id tell whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from sysop.api import InvalidCall
from sysop_plugins.cicd.provider import Build, Comparison, Deploy, Found, Live, Pipeline, Provider, Rollout
from sysop_plugins.cicd.settings import Settings


class Providers:
    """A provider over several. What one of them cannot answer is not answered by the others in its place."""

    def __init__(self, makers: Mapping[str, Callable[[], Provider]], settings: Settings) -> None:
        self._makers = makers
        self._made: dict[str, Provider] = {}
        self._settings = settings

    async def list_pipelines(self) -> tuple[Pipeline, ...]:
        """Return every pipeline, by name."""
        return tuple(
            Pipeline(name=name, description=one.description, parameters=one.parameters, deploys=one.deploys)
            for name, one in sorted(self._settings.declared().items())
        )

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Start a build. The same key gives the build it started before; with other parameters it is an error."""
        return await self._running(pipeline).trigger(key, pipeline, parameters, by=by, change=change)

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Start a build once more, as it was asked for. Raises ActionFailed unless it failed or was cancelled."""
        return await self._having(build).rerun(key, build, by=by)

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Start the build that brings a version live. Refused while another deploy of the service is under way."""
        return await self._deploying(service).deploy(key, service, version, by=by, change=change)

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for a build to stop. Raises ActionFailed when it has already ended otherwise."""
        return await self._having(build).cancel(build, by=by)

    async def status(self, build: str) -> Build:
        """Return a build as it is now."""
        return await self._having(build).status(build)

    async def logs(self, build: str, lines: int) -> str:
        """Return the last lines a build wrote, at most 64 KiB."""
        return await self._having(build).logs(build, lines)

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the builds that were asked for or ended within the last minutes, newest first."""
        if pipeline is not None:
            return await self._running(pipeline).builds(pipeline, minutes)
        found = await asyncio.gather(*(self.only(one).builds(None, minutes) for one in self._makers))
        return tuple(sorted((b for builds in found for b in builds), key=lambda b: (b.created_at, b.id), reverse=True))

    async def unfinished(self, service: str) -> tuple[Build, ...]:
        """Return the builds queued or running on a service, oldest first."""
        return await self._deploying(service).unfinished(service)

    async def recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        """Return the deploys of the last minutes in any state, newest first."""
        if service is not None:
            return await self._deploying(service).recent_deploys(service, minutes)
        found = await asyncio.gather(*(self.only(one).recent_deploys(None, minutes) for one in self._makers))
        return tuple(sorted((d for deploys in found for d in deploys), key=lambda d: (d.at, d.build), reverse=True))

    async def history(self, service: str) -> tuple[Deploy, ...]:
        """Return the deploys of a service that succeeded, in the order they came live."""
        return await self._deploying(service).history(service)

    async def compare(self, service: str, one: str, other: str) -> Comparison:
        """Return what lies between two versions of a service. Raises ActionFailed where one of them is not known."""
        return await self._deploying(service).compare(service, one, other)

    async def live_version(self, service: str) -> Live:
        """Return what is live by the records of successful deploys."""
        return await self._deploying(service).live_version(service)

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key started a build of a pipeline, for after a crash."""
        return await self._running(pipeline).find(key, pipeline)

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether the key ran a build again, for after a crash."""
        return await self._having(build).find_again(key, build)

    def only(self, provider: str) -> Provider:
        """Return one of them by its name."""
        if provider not in self._made:
            self._made[provider] = self._makers[provider]()
        return self._made[provider]

    def _running(self, pipeline: str) -> Provider:
        declared = self._settings.declared()
        if pipeline not in declared:
            known = ", ".join(sorted(declared)) or "none; declare them under plugins.cicd"
            raise InvalidCall(f"pipeline: there is no pipeline {pipeline!r}; there are: {known}")
        return self.only(declared[pipeline].provider)

    def _deploying(self, service: str) -> Provider:
        if len(self._makers) == 1:  # what it has on record is told even where nothing deploys the service any more
            return self.only(next(iter(self._makers)))
        return self._running(self._settings.pipeline_of(service))

    def _having(self, build: str) -> Provider:
        name, colon, _ = build.partition(":")
        provider = name if colon else "local"
        if provider not in self._makers:
            raise InvalidCall(f"build: there is no build {build!r}; {name} is not among the providers of plugins.cicd")
        return self.only(provider)
