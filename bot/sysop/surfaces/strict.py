"""Read JSON from strangers: UTF-8 only, bounded in depth, with finite numbers."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or the rest of the body where one does not end: else every quote in it would be tried as a beginning."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def parse(body: bytes) -> Any:
    """Return the parsed body. Raises ValueError; depth is counted first, since the parser recurses."""
    depth = deepest = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError(f"the JSON is nested deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite)
    except (UnicodeDecodeError, RecursionError) as bad:
        raise ValueError(f"the body is not JSON in UTF-8: {bad}") from bad
    except ValueError as bad:  # also a number too long to be read
        raise ValueError(f"the body is not JSON: {bad}") from bad


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number
