"""What a machine lacks: a test that needs it is skipped with the reason, or fails where everything is required."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def require_all() -> bool:
    """Tell whether a missing service is a failure."""
    return os.environ.get("SYSOP_TEST_REQUIRE") == "all"


def missing(reason: str) -> NoReturn:
    """Skip, or fail where everything is required."""
    if require_all():
        pytest.fail(reason)
    pytest.skip(reason)
