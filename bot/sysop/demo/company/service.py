"""One service of the company: answers requests the way its release does, and counts them.

It starts on a private port, where the supervisor checks its health. On `serve` it joins the service's shared port,
beside the release it replaces; on `drain` it leaves that port, finishes what it has accepted, and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sysop.demo.company import child, releases, wire
from sysop.demo.company.illness import Illness
from sysop.demo.company.metering import Metrics
from sysop.demo.company.releases import Fault, Release
from sysop.demo.company.topology import WHOLE
from sysop.demo.company.wire import Request, Response

DEPENDENCY_SECONDS = 5.0
"""Longer than any latency fault, so that a slow service makes its callers slow instead of failing them."""

QUEUE_SECONDS = 1.5
"""A request that would wait longer for its turn is refused."""

VITALS_SECONDS = 1.0

log = logging.getLogger("service")


@dataclass(frozen=True)
class Dependency:
    """What a path calls: its name and its URL."""

    name: str
    url: str


@dataclass(frozen=True)
class Identity:
    """Which service this process is, as which release, what each path calls, and how many requests a second it takes.

    Without a number it takes whatever comes.
    """

    name: str
    release: Release
    routes: Mapping[str, Dependency | None]
    per_second: float | None = None


class Pace:
    """The one worker of a process: each request has its turn, so long waits mean too many of them."""

    def __init__(self, per_second: float) -> None:
        self.turn = 1 / per_second
        self._free_at = 0.0

    def reserve(self) -> float | None:
        """Return the seconds until the turn of the next request, None when that is too long to wait."""
        now = time.monotonic()
        wait = max(0.0, self._free_at - now)
        if wait > QUEUE_SECONDS:
            return None
        self._free_at = now + wait + self.turn
        return wait


class Service:
    """Answers the service's paths, its health and its metrics."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        dependencies = [called.name for called in identity.routes.values() if called]
        self.metrics = Metrics(identity.name, identity.release.version, dependencies)
        self.illness = Illness()
        self.illness.hold("release", identity.release.fault)
        self._pace = Pace(identity.per_second) if identity.per_second else None
        self._quiet_until = 0.0

    async def handle(self, request: Request) -> Response:
        """Answer a request; one with `alone` asks for nothing that needs a dependency."""
        if request.path in self._identity.routes:
            called = self._identity.routes[request.path]
            return await self._answer(None if "alone" in request.values else called)
        if request.path == "/metrics":
            return Response(200, self.metrics.text().encode() + b"\n", "text/plain; version=0.0.4; charset=utf-8")
        if request.path == "/healthz":
            ill = self.illness.stuck
            return wire.text_response("waiting for the schema lock" if ill else "ok", 503 if ill else 200)
        return wire.text_response("not found", 404)

    async def _answer(self, called: Dependency | None) -> Response:
        began = time.perf_counter()
        code = await self._work()
        own = time.perf_counter() - began
        if code == 200 and called:
            code = await self._call(called)
        self.metrics.observe(code, time.perf_counter() - began, own)
        if code != 200:
            self._log_failure(code, called)
        return wire.text_response("ok" if code == 200 else f"{self._identity.name} failed", code)

    async def _work(self) -> int:
        # Load and chance, nothing secret.
        takes = self._identity.release.own_seconds * random.uniform(0.5, 1.5)  # noqa: S311
        self.metrics.asked(self._pace.turn if self._pace else takes)
        wait = self._pace.reserve() if self._pace else 0.0
        if wait is None:
            return 503
        await asyncio.sleep(wait + takes + self.illness.delay)
        return 500 if self.illness.fails() else 200

    async def _call(self, called: Dependency) -> int:
        code = await _outcome(called.url)
        self.metrics.called(called.name, code)
        return code

    def _log_failure(self, code: int, called: Dependency | None) -> None:
        """Log one failure a second at most: a broken release left alone must not fill the disk."""
        if (now := time.monotonic()) < self._quiet_until:
            return
        self._quiet_until = now + 1.0
        reasons = {500: "own failure", 503: "too many requests wait already"}
        reason = reasons.get(code) or f"{called.name if called else 'nobody'} failed"
        log.error("%s %s answered %d: %s", self._identity.name, self._identity.release.version, code, reason)


async def _outcome(url: str) -> int:
    try:
        answer = await wire.fetch(url, timeout=DEPENDENCY_SECONDS)
    except TimeoutError:
        return 504
    except OSError:
        return 502
    return 200 if answer.ok else 502


async def serve(identity: Identity, shared: socket.socket, commands: child.Commands) -> None:
    """Serve until told to drain."""
    service = Service(identity)
    server = wire.Server(service.handle)
    private = wire.open_socket()
    server.listen(private)
    child.report(listening=wire.address(private))
    log.info("%s %s started", identity.name, identity.release.version)
    telling = asyncio.create_task(_tell_vitals(service))
    while (command := await commands.get()) != "drain":
        if command == "serve":
            server.listen(shared)
            service.illness.begin()
            child.report(serving=True)
        else:
            _obey(service, json.loads(command))
    await server.drain()
    telling.cancel()
    log.info("%s %s drained", identity.name, identity.release.version)


def _obey(service: Service, told: Mapping[str, object]) -> None:
    """Take what the supervisor says is wrong, or the line that somebody outside makes this process log."""
    match told:
        case {"culprit": str(culprit), "fault": dict(fault)}:
            service.illness.hold(culprit, Fault(**fault))
        case {"culprit": str(culprit), "fault": None}:
            service.illness.hold(culprit, None)
        case {"pester": str(line), "seconds": float(seconds)}:
            service.illness.pester(line, seconds)
        case {"configuration": str(revision), "valid": bool(valid)}:
            say = log.info if valid else log.error
            say("configuration %s %s", revision, "is live" if valid else "is invalid; the one before stays live")


async def _tell_vitals(service: Service) -> None:
    while True:
        child.report(vitals=service.metrics.vitals())
        await asyncio.sleep(VITALS_SECONDS)


def _route(text: str) -> tuple[str, Dependency | None]:
    """Read `/path` or `/path=dependency=url`."""
    path, _, rest = text.partition("=")
    name, _, url = rest.partition("=")
    return path, Dependency(name, url) if name else None


def main() -> None:
    """Run one service; only the supervisor starts it, since it needs the shared socket."""
    parser = argparse.ArgumentParser(prog="service")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", choices=WHOLE, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--socket", type=int, required=True, help="inherited file descriptor")
    parser.add_argument("--route", type=_route, action="append", required=True, help="/path or /path=dependency=URL")
    parser.add_argument("--per-second", type=float, help="requests a second that one process takes")
    given = parser.parse_args()
    release = releases.find(releases.read_releases(given.folder), given.name, given.version)
    identity = Identity(given.name, release, dict(given.route), given.per_second)
    child.run(lambda commands: serve(identity, socket.socket(fileno=given.socket), commands))


if __name__ == "__main__":
    main()
