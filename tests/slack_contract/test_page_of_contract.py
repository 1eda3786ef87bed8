"""The page about the suite says what is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_page_of_the_contract_is_current() -> None:
    page = Path(__file__).with_name("contract_page.py")
    done = subprocess.run([sys.executable, page, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
