"""How large the tests run: a tenth of the nightly size, unless SYSOP_TEST_SCALE says otherwise."""

from __future__ import annotations

import os

SCALE = float(os.environ.get("SYSOP_TEST_SCALE", "0.1"))


def size(nightly: int, at_least: int = 1) -> int:
    """Return how many of something to do now."""
    return max(at_least, round(nightly * SCALE))
