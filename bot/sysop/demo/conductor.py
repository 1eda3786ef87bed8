"""The demo from beginning to end: break a release, let Sysop work, let a person decide, judge by the customers."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from sysop import app as composition
from sysop.app import App
from sysop.demo.business import Business, Fares
from sysop.demo.report import Moments, Result, make
from sysop.demo.setup import APPROVER, Place, prepare
from sysop.demo.stage import Stage
from sysop.errors import SettingsError
from sysop.extension import Planner
from sysop.model import Actor, Approval, ApprovalState, Incident, IncidentState
from sysop.settings import Settings
from sysop.store import approvals, effects, incidents, runs

GIVE_UP_S = 75.0
DECISION_S = 1800.0
WELL = 0.99
WELL_FOR_S = 3.0
LOOK_S = 0.2

Decide = Literal["ask", "yes", "deny"]


@dataclass(frozen=True)
class Options:
    """What the person at the terminal chose. `planners` replaces the planner, for drills that must fail.

    `again`: on top of what an earlier demo has left in the folder, which Sysop remembers.
    """

    folder: Path
    seed: int = 1
    decide: Decide = "ask"
    planner: str | None = None
    planners: Mapping[str, Callable[[], Planner]] = field(default_factory=dict)
    give_up_s: float = GIVE_UP_S
    again: bool = False


class Audience(Protocol):
    """Who watches: a terminal, or nobody."""

    def tell(self, text: str, *, style: str = "") -> None:
        """Show one thing that happened."""
        ...

    def phase(self, text: str) -> None:
        """Show what is being waited for."""
        ...

    def fares(self, fares: Fares) -> None:
        """Show how customers fare."""
        ...

    async def decide(self, approval: Approval, now: int) -> tuple[bool, str]:
        """Return a person's answer and reason."""
        ...


@asynccontextmanager
async def stage(options: Options, audience: Audience) -> AsyncIterator[tuple[App, Business, Place]]:
    """Set up company and Sysop with the planners that were chosen; take both down again, however it ends."""
    place = prepare(options.folder, again=options.again)

    def build(settings: Settings, _business: Business) -> App:
        app = composition.build(settings)
        for name, make_planner in options.planners.items():
            app.planners.add(name, make_planner)
        if options.planner:
            app.planners.prefer(options.planner)
        return app

    async with Stage(place, options.seed, build=build, phase=audience.phase).up() as (app, business):
        yield app, business, place


async def conduct(options: Options, audience: Audience) -> Result:
    """Run the demo and return what it came to."""
    async with stage(options, audience) as (app, business, place):
        audience.tell(f"everything lies in {place.root}", style="dim")
        since = await _since(app, options)
        await _settle(business, audience)
        await _break(business, audience)
        watch = _Watch(app, business, audience, options, since)
        await watch.until_over()
        fares = await business.fares()
        return await make(
            app,
            business.scenario,
            fares.versions,
            watch.moments,
            folder=str(place.root),
            recovered=watch.moments.recovered is not None,
            since=since,
        )


async def _since(app: App, options: Options) -> int:
    """Return from when on this demo is about what the database holds. Raises SettingsError for one left half-way."""
    if not options.again:
        return 0
    if left := await app.store.read(incidents.unresolved):
        raise SettingsError(f"the earlier demo left {left[0].id} {left[0].state}; begin anew, without --again")
    return await app.store.now()


async def _settle(business: Business, audience: Audience) -> None:
    """Record what is live, and see customers served."""
    audience.phase("recording what is live")
    await business.record_live()
    audience.tell(
        "live: " + ", ".join(f"{service} {version}" for service, version in business.scenario.initial.items())
    )
    while ((fares := await business.fares()).success_ratio or 0) < WELL:
        audience.fares(fares)
        await asyncio.sleep(LOOK_S)
    audience.fares(fares)
    audience.tell(
        f"customers are well: {fares.success_ratio:.0%} of {fares.request_rate:.0f} requests a second succeed"
    )


async def _break(business: Business, audience: Audience) -> None:
    for deploy in business.scenario.deploys:
        audience.phase(f"{deploy.team} deploys {deploy.service} {deploy.version}")
        await business.deploy(deploy.service, deploy.version, deploy.team, deploy.change)
        audience.fares(await business.fares())
        audience.tell(f"{deploy.team} deploys {deploy.service} {deploy.version}: {deploy.change}", style="magenta")


class _Watch:
    """Follows the database and the customers until the incident is over or it takes too long."""

    def __init__(self, app: App, business: Business, audience: Audience, options: Options, since: int) -> None:
        self._app = app
        self._since = since
        self._business = business
        self._audience = audience
        self._options = options
        self._said: set[str] = set()
        self._well_since: float | None = None
        self._suffered = False
        self._deadline = time.monotonic() + options.give_up_s
        self._fares: deque[Fares] = deque(maxlen=2)
        self.moments = Moments(broken=time.monotonic())

    async def until_over(self) -> None:
        """Look five times a second."""
        self._audience.phase("waiting for the alerts")
        while time.monotonic() < self._deadline:
            await self._customers()
            await self._incidents()
            await self._runs()
            await self._approvals()
            if await self._over():
                return
            await asyncio.sleep(LOOK_S)
        self._audience.tell("giving up: this took too long", style="red")

    async def _customers(self) -> None:
        fares = await self._business.fares()
        self._audience.fares(fares)
        ratio = fares.success_ratio
        if ratio is None:
            return
        self._suffered = self._suffered or ratio < WELL
        if ratio < WELL:
            self._well_since = None
        elif self._well_since is None:
            self._well_since = time.monotonic()
        if self._suffered and self._well_for() >= WELL_FOR_S and self.moments.recovered is None:
            self.moments = replace(self.moments, recovered=self._well_since)
            self._audience.tell(f"customers are well again: {ratio:.0%} succeed", style="bold green")

    def _well_for(self) -> float:
        return 0.0 if self._well_since is None else time.monotonic() - self._well_since

    def _once(self, key: str) -> bool:
        new = key not in self._said
        self._said.add(key)
        return new

    async def _incidents(self) -> None:
        for incident in await self._found():
            for alert, reason in zip(incident.alerts, incident.reasons, strict=True):
                if self._once(f"alert {alert.fingerprint} {alert.starts_at}"):
                    self.moments = replace(self.moments, alerted=self.moments.alerted or time.monotonic())
                    self._audience.tell(f"alert {alert.name} on {alert.service}: {reason}", style="yellow")
                    self._audience.phase("investigating")
            if self._once(f"{incident.id} {incident.state}"):
                style = "bold red" if incident.state is IncidentState.OPEN else "green"
                self._audience.tell(f"incident {incident.id} is {incident.state}: {incident.title}", style=style)

    async def _found(self) -> list[Incident]:
        """Return the incidents of this demo."""
        return [one for one in await self._app.store.read(incidents.listed) if one.opened_at >= self._since]

    async def _runs(self) -> None:
        for run in await self._app.store.read(runs.newest):
            if run.created_at < self._since:
                continue
            for id, text, _ in await self._app.store.read(partial(runs.said, run=run.id)):
                if self._once(f"{run.id} {id}"):
                    self._audience.tell(text, style="cyan")
            for row in await self._app.store.read(partial(effects.of_run, run=run.id)):
                if row.risk != "read" and row.started_at and self.moments.executed is None:
                    self.moments = replace(self.moments, executed=time.monotonic())
                    self._audience.tell(f"executing {row.action} on {row.target}", style="bold")
                    self._audience.phase("waiting for the customers")
            if run.conclusion and self._once(f"{run.id} concluded"):
                self._audience.tell(str(run.conclusion["summary"]), style="bold")

    async def _approvals(self) -> None:
        for approval in await self._app.store.read(lambda conn: approvals.listed(conn, pending_only=True)):
            if not self._once(approval.id):
                continue
            self.moments = replace(self.moments, proposed=self.moments.proposed or time.monotonic())
            await self._decide(approval)

    async def _decide(self, approval: Approval) -> None:
        now = await self._app.store.now()
        if self._options.decide == "ask":
            asked = time.monotonic()
            yes, reason = await self._audience.decide(approval, now)
            self._deadline += time.monotonic() - asked  # a person may think as long as the approval lives
            actor = self._app.people.by_uid(os.getuid())
        else:
            yes, reason = self._options.decide == "yes", f"decided by the demo (--{self._options.decide})"
            actor = Actor(f"person:{APPROVER}", self._app.people.roles_of(f"person:{APPROVER}"), human=True)
        counted = await self._app.service.decide(
            approval.id, actor, yes, reason, delivery=f"demo:{approval.id}", digest=approval.digest
        )
        self.moments = replace(self.moments, decided=time.monotonic())
        style = "bold green" if counted.state is ApprovalState.APPROVED else "bold red"
        self._audience.tell(f"{actor.name}: {counted.message} ({approval.action} on {approval.target})", style=style)

    async def _over(self) -> bool:
        found = await self._found()
        if not found:
            return False
        ended = [await self._has_ended(incident.run) for incident in found if incident.run]
        if not all(ended):
            return False
        if self.moments.executed is None:
            return True  # nothing was changed and nobody works on it any more
        resolved = all(incident.state is IncidentState.RESOLVED for incident in found)
        return resolved and self.moments.recovered is not None

    async def _has_ended(self, run: str) -> bool:
        return (await self._app.store.read(lambda conn: runs.load(conn, run))).finished_at is not None
