from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from terminal import SETTINGS, Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a command line in a folder with people and the toy plugin."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("SYSOP_CONFIG", raising=False)
    found = Shell(tmp_path, monkeypatch)
    found.write(SETTINGS)
    return found
