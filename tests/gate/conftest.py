"""The gate under attack, on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gate.kit import Attack


@pytest.fixture
async def attack(url: str, tmp_path: Path) -> AsyncIterator[Callable[..., Attack]]:
    """Return a function that opens one more process's view of the same database and target."""
    opened: list[Attack] = []

    def more(**changes: Any) -> Attack:
        opened.append(Attack(tmp_path, url, **changes))
        return opened[-1]

    yield more
    for one in opened:
        await one.close()


@pytest.fixture
async def gate(attack: Callable[..., Attack]) -> Attack:
    return attack()
