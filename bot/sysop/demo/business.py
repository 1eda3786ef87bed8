"""The company as the conductor handles it: a process, its addresses, and its people who deploy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sysop.demo.company import wire
from sysop.demo.company.scenario import Scenario, plan
from sysop.demo.company.scenario import whole as with_everything
from sysop.demo.company.supervisor import COMPANY_FILE
from sysop.demo.setup import Place
from sysop.errors import SysopError

START_S = 30.0
ANSWER_S = 15.0


class CompanyFailed(SysopError):
    """The demo company did not start or has died; names the log."""


@dataclass(frozen=True)
class Fares:
    """How customers fare right now, by the load generator's own count. None while nothing was measured."""

    success_ratio: float | None
    request_rate: float
    versions: Mapping[str, str]


class Business:
    """A running company. Use `start` and always `stop`."""

    def __init__(self, place: Place, seed: int, *, whole: bool = False) -> None:
        self._place = place
        self._whole = whole
        self._process: asyncio.subprocess.Process | None = None
        self._addresses: Mapping[str, Any] = {}
        self._seed = seed
        made = plan(seed)
        self.scenario: Scenario = (with_everything(made) if whole else made).scenario

    @property
    def watcher(self) -> str:
        """Return the address of the Prometheus-like query API."""
        return str(self._addresses["watcher"]["url"])

    @property
    def kubernetes(self) -> str | None:
        """Return the address of the Kubernetes API of a whole company."""
        found = self._addresses["kubernetes"]
        return None if found is None else str(found)

    async def start(self, webhook: str) -> None:
        """Start the company and wait until it serves customers. Raises CompanyFailed."""
        folder = self._place.company
        with _log(folder) as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sysop.demo.company", "--folder", str(folder), "--seed", str(self._seed)),
                *("--webhook", webhook, "--token-file", str(self._place.token), "--until-eof"),
                *(["--whole", "--kubernetes-token-file", str(self._place.kubernetes_token)] if self._whole else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._addresses = await self._ready(folder / COMPANY_FILE)

    async def _ready(self, file: Path) -> Mapping[str, Any]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while self._alive():
                    if (found := _read(file)) is not None:
                        return found
                    await asyncio.sleep(0.05)
        raise CompanyFailed(f"the demo company did not start; see {self._place.company / 'company.log'}")

    def _alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def status(self) -> Mapping[str, Any]:
        """Return the company's own account of itself. Raises CompanyFailed."""
        answer = await self._asked("/status")
        return dict(json.loads(answer.body))

    async def fares(self) -> Fares:
        """Return how customers fare. Raises CompanyFailed."""
        found = await self.status()
        versions = {name: service["version"] for name, service in found["services"].items()}
        return Fares(found["success_ratio"], found["request_rate"], versions)

    async def fault(self, fault: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let something go wrong and return what the company says of it. Raises CompanyFailed."""
        answer = await self._asked("/fault", json.dumps(fault).encode())
        found = dict(json.loads(answer.body))
        if not answer.ok:
            raise CompanyFailed(f"the demo company refuses the fault {fault}: {found.get('error', answer.status)}")
        return found

    async def _asked(self, path: str, body: bytes | None = None) -> wire.Response:
        method = "GET" if body is None else "POST"
        try:
            return await wire.fetch(
                f"{self._addresses['control']}{path}", method=method, body=body or b"", timeout=ANSWER_S
            )
        except OSError as gone:
            raise CompanyFailed(f"the demo company does not answer; see {self._place.company / 'logs'}") from gone

    async def deploy(self, service: str, version: str, by: str, change: str) -> None:
        """Deploy as the company's own people do: through the pipeline runner, outside of Sysop."""
        if said := await self._built("deploy", by, change, service=service, version=version):
            raise CompanyFailed(f"the deploy of {service} {version} failed: {said}")

    async def order(self, pipeline: str, by: str, change: str, **parameters: str) -> bool:
        """Run a pipeline to its end as the company's own people do, and say whether it succeeded."""
        return not await self._built(pipeline, by, change, **parameters)

    async def _built(self, pipeline: str, by: str, change: str, **parameters: str) -> str:
        """Return what a build said where it failed, else an empty text."""
        place = self._place
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sysop_plugins.cicd.local", "trigger", "--folder", str(place.builds)),
            *("--config", str(place.pipelines), "--by", by, "--change", change, "--wait", pipeline),
            *(f"{name}={value}" for name, value in parameters.items()),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        return (said.decode(errors="replace").strip() or "the build failed") if process.returncode else ""

    async def record_live(self) -> None:
        """Record what is live as builds of its own, so that there is a version and a revision to go back to."""
        by, change = "release train", "as it was"
        recording = [self.deploy(s, v, by, change) for s, v in self.scenario.initial.items()]
        if self._whole:
            services = (await self.status())["services"]
            revisions = {name: str(service["config_revision"]) for name, service in services.items()}
            recording += [self._configure(s, r, by, change) for s, r in revisions.items()]
        await asyncio.gather(*recording)

    async def _configure(self, service: str, revision: str, by: str, change: str) -> None:
        if said := await self._built("configure", by, change, service=service, revision=revision):
            raise CompanyFailed(f"the configuration {revision} of {service} failed: {said}")

    async def stop(self) -> None:
        """Stop the company; it also stops by itself when this process dies, since its standard input ends."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 15)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _log(folder: Path) -> IO[bytes]:
    return (folder / "company.log").open("wb")


def _read(file: Path) -> Mapping[str, Any] | None:
    return dict(json.loads(file.read_text())) if file.exists() else None
