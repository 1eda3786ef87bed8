"""What the tests of sending share: a workspace, and a sender at work in it, on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import out_kit as kit
import pytest
from out_kit import Out, Place

from sysop.store.store import Store


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep calls on this machine: the SDK takes a proxy from the environment and ignores NO_PROXY."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with kit.workspace() as started:
        yield started


@pytest.fixture
async def out(store: Store, place: Place) -> AsyncIterator[Out]:
    async with kit.sending(store, place) as running:
        yield running
