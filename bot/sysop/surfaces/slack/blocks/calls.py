"""A call as people read it: its arguments one a line, each exactly as it is bound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json import JSONDecoder
from typing import Any, Final

from sysop.surfaces.slack.text import one_line, times, visible

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DECODER: Final = JSONDecoder()
_FEW: Final = 3
_WORDS: Final = {None: "none", True: "yes", False: "no"}


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


def result_text(result: str) -> str:
    """Return a result in words: the values at its top, and how many there are below. What is no JSON stays as it is."""
    try:
        found = _DECODER.decode(result)
    except ValueError:
        return result
    return _brief(found, 2)


def _brief(value: Any, depth: int) -> str:
    if isinstance(value, Mapping):
        return _fields(value, depth)
    if isinstance(value, list):
        return _several(value, depth)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fields(values: Mapping[str, Any], depth: int) -> str:
    told = {name: value for name, value in values.items() if value is not None and value != "" and value != []}
    if depth == 0:
        return times(len(told), "field")
    return (
        ", ".join(f"{name.replace('_', ' ')} {_brief(value, depth - 1)}" for name, value in told.items()) or "nothing"
    )


def _several(values: Sequence[Any], depth: int) -> str:
    if not values:
        return "none"
    if len(values) <= _FEW and not any(isinstance(one, Mapping | list) for one in values):
        return " and ".join(_brief(one, 0) for one in values)
    if len(values) == 1:
        return _brief(values[0], depth)
    return f"{len(values)} of them"
