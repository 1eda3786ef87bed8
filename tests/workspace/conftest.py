"""A running workspace, people in it, and an app connected by either transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import Workspace
from workspace import kit


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the SDK on the loopback: it takes proxies from the environment and ignores NO_PROXY."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with Workspace(kit.settings()) as started:
        yield started


@pytest.fixture
def client(workspace: Workspace) -> AsyncWebClient:
    return kit.client_of(workspace)


@pytest.fixture
def people(workspace: Workspace, http: aiohttp.ClientSession) -> kit.People:
    return kit.People(workspace, http)


Connect = Callable[..., Any]


@pytest.fixture(params=["socket", "http"])
async def connect(request: pytest.FixtureRequest, http: aiohttp.ClientSession) -> AsyncIterator[Connect]:
    """Return a function that starts a workspace with a connected app, whose listeners `register` adds."""
    async with AsyncExitStack() as stack:

        async def connected(register: Callable[[kit.App], object], **more: Any) -> tuple[kit.People, kit.App]:
            listener, url = kit.listen()
            stack.callback(listener.close)
            more = {**more, "request_url": url} if request.param == "http" else more
            workspace = await stack.enter_async_context(Workspace(kit.settings(**more)))
            app = kit.App(workspace)
            register(app)
            if request.param == "http":
                await stack.enter_async_context(kit.over_http(listener, app))
                await workspace.verified()
            else:
                await stack.enter_async_context(kit.over_socket(workspace, app))
                await kit.until(lambda: workspace.connections, "the connection")
            return kit.People(workspace, http), app

        yield connected
