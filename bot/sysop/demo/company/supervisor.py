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
from typing import Any

from sysop.demo.company import child, scenario, wire
from sysop.demo.company.child import Child, ChildFailed
from sysop.demo.company.scenario import Plan, Release
from sysop.demo.company.topology import GATEWAY, SERVICES

COMPANY_FILE = "company.json"
HEALTH_SECONDS = 5.0

log = logging.getLogger("supervisor")


@dataclass(frozen=True)
class Options:
    """What the person who starts a company decides."""

    folder: Path
    seed: int
    webhook: str | None = None
    token_file: Path | None = None


@dataclass(frozen=True)
class Deployed:
    """One finished deploy. `at` is on the monotonic clock."""

    service: str
    version: str
    at: float


@dataclass(frozen=True)
class Live:
    """What answers for one service now."""

    release: Release
    process: Child
    since: float


class CompanyBroken(Exception):
    """The company cannot start or cannot go on; the text names the reason."""


class Company:
    """The running company."""

    def __init__(self, options: Options, plan: Plan, control: str) -> None:
        self._options = options
        self._control = control
        self._sockets = {name: wire.open_socket() for name in SERVICES}
        self._locks = {name: asyncio.Lock() for name in SERVICES}
        self._live: dict[str, Live] = {}
        self._helpers: dict[str, Child] = {}
        self._children: set[Child] = set()
        self._attending: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._began = time.monotonic()
        self._deploys: list[Deployed] = []
        self.plan = plan

    async def run(self) -> None:
        """Start everything, write the company file, then go on until something breaks that cannot be mended."""
        await asyncio.gather(*(self._start_first(*initial) for initial in self.plan.scenario.initial.items()))
        await asyncio.gather(self._start_load(), self._start_watcher())
        self._write()
        log.info("the company is ready after %.1f s", time.monotonic() - self._began)
        await self._broken

    async def stop(self) -> None:
        """Stop everything, the customers first, so that nobody sees the services go."""
        (self._options.folder / COMPANY_FILE).unlink(missing_ok=True)
        if load := self._helpers.get("load"):
            await load.stop()
        await asyncio.gather(*(process.stop() for process in list(self._children)))
        await asyncio.gather(*self._attending, return_exceptions=True)
        for listening in self._sockets.values():
            listening.close()
        log.info("the company has stopped")

    async def deploy(self, service: str, version: str) -> list[str]:
        """Make a version of a service live; returns what happened, a line a step.

        Raises UnknownRelease, or ChildFailed when the version does not come up: then the old one goes on serving.
        """
        release = scenario.find(self.plan.releases, service, version)
        async with self._locks[service]:
            old = self._live[service]
            if old.release.version == version:
                return [f"{service} {version} is live already; nothing to do"]
            return await self._swap(service, release, old)

    def status(self) -> dict[str, Any]:
        """Return how the customers fare, what is live, and how long ago each deploy was."""
        now = time.monotonic()
        return {
            **self._helpers["load"].heard["load"],
            "uptime_seconds": round(now - self._began, 3),
            "services": {
                name: {
                    "version": live.release.version,
                    "pid": live.process.process.pid,
                    "seconds_since_deploy": round(now - live.since, 3),
                }
                for name, live in self._live.items()
            },
            "deploys": [
                {"service": done.service, "version": done.version, "seconds_ago": round(now - done.at, 3)}
                for done in self._deploys
            ],
        }

    @property
    def ready(self) -> bool:
        """Say whether all of the company is up."""
        return len(self._helpers) == 2

    async def _start_first(self, service: str, version: str) -> None:
        release = scenario.find(self.plan.releases, service, version)
        process = await self._start_release(service, release)
        self._live[service] = Live(release, process, time.monotonic())

    async def _swap(self, service: str, release: Release, old: Live) -> list[str]:
        began = time.monotonic()
        lines = [f"replacing {service} {old.release.version} with {release.version}: {release.change} ({release.team})"]
        process = await self._start_release(service, release)
        switched = time.monotonic()
        self._live[service] = Live(release, process, switched)
        self._deploys.append(Deployed(service, release.version, switched))
        self._write()
        lines.append(f"process {process.process.pid} healthy and serving after {switched - began:.2f} s")
        await old.process.stop("drain")
        lines.append(f"process {old.process.process.pid} drained and stopped in {time.monotonic() - switched:.2f} s")
        lines.append(f"{service} {release.version} is live")
        log.info("deployed %s %s, was %s", service, release.version, old.release.version)
        return lines

    async def _start_release(self, service: str, release: Release) -> Child:
        """Start a process of a service and let it share the traffic once it is healthy."""
        descriptor = self._sockets[service].fileno()
        arguments = ["--folder", str(self._options.folder), "--name", service, "--version", release.version]
        arguments += ["--socket", str(descriptor)]
        if calls := SERVICES[service].calls:
            arguments += ["--calls", wire.address(self._sockets[calls]) + SERVICES[calls].path]
        process = await self._start(service, "service", arguments, [descriptor])
        try:
            await self._check(process)
            process.tell("serve")
            await process.expect("serving")
        except ChildFailed:
            await process.stop()
            raise
        return process

    async def _check(self, process: Child) -> None:
        private = await process.expect("listening")
        try:
            healthy = (await wire.fetch(f"{private}/healthz", timeout=HEALTH_SECONDS)).ok
        except OSError:
            healthy = False
        if not healthy:
            raise ChildFailed(f"{process.name} is not healthy; see {process.log}")

    async def _start_load(self) -> None:
        url = wire.address(self._sockets[GATEWAY.name]) + GATEWAY.path
        load = await self._start("load", "load", ["--url", url])
        await load.expect("load")
        self._helpers["load"] = load

    async def _start_watcher(self) -> None:
        arguments = [f"--target={wire.address(listening)}" for listening in self._sockets.values()]
        if self._options.webhook:
            arguments.append(f"--webhook={self._options.webhook}")
        if self._options.token_file:
            arguments.append(f"--token-file={self._options.token_file}")
        watcher = await self._start("watcher", "watcher", arguments)
        await watcher.expect("watching")
        self._helpers["watcher"] = watcher

    async def _start(self, name: str, module: str, arguments: Sequence[str], pass_fds: Sequence[int] = ()) -> Child:
        path = self._options.folder / "logs" / f"{name}.log"
        process = await child.start(name, module, arguments, path, pass_fds)
        self._children.add(process)
        task = asyncio.create_task(self._attend(process))
        self._attending.add(task)
        task.add_done_callback(self._attending.discard)
        return process

    async def _attend(self, process: Child) -> None:
        """Listen to a process until it ends; when nobody asked it to, start a service again or give up."""
        code = await process.listen()
        self._children.discard(process)
        if process.leaving:
            return
        log.error("%s (process %d) ended with code %d", process.name, process.process.pid, code)
        try:
            await self._replace(process)
        except (ChildFailed, OSError) as problem:
            self._break(str(problem))

    async def _replace(self, lost: Child) -> None:
        if lost.name not in SERVICES:
            if lost.name in self._helpers:
                self._break(f"{lost.name} ended by itself; see {lost.log}")
            return
        async with self._locks[lost.name]:
            live = self._live.get(lost.name)
            if live is not None and live.process is lost:
                process = await self._start_release(lost.name, live.release)
                self._live[lost.name] = Live(live.release, process, live.since)
                self._write()

    def _break(self, reason: str) -> None:
        if not self._broken.done():
            self._broken.set_exception(CompanyBroken(reason))

    def _write(self) -> None:
        services = {
            name: {
                "url": wire.address(self._sockets[name]),
                "pid": live.process.process.pid,
                "version": live.release.version,
            }
            for name, live in self._live.items()
        }
        watcher = self._helpers["watcher"]
        description = {
            "seed": self._options.seed,
            "pid": os.getpid(),
            "control": self._control,
            "watcher": {"url": watcher.heard["listening"], "pid": watcher.process.pid},
            "load": {"pid": self._helpers["load"].process.pid},
            "services": services,
            "logs": str(self._options.folder / "logs"),
        }
        scenario.write_json(self._options.folder / COMPANY_FILE, description)
