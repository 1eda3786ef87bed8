"""Fixtures for the tests of the demo company."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from company_kit import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a real HTTP server that takes webhooks."""
    with receiving() as taker:
        yield taker
