"""Change bodies at random, as broken senders, proxies and attackers would. Every change says which field it touched."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, -0.0, 1e300),
    *("", " ", "0", "null", "true", "-1", "1e9", "x" * 300, "y" * 20_000, "a\0b", "half \ud800", "\udfff", "é\u202e"),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999-14:00", "2026-02-30T00:00:00Z"),
    *("2026-03-02T09:14:07", "2026-03-02", "1772442847", "10000-01-01T00:00:00Z", "2026-03-02T09:14:07.1234567891Z"),
    *("javascript:alert(1)", "https://", "http://[::1", "//x", "%00%ff", "{}", "[]", "${body}", "' or 1=1"),
    *([], {}, [[]], [{}], {"": ""}, {"a": {"b": {"c": []}}}, [None] * 50, {"type": "incident"}),
)


def mutated(body: Any, dice: random.Random) -> tuple[Any, Path]:
    """Return a changed copy and the path of the change."""
    whole = {"body": copy.deepcopy(body)}
    path = dice.choice(list(_paths(whole)))
    place: Any = whole
    for part in path[:-1]:
        place = place[part]
    dice.choice((_replace, _replace, _replace, _drop, _wrap, _rename, _repeat))(place, path[-1], dice)
    return whole.get("body"), path[1:]


def _paths(value: Any, way: Path = ()) -> Iterator[Path]:
    if way:
        yield way
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, (*way, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _paths(inner, (*way, number))


def _replace(place: Any, last: Any, dice: random.Random) -> None:
    place[last] = copy.deepcopy(dice.choice(ODD))


def _drop(place: Any, last: Any, dice: random.Random) -> None:
    del place[last]


def _wrap(place: Any, last: Any, dice: random.Random) -> None:
    place[last] = dice.choice(([place[last]], {"value": place[last]}, [place[last]] * 3))


def _rename(place: Any, last: Any, dice: random.Random) -> None:
    if isinstance(place, dict) and last != "body":
        place[dice.choice((f"{last}s", str(last).upper(), "a\0", "half\ud800", ""))] = place.pop(last)
    else:
        _replace(place, last, dice)


def _repeat(place: Any, last: Any, dice: random.Random) -> None:
    if isinstance(place[last], list):
        place[last] = place[last] * dice.choice((0, 2, 30))
    elif isinstance(place[last], str):
        place[last] = place[last] * dice.choice((2, 100))
    else:
        _replace(place, last, dice)


def broken(body: bytes, dice: random.Random) -> bytes:
    """Return a body that was damaged on the way."""
    at = dice.randrange(len(body))
    cut = body[:at]
    flipped = bytes([*cut, body[at] ^ (1 << dice.randrange(8)), *body[at + 1 :]])
    return dice.choice((cut, flipped, cut + b"\xff" + body[at:], cut + body, b"[" * 40 + body, b"\xef\xbb\xbf" + body))
