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
from sysop.demo.company.supervisor import COMPANY_FILE
from sysop.demo.setup import Place
from sysop.errors import SysopError

START_S = 30.0


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

    def __init__(self, place: Place, seed: int) -> None:
        self._place = place
        self._process: asyncio.subprocess.Process | None = None
        self._addresses: Mapping[str, Any] = {}
        self._seed = seed
        self.scenario: Scenario = plan(seed).scenario

    @property
    def watcher(self) -> str:
        """Return the address of the Prometheus-like query API."""
        return str(self._addresses["watcher"]["url"])

    async def start(self, webhook: str) -> None:
        """Start the company and wait until it serves customers. Raises CompanyFailed."""
        folder = self._place.company
        with _log(folder) as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sysop.demo.company", "--folder", str(folder), "--seed", str(self._seed)),
                *("--webhook", webhook, "--token-file", str(self._place.token), "--until-eof"),
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

    async def fares(self) -> Fares:
        """Return how customers fare. Raises CompanyFailed."""
        try:
            answer = await wire.fetch(f"{self._addresses['control']}/status", timeout=5.0)
        except OSError as gone:
            raise CompanyFailed(f"the demo company does not answer; see {self._place.company / 'logs'}") from gone
        found = json.loads(answer.body)
        versions = {name: service["version"] for name, service in found["services"].items()}
        return Fares(found["success_ratio"], found["request_rate"], versions)

    async def deploy(self, service: str, version: str, by: str, change: str) -> None:
        """Deploy as the company's own people do: through the pipeline runner, outside of Sysop."""
        place = self._place
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sysop_plugins.cicd.local", "trigger", "--folder", str(place.builds)),
            *("--config", str(place.pipelines), "--by", by, "--change", change, "--wait", "deploy"),
            *(f"service={service}", f"version={version}"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            raise CompanyFailed(f"the deploy of {service} {version} failed: {said.decode(errors='replace').strip()}")

    async def record_live(self) -> None:
        """Record what is live as deploys of its own, so that there is a version to go back to."""
        initial = self.scenario.initial.items()
        await asyncio.gather(*(self.deploy(s, v, "release train", "as it was") for s, v in initial))

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
