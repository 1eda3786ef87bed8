"""A call as people read it: its arguments one a line, each exactly as it is bound."""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import Final

from sysop.surfaces.slack.text import one_line, visible

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DECODER: Final = JSONDecoder()


def arguments(canonical: str) -> list[tuple[str, str]]:
    """Return every argument of a canonical JSON object as (name, the bytes of its value)."""
    found: list[tuple[str, str]] = []
    at = 1
    while at < len(canonical) - 1:
        name, colon = _DECODER.raw_decode(canonical, at)
        _, end = _DECODER.raw_decode(canonical, colon + 1)
        found.append((name if _NAME.fullmatch(name) else canonical[at:colon], canonical[colon + 1 : end]))
        at = end + 1
    return found


def arguments_text(canonical: str) -> str:
    """Return the arguments one a line, with everything that could hide in them written out."""
    return visible("\n".join(f"{name} = {value}" for name, value in arguments(canonical)) or "none")


def call_text(action: str, target: str, canonical: str, limit: int = 120) -> str:
    """Return a call in short: the action and its target, or its arguments where it has no target of its own."""
    if has_target(action, target):
        return one_line(f"{action} {target}", limit)
    return one_line(f"{action} {given(canonical)}", limit)


def has_target(action: str, target: str) -> bool:
    """Tell whether a call touches something with a name; else the action's own name stands for it."""
    return bool(target) and target != action.rpartition(".")[2]


def given(canonical: str) -> str:
    """Return the arguments on one line, without those that are null."""
    return ", ".join(f"{name}={value}" for name, value in arguments(canonical) if value != "null")
