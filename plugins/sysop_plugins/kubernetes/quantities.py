"""Quantities as Kubernetes writes them."""

from __future__ import annotations

import re

from sysop.api import ActionFailed

_QUANTITY = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?P<unit>n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?"
)
_UNITS = {
    **{"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18},
    **{name: float(1024**power) for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}


def cores(text: str) -> float:
    """Return a quantity of processor time in cores: `250m` is a quarter."""
    return size(text)


def size(text: str) -> float:
    """Return a quantity as a number: `32Mi` is 33554432. Raises ActionFailed."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ActionFailed(f"kubernetes: {text!r} is no quantity")
    return float(found["number"]) * _UNITS[found["unit"] or ""]
