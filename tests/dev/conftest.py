"""Fixtures: a folder for pictures, and a browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def artefacts(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return where pictures are kept: in SYSOP_TEST_ARTEFACTS, where that is set."""
    kept = os.environ.get("SYSOP_TEST_ARTEFACTS")
    folder = Path(kept) / "dev" if kept else tmp_path / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
