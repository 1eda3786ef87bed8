"""Small checks of JSON values that combine into the shape of a block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sysop.blockkit.problem import Problem

Check = Callable[[Any, str], Iterator[Problem]]
"""Yield the problems of a value that stands at a pointer."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_WEB_URL = re.compile(r"https?://[^\s/]+\S*")


def anything(value: Any, at: str) -> Iterator[Problem]:
    """Accept every value."""
    return iter(())


def string(most: int | None = None, least: int = 1) -> Check:
    """Return a check of a bare string and its length in characters."""

    def check(value: Any, at: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield Problem(at, "must be a string")
        elif len(value) < least:
            yield Problem(at, f"must be more than {least - 1} characters")
        elif most is not None and len(value) > most:
            yield Problem(at, f"must be less than {most + 1} characters")

    return check


def pattern(expression: str, says: str) -> Check:
    """Return a check of a string against a whole regular expression."""
    wanted = re.compile(expression)

    def check(value: Any, at: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not wanted.fullmatch(value):
            yield Problem(at, says)

    return check


def url(most: int = 3000, web: bool = False) -> Check:
    """Return a check of an address; `web` takes http and https only."""
    length, wanted = string(most), _WEB_URL if web else _URL

    def check(value: Any, at: str) -> Iterator[Problem]:
        yield from length(value, at)
        if isinstance(value, str) and not wanted.fullmatch(value):
            yield Problem(at, "must be a valid URL")

    return check


def number(
    least: float | None = None, most: float | None = None, whole: bool = True, above: float | None = None
) -> Check:
    """Return a check of a number; true and false are none."""
    kinds = (int,) if whole else (int, float)

    def check(value: Any, at: str) -> Iterator[Problem]:
        if isinstance(value, bool) or not isinstance(value, kinds):
            yield Problem(at, "must be an integer" if whole else "must be a number")
        elif above is not None and value <= above:
            yield Problem(at, f"must be greater than {above}")
        elif least is not None and value < least:
            yield Problem(at, f"must be {least} or more")
        elif most is not None and value > most:
            yield Problem(at, f"must be {most} or less")

    return check


def boolean(value: Any, at: str) -> Iterator[Problem]:
    """Accept true and false."""
    if not isinstance(value, bool):
        yield Problem(at, "must be a boolean")


def choice(*values: str) -> Check:
    """Return a check of a string against the only values there are."""

    def check(value: Any, at: str) -> Iterator[Problem]:
        if value not in values:
            yield Problem(at, f"must be one of {', '.join(values)}")

    return check


def items(check_item: Check, least: int = 1, most: int | None = None) -> Check:
    """Return a check of a list, its length and each item."""

    def check(value: Any, at: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(at, "must be an array")
            return
        if len(value) < least:
            yield Problem(at, f"no fewer than {least} items required")
        if most is not None and len(value) > most:
            yield Problem(at, f"no more than {most} items allowed")
        for index, item in enumerate(value):
            yield from check_item(item, f"{at}/{index}")

    return check


def shape(fields: Mapping[str, Check], required: Iterable[str] = (), rules: Sequence[Check] = ()) -> Check:
    """Return a check of an object: no unknown fields, none missing, each field sound, then rules over all of it."""
    needed = tuple(required)

    def check(value: Any, at: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(at, "must be an object")
            return
        present = {key: part for key, part in value.items() if part is not None}
        yield from (Problem(at, f"missing required field: {key}") for key in needed if key not in present)
        for key, part in present.items():
            if key not in fields:
                yield Problem(at, f"invalid additional property: {key}")
            else:
                yield from fields[key](part, f"{at}/{key}")
        for rule in rules:
            yield from rule(present, at)

    return check


def typed(table: Mapping[str, Check], what: str) -> Check:
    """Return a check that picks an object's shape by its `type`."""

    def check(value: Any, at: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(at, "must be an object")
            return
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in table:
            yield Problem(f"{at}/type", f"unsupported type for {what}: {str(kind)[:80]}")
        else:
            yield from table[kind](value, at)

    return check


def at_least_one(*keys: str) -> Check:
    """Return a rule: some of these fields must be there."""

    def check(value: Any, at: str) -> Iterator[Problem]:
        if not any(value.get(key) for key in keys):
            yield Problem(at, f"must provide at least one of {', '.join(keys)}")

    return check


def exactly_one(*keys: str) -> Check:
    """Return a rule: one of these fields must be there, and no second one."""

    def check(value: Any, at: str) -> Iterator[Problem]:
        if sum(key in value for key in keys) != 1:
            yield Problem(at, f"must provide exactly one of {', '.join(keys)}")

    return check


def at_most_one(*keys: str) -> Check:
    """Return a rule: not two of these fields together."""

    def check(value: Any, at: str) -> Iterator[Problem]:
        if sum(key in value for key in keys) > 1:
            yield Problem(at, f"must not provide more than one of {', '.join(keys)}")

    return check


def unique(values: Iterable[tuple[Any, str]], name: str) -> Iterator[Problem]:
    """Yield one problem for each value that was there before, at its place."""
    seen: set[str] = set()
    for value, at in values:
        if not isinstance(value, str):
            continue
        if value in seen:
            yield Problem(at, f"{name} already exists: {value[:80]}")
        seen.add(value)


def visible(value: Any) -> int:
    """Count the characters people read: every `text` string at any depth, but no dialog's that opens on a click."""
    count, rest = 0, [value]
    while rest:
        part = rest.pop()
        if isinstance(part, list):
            rest += part
        elif isinstance(part, dict):
            texts = [one for key, one in part.items() if key == "text" and isinstance(one, str)]
            count += sum(map(len, texts))
            rest += [one for key, one in part.items() if key != "confirm"]
    return count
