"""Starts the company's processes, keeps them running, and swaps one release for another without losing a request.

Every service has one listening socket, opened here and inherited by each of its processes, so its address never
changes and no connection is refused: while nobody accepts, the kernel lets it wait.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sysop.demo.company import account, exposition, releases, routing, topology, wire
from sysop.demo.company.acquirer import Acquirer
from sysop.demo.company.changes import Changes
from sysop.demo.company.child import START_SECONDS, Child
from sysop.demo.company.estate import Estate
from sysop.demo.company.nursery import Lost, Nursery
from sysop.demo.company.releases import Release, write_json
from sysop.demo.company.scenario import Plan
from sysop.demo.company.topology import GATEWAY
from sysop.demo.company.workload import LOOK_SECONDS, Workload

COMPANY_FILE = "company.json"
TARGETS_FILE = "targets.json"
HEADROOM = 2.2
"""A replica of the whole company can do so many times what is asked of its service at rest."""

JUDGE_SECONDS = 1.0

log = logging.getLogger("supervisor")


@dataclass(frozen=True)
class Options:
    """What the person who starts a company decides. `whole`: with search, the acquirer and limits, for drills."""

    folder: Path
    seed: int
    webhook: str | None = None
    token_file: Path | None = None
    whole: bool = False
    kubernetes_token_file: Path | None = None


class Onlooker(Protocol):
    """Whoever shows the company to others."""

    def look(self) -> None:
        """Notice that something moved."""
        ...

    def deployed(self, service: str, version: str) -> None:
        """Hear that a pipeline begins to deploy."""
        ...

    async def show(self) -> None:
        """Look again and again, until cancelled."""
        ...


class CompanyBroken(Exception):
    """The company cannot start or cannot go on; the text names the reason."""


class Company:
    """The running company."""

    def __init__(self, options: Options, plan: Plan, control: str) -> None:
        self.options = options
        self.control = control
        self.services = topology.WHOLE if options.whole else topology.SERVICES
        self.releases = plan.releases
        self.changes = Changes()
        self.acquirer = Acquirer() if options.whole else None
        self.kubernetes: str | None = None
        self.onlooker: Onlooker | None = None
        self._sockets = {name: wire.open_socket() for name in self.services}
        self._nursery = Nursery(options.folder / "logs")
        self._locks = {name: asyncio.Lock() for name in self.services}
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._started, self._began = time.time(), time.monotonic()
        self._going_on: set[asyncio.Future[None]] = set()
        self.helpers: dict[str, Child] = {}
        self.estates = {name: Estate(options.folder / "data" / name) for name in self.services}
        self.workloads = {name: self._workload(name, plan.scenario.initial[name]) for name in self.services}

    async def run(self) -> None:
        """Start everything, write the company file, then go on until something breaks that cannot be mended."""
        tending = [asyncio.create_task(workload.tend()) for workload in self.workloads.values()]
        tending.append(asyncio.create_task(self._judge()))
        if self.onlooker is not None:
            tending.append(asyncio.create_task(self.onlooker.show()))
        try:
            await self._first_replicas()
            self._write_targets()
            await asyncio.gather(self._start_load(), self._start_watcher())
            self._write()
            log.info("the company is ready after %.1f s", time.monotonic() - self._began)
            await asyncio.wait([self._broken, *tending], return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._broken, *tending):
                if ended.done():
                    ended.result()
        finally:
            for task in tending:
                task.cancel()
            await asyncio.gather(*tending, return_exceptions=True)

    async def stop(self) -> None:
        """Stop everything, the customers first, so that nobody sees the services go."""
        (self.options.folder / COMPANY_FILE).unlink(missing_ok=True)
        if load := self.helpers.get("load"):
            await load.stop()
        for task in list(self._going_on):
            task.cancel()
        await asyncio.gather(*(workload.close() for workload in self.workloads.values()))
        await self._nursery.stop()
        if self.acquirer is not None:
            self.acquirer.close()
        for listening in self._sockets.values():
            listening.close()
        log.info("the company has stopped")

    async def deploy(self, service: str, version: str, by: str = "") -> list[str]:
        """Make a version of a service live; returns what happened, a line a step.

        Raises UnknownRelease, or RolloutHangs when the version does not come up: then the old one goes on serving.
        """
        release = releases.find(self.releases, service, version)
        workload = self.workloads[service]
        async with self._locks[service]:
            if workload.complete and workload.template.release == release:
                return [f"{service} {version} is live already; nothing to do"]
            old, began = workload.template.release.version, time.monotonic()
            self.changes.note("deploy", service, old, version, by)
            if self.onlooker is not None:
                self.onlooker.deployed(service, version)
            told = f"replacing {service} {old} with {version}: {release.change} ({release.team})"
            await workload.roll_out(release)
        log.info("deployed %s %s, was %s", service, version, old)
        return [told, f"new and old swapped in {time.monotonic() - began:.2f} s", f"{service} {version} is live"]

    def status(self) -> dict[str, Any]:
        """Return how the customers fare, what is live, and what was changed."""
        return {
            **self.helpers["load"].heard["load"],
            "uptime_seconds": round(time.monotonic() - self._began, 3),
            "services": {name: self._account_of(name) for name in self.services},
            "deploys": self.changes.deploys(),
            "changes": self.changes.told(),
        }

    def metrics(self) -> str:
        """Return what the supervisor knows, for Prometheus."""
        return exposition.text(self.workloads, self.estates)

    @property
    def ready(self) -> bool:
        """Say whether all of the company is up."""
        return len(self.helpers) == 2

    def background(self, task: asyncio.Future[None]) -> None:
        """Keep something going on until it ends or the company stops."""
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)

    def url(self, service: str) -> str:
        """Return the address of a service."""
        return wire.address(self._sockets[service])

    def _account_of(self, name: str) -> dict[str, Any]:
        deployed = self.changes.last("deploy", name)
        return account.of_service(self.workloads[name], self.estates[name], deployed.at if deployed else self._started)

    def _workload(self, name: str, version: str) -> Workload:
        release = releases.find(self.releases, name, version)

        async def spawn(replica: str, release: Release, lost: Lost) -> Child:
            # The log of the small company's only replica is named after the service, as its people expect.
            process = replica if self.options.whole else name
            return await self._nursery.start(
                process, "service", self._arguments(name, release.version), lost, [self._sockets[name].fileno()]
            )

        return Workload(name, release, spawn, self._moved)

    def _arguments(self, name: str, version: str) -> Sequence[str]:
        urls = {called: self.url(called) + service.path for called, service in self.services.items()}
        if self.acquirer is not None:
            urls[topology.ACQUIRER] = self.acquirer.url
        arguments = ["--folder", str(self.options.folder), "--name", name, "--version", version]
        arguments += ["--socket", str(self._sockets[name].fileno())]
        arguments += routing.arguments(self.services[name], urls)
        return [*arguments, f"--per-second={self.services[name].asked * HEADROOM}"] if self.options.whole else arguments

    async def _judge(self) -> None:
        while True:
            for workload in self.workloads.values():
                workload.fares()
            await asyncio.sleep(JUDGE_SECONDS)

    async def _first_replicas(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not all(workload.ready for workload in self.workloads.values()):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as late:
            missing = ", ".join(name for name, workload in self.workloads.items() if not workload.ready)
            logs = self.options.folder / "logs"
            raise CompanyBroken(f"{missing} did not come up within {START_SECONDS:.0f} s; see {logs}") from late

    async def _start_load(self) -> None:
        await self._start_helper("load", routing.streams(self.url(GATEWAY.name), whole=self.options.whole), "load")

    async def _start_watcher(self) -> None:
        arguments = [f"--targets={self.options.folder / TARGETS_FILE}"]
        if self.options.webhook:
            arguments.append(f"--webhook={self.options.webhook}")
        if self.options.token_file:
            arguments.append(f"--token-file={self.options.token_file}")
        await self._start_helper("watcher", arguments, "watching")

    async def _start_helper(self, name: str, arguments: Sequence[str], fact: str) -> None:
        helper = await self._nursery.start(name, name, arguments, self._helper_lost)
        await helper.expect(fact)
        self.helpers[name] = helper

    def _helper_lost(self, helper: Child) -> None:
        if not self._broken.done():
            self._broken.set_exception(CompanyBroken(f"{helper.name} ended by itself; see {helper.log}"))

    def _moved(self) -> None:
        self._write_targets()
        if self.onlooker is not None:
            self.onlooker.look()
        if self.ready:
            self._write()

    def _write_targets(self) -> None:
        """Tell the watcher, and any Prometheus, what to scrape."""
        found = [self.control, *(one.address for load in self.workloads.values() for one in load.replicas)]
        targets = [address.removeprefix("http://") for address in found if address is not None]
        write_json(self.options.folder / TARGETS_FILE, [{"targets": targets, "labels": {"job": "company"}}])

    def _write(self) -> None:
        services = {
            name: {"url": self.url(name), "pid": account.pid(workload), "version": workload.live.version}
            for name, workload in self.workloads.items()
        }
        watcher = self.helpers["watcher"]
        description = {
            "seed": self.options.seed,
            "pid": os.getpid(),
            "control": self.control,
            "kubernetes": self.kubernetes,
            "watcher": {"url": watcher.heard["listening"], "pid": watcher.process.pid},
            "load": {"pid": self.helpers["load"].process.pid},
            "services": services,
            "logs": str(self.options.folder / "logs"),
            "targets": str(self.options.folder / TARGETS_FILE),
        }
        write_json(self.options.folder / COMPANY_FILE, description)
