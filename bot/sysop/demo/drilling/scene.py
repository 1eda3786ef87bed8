"""Where a drill happens: the whole company, a Sysop with the planner that is tried, and the company's own people."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sysop import app as composition
from sysop import settings as settings_file
from sysop.app import App
from sysop.demo.business import Business, CompanyFailed
from sysop.demo.drilling import buildbot
from sysop.demo.drilling.controls import CONTROLS
from sysop.demo.drilling.folder import Drill, DrillError
from sysop.demo.drilling.oracle import WELL_RATIO
from sysop.demo.setup import prepare
from sysop.demo.stage import Stage
from sysop.settings import Settings

SETTLE_S = 30.0
LOOK_S = 0.25
PLANNER = "runbook"

Tell = Callable[[str], None]


class Crew(Protocol):
    """The company's own people."""

    async def order(self, pipeline: str, by: str, change: str, **parameters: str) -> bool:
        """Run a pipeline to its end, and say whether it succeeded. Raises CompanyFailed."""
        ...


@dataclass(frozen=True)
class Scene:
    """All is set up and well; `start` is the company's account of itself at that moment."""

    app: App
    business: Business
    crew: Crew
    start: Mapping[str, Any]


@dataclass(frozen=True)
class Set:
    """What is set up: in which folder, with which control as planner, and with Buildbot from which environment."""

    folder: Path
    control: str = ""
    buildbot: Path | None = None

    @asynccontextmanager
    async def up(self, drill: Drill, tell: Tell) -> AsyncIterator[Scene]:
        """Set everything up and take it down again, however it ends. Raises SysopError."""
        place = prepare(self.folder)
        async with contextlib.AsyncExitStack() as stack:
            builds = None
            if drill.about.provider == "buildbot":
                tell("starting Buildbot")
                builds = await stack.enter_async_context(buildbot.up(place, self._environment()))

            def build(settings: Settings, _business: Business) -> App:
                if builds is not None:
                    buildbot.use(place, builds.lab)
                    settings = settings_file.load(place.settings)
                app = composition.build(settings)
                if self.control:
                    app.planners.add(self.control, CONTROLS[self.control])
                app.planners.prefer(self.control or PLANNER)
                return app

            stage = Stage(place, drill.seed, build=build, phase=tell, whole=True)
            app, business = await stack.enter_async_context(stage.up())
            tell("recording what is live")
            if builds is None:
                await business.record_live()
            else:
                await _record_live(business, builds)
            yield Scene(app, business, business if builds is None else builds, await _well(business, tell))

    def _environment(self) -> Path:
        if self.buildbot is None:
            raise DrillError("this drill needs Buildbot; name the environment it is installed in with --buildbot")
        return self.buildbot


async def _record_live(business: Business, crew: Crew) -> None:
    for service, version in business.scenario.initial.items():
        if not await crew.order("deploy", "release train", "as it was", service=service, version=version):
            raise CompanyFailed(f"the deploy of {service} {version} failed")


async def _well(business: Business, tell: Tell) -> Mapping[str, Any]:
    """Return the first status in which the customers are served. Raises CompanyFailed."""
    tell("waiting until the customers are served")
    end = time.monotonic() + SETTLE_S
    while ((status := await business.status())["success_ratio"] or 0) < WELL_RATIO:
        if time.monotonic() > end:
            raise CompanyFailed("the company was not well before anything had gone wrong")
        await asyncio.sleep(LOOK_S)
    return status
