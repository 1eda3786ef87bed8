"""A browser for all tests of the page, and for each a workspace with an app behind it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from absent import missing
from sysop.workspace import Workspace
from workspace import kit
from workspace.page_app import PageApp, manifest
from workspace.page_kit import Stage

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return a browser for all tests of the page."""
    found = shutil.which("chromium")
    if found is None:
        missing("Chromium is not installed")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser: Browser, no_proxy: None) -> AsyncIterator[Stage]:
    """Return a workspace with an app over Socket Mode; at the end the pages must have complained of nothing."""
    async with AsyncExitStack() as stack:
        workspace = await stack.enter_async_context(Workspace(kit.settings(app=manifest())))
        app = PageApp(workspace)
        await stack.enter_async_context(kit.over_socket(workspace, app))
        set_ = Stage(workspace, app, browser)
        stack.push_async_callback(set_.close)
        yield set_
        app.gate.set()
    assert set_.complaints == []
