"""Conversations on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from talk_kit import Talks


@pytest.fixture
async def bot(url: str, tmp_path: Path) -> AsyncIterator[Talks]:
    opened = Talks(tmp_path, url)
    yield opened
    await opened.close()
