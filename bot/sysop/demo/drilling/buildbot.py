"""A company whose deploys run through a real Buildbot: its people's, and Sysop's."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from sysop.demo.business import CompanyFailed
from sysop.demo.setup import Place
from sysop.testing.buildbot import PASSWORD, USER, BuildbotLab, deploying

SECRET = "buildbot"  # noqa: S105
LOOK_S = 0.2
_ANSWER_S = 10.0
_SUCCESS = 0
_COOKIE = re.compile(r"(TWISTED_(?:SECURE_)?SESSION\w*=[^;,\s]+)")


@asynccontextmanager
async def up(place: Place, environment: Path) -> AsyncIterator[Buildbot]:
    """Start master and worker, and stop them. Raises CompanyFailed."""
    lab = BuildbotLab(place.root / "buildbot", environment, [deploying(place.company)])
    try:
        await asyncio.to_thread(lab.up)
    except RuntimeError as failed:
        raise CompanyFailed(f"Buildbot in {environment} does not come up: {failed}") from failed
    try:
        yield Buildbot(lab)
    finally:
        await asyncio.to_thread(lab.down)


@dataclass(frozen=True)
class Buildbot:
    """The running master, as the company's own people use it."""

    lab: BuildbotLab

    async def order(self, pipeline: str, by: str, change: str, **parameters: str) -> bool:
        """Run a builder to its end, and say whether it succeeded. Raises CompanyFailed."""
        try:
            return await self._ordered(pipeline, f"{by}: {change}", parameters)
        except (OSError, HTTPException, ValueError, LookupError) as odd:
            raise CompanyFailed(f"Buildbot did not take an order of {pipeline}: {odd}") from odd

    async def _ordered(self, pipeline: str, reason: str, parameters: Mapping[str, str]) -> bool:
        found = await asyncio.to_thread(self._force, pipeline, {**parameters, "reason": reason})
        while True:
            (request,) = (await asyncio.to_thread(self._ask, "GET", f"/api/v2/buildrequests/{found}"))["buildrequests"]
            if request["complete"]:
                return bool(request["results"] == _SUCCESS)
            await asyncio.sleep(LOOK_S)

    def _force(self, pipeline: str, params: Mapping[str, str]) -> int:
        """Return the request that a builder was given."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "force", "params": dict(params)}
        answer = self._ask("POST", f"/api/v2/forceschedulers/force-{pipeline}", json.dumps(body), self._cookie())
        return int(next(iter(answer["result"][1].values())))

    def _cookie(self) -> str:
        connection = self._connection()
        signed = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        try:
            connection.request("GET", "/auth/login", headers={"authorization": f"Basic {signed}"})
            cookies = _COOKIE.findall(connection.getresponse().getheader("set-cookie", ""))
        finally:
            connection.close()
        return str(cookies[-1])

    def _ask(self, method: str, path: str, body: str | None = None, cookie: str = "") -> Any:
        connection = self._connection()
        headers = {"content-type": "application/json", **({"cookie": cookie} if cookie else {})}
        try:
            connection.request(method, path, body, headers)
            return json.load(connection.getresponse())
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self.lab.url).netloc, timeout=_ANSWER_S)


def use(place: Place, lab: BuildbotLab) -> None:
    """Write into the settings that deploys run through Buildbot, and nothing of them by the local runner."""
    found = yaml.safe_load(place.settings.read_text())
    password = place.root / "buildbot-password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    cicd = found["plugins"]["cicd"]
    del cicd["local"]["pipelines"]["deploy"]
    if not cicd["local"]["pipelines"]:
        del cicd["local"]
    cicd["buildbot"] = lab.settings(SECRET)
    found.setdefault("secrets", {})[SECRET] = {"read": f"file:{password}", "write": f"file:{password}"}
    place.settings.write_text(yaml.safe_dump(found, sort_keys=False))
