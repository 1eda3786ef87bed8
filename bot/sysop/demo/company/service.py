"""One service of the company: answers requests the way its release does, and counts them.

It starts on a private port, where the supervisor checks its health. On `serve` it joins the service's shared port,
beside the release it replaces; on `drain` it leaves that port, finishes what it has accepted, and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sysop.demo.company import child, scenario, wire
from sysop.demo.company.scenario import Release
from sysop.demo.company.topology import SERVICES
from sysop.demo.company.wire import Request, Response

DEPENDENCY_SECONDS = 5.0
"""Longer than any latency fault, so that a slow service makes its callers slow instead of failing them."""

CODES = ("200", "500", "502", "504")
"""Counted from zero: a rate needs the sample before the first error."""

log = logging.getLogger("service")


@dataclass(frozen=True)
class Identity:
    """Which service this process is, as which release, and the URL of what it depends on."""

    name: str
    release: Release
    calls: str | None


class Metrics:
    """The counters of one process in the Prometheus text format."""

    def __init__(self, service: str, version: str) -> None:
        self._labels = f'service="{service}",version="{version}"'
        self._requests = Counter(dict.fromkeys(CODES, 0))
        self._seconds = 0.0
        self._own_seconds = 0.0

    def observe(self, code: int, seconds: float, own_seconds: float) -> None:
        """Count one answered request."""
        self._requests[str(code)] += 1
        self._seconds += seconds
        self._own_seconds += own_seconds

    def text(self) -> str:
        """Return the counters as Prometheus scrapes them."""
        labels, count = self._labels, self._requests.total()
        lines = [
            "# HELP build_info The release that answers.",
            "# TYPE build_info gauge",
            f"build_info{{{labels}}} 1",
            "# HELP http_requests_total Requests answered.",
            "# TYPE http_requests_total counter",
            *(f'http_requests_total{{{labels},code="{code}"}} {n}' for code, n in self._requests.items()),
            "# HELP http_request_seconds Time to answer, calls to dependencies included.",
            "# TYPE http_request_seconds summary",
            f"http_request_seconds_sum{{{labels}}} {self._seconds!r}",
            f"http_request_seconds_count{{{labels}}} {count}",
            "# HELP http_own_seconds Time to answer without calls to dependencies.",
            "# TYPE http_own_seconds summary",
            f"http_own_seconds_sum{{{labels}}} {self._own_seconds!r}",
            f"http_own_seconds_count{{{labels}}} {count}",
        ]
        return "\n".join(lines)


class Service:
    """Answers the service's one path, its health and its metrics."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._path = SERVICES[identity.name].path
        self._metrics = Metrics(identity.name, identity.release.version)
        self._quiet_until = 0.0

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        if request.path == self._path:
            return await self._answer()
        if request.path == "/metrics":
            return Response(200, self._metrics.text().encode() + b"\n", "text/plain; version=0.0.4; charset=utf-8")
        if request.path == "/healthz":
            return wire.text_response("ok")
        return wire.text_response("not found", 404)

    async def _answer(self) -> Response:
        began = time.perf_counter()
        code = await self._work()
        own = time.perf_counter() - began
        if code == 200 and self._identity.calls:
            code = await self._call(self._identity.calls)
        self._metrics.observe(code, time.perf_counter() - began, own)
        if code != 200:
            self._log_failure(code)
        return wire.text_response("ok" if code == 200 else f"{self._identity.name} failed", code)

    async def _work(self) -> int:
        release = self._identity.release
        fault = release.fault or scenario.Fault("latency")
        # Load and chance, nothing secret.
        await asyncio.sleep(release.own_seconds * random.uniform(0.5, 1.5) + fault.seconds)  # noqa: S311
        return 500 if random.random() < fault.share else 200  # noqa: S311

    async def _call(self, url: str) -> int:
        try:
            answer = await wire.fetch(url, timeout=DEPENDENCY_SECONDS)
        except TimeoutError:
            return 504
        except OSError:
            return 502
        return 200 if answer.ok else 502

    def _log_failure(self, code: int) -> None:
        """Log one failure a second at most: a broken release left alone must not fill the disk."""
        if (now := time.monotonic()) < self._quiet_until:
            return
        self._quiet_until = now + 1.0
        reason = "own failure" if code == 500 else f"{SERVICES[self._identity.name].calls} failed"
        log.error("%s %s answered %d: %s", self._identity.name, self._identity.release.version, code, reason)


async def serve(identity: Identity, shared: socket.socket, commands: child.Commands) -> None:
    """Serve until told to drain."""
    service = Service(identity)
    server = wire.Server(service.handle)
    private = wire.open_socket()
    server.listen(private)
    child.report(listening=wire.address(private))
    log.info("%s %s started", identity.name, identity.release.version)
    while (command := await commands.get()) != "drain":
        if command == "serve":
            server.listen(shared)
            child.report(serving=True)
    await server.drain()
    log.info("%s %s drained", identity.name, identity.release.version)


def main() -> None:
    """Run one service; only the supervisor starts it, since it needs the shared socket."""
    parser = argparse.ArgumentParser(prog="service")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", choices=SERVICES, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--socket", type=int, required=True, help="inherited file descriptor")
    parser.add_argument("--calls", help="URL of the service it depends on")
    given = parser.parse_args()
    release = scenario.find(scenario.read_releases(given.folder), given.name, given.version)
    identity = Identity(given.name, release, given.calls)
    child.run(lambda commands: serve(identity, socket.socket(fileno=given.socket), commands))


if __name__ == "__main__":
    main()
