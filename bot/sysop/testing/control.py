"""The control API of a server over HTTP: one request, one JSON object back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from sysop.testing.errors import Refused

TIMEOUT_S = 20.0


class Control:
    """A connection to `/_control`. Open it inside a running loop and close it."""

    def __init__(self, base: str, token: str | None = None) -> None:
        self.base = base.rstrip("/")
        headers = {"X-Workspace-Token": token} if token else {}
        self.http = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read something. Raises Refused."""
        async with self.http.get(f"{self.base}/{path}", params=query) as response:
            return self._answer(path, await response.json())

    async def post(self, act: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do something. Raises Refused, with the errors beside the fields of a form if there are any."""
        async with self.http.post(f"{self.base}/{act}", json=dict(body)) as response:
            return self._answer(act, await response.json())

    def _answer(self, what: str, answer: dict[str, Any]) -> dict[str, Any]:
        if answer.get("ok", True):
            return answer
        told = answer.get("errors") or answer.get("message") or answer.get("error")
        raise Refused(f"{what}: {told}", dict(answer.get("errors") or {}))

    @asynccontextmanager
    async def events(self, **query: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Follow a stream of events, from now on."""
        endless = aiohttp.ClientTimeout(total=None)
        async with self.http.get(f"{self.base}/events", params=query, timeout=endless) as response:
            await response.content.readline()  # the welcome: whatever happens from here on is told
            yield response.content.__aiter__()

    async def close(self) -> None:
        """Close the connection."""
        await self.http.close()
