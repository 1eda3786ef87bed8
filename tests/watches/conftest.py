from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
sys.path.insert(0, str(Path(__file__).parent))

from prom import Prom, prometheus
from terminal import Shell


@pytest.fixture
def prom() -> Iterator[Prom]:
    with prometheus() as server:
        yield server


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a command line in an empty folder."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("SYSOP_CONFIG", raising=False)
    return Shell(tmp_path, monkeypatch)
