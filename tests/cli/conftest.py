from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from terminal import SETTINGS, Shell, cannot_switch_users


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a command line in a folder with people and the toy plugin."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("SYSOP_CONFIG", raising=False)
    found = Shell(tmp_path, monkeypatch)
    found.write(SETTINGS)
    return found


@pytest.fixture
def users() -> None:
    """Go on only where commands can be run as several users."""
    if absent := cannot_switch_users():
        if os.environ.get("SYSOP_TEST_REQUIRE") == "all":
            pytest.fail(absent)
        pytest.skip(absent)
