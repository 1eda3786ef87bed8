"""What varies from line to line is masked, so that lines of one kind look alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

MAX_LINE = 4_000
"""Characters of a line that are looked at."""

MAX_TOKENS = 80
MAX_TOKEN = 200
_REMEMBERED = 50_000

# The first that fits at a place wins, so that the longer shapes stand before those they are made of. None repeats
# anything inside of a repetition that could match the same text, so that time is linear in the length of a token.
_SHAPES = (
    ("url", r"[a-zA-Z][a-zA-Z0-9+.\-]{1,15}://\S+"),
    ("mail", r"[\w.+\-]+@[\w\-]+\.[\w.\-]+"),
    ("id", r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"),
    ("time", r"\d{4}-\d\d-\d\d(?:[T_ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+\-]\d\d:?\d\d)?)?"),
    ("time", r"\d{1,2}/[A-Z][a-z]{2}/\d{4}(?::\d\d:\d\d:\d\d)?"),
    ("time", r"\d\d:\d\d:\d\d(?:[.,]\d+)?Z?"),
    ("address", r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d+)?"),
    ("address", r"(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}"),
    ("path", r"(?<![\w>/.])/[\w.@%+~\-]+(?:/[\w.@%+~\-]+)*/?"),
    ("path", r"[A-Za-z]:\\[^\s\"']+"),
    ("id", r"0[xX][0-9a-fA-F]+"),
    ("id", r"\b[0-9a-fA-F]{7,64}\b"),
    ("number", r"(?<![\w.])[+\-]?\d+(?:[.,]\d+)*(?:[eE][+\-]?\d+)?(?:[a-zA-Zµ]{1,3}|%)?(?![\w])"),
    ("id", r"[A-Za-z]+\d+[A-Za-z]+\d\w*|\d+[A-Za-z]+\d+[A-Za-z]\w*"),
    ("number", r"\d+"),
)
_KINDS = tuple(kind for kind, _ in _SHAPES)
_ALL = re.compile("|".join(f"({pattern})" for _, pattern in _SHAPES))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CALENDAR = frozenset((*_MONTHS, "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
_MESSAGES = ("message", "msg", "event", "log", "error")
_LEVELS = ("level", "severity", "lvl", "levelname")


class Masks:
    """Turns a line into tokens. Remembers what it has masked before: a bounded number of words."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def tokens(self, line: str) -> list[str]:
        """Return the words of a line; numbers, ids, times, addresses and paths are `<number>`, `<id>` and so on.

        Of a line that is a JSON object only the level and the message count, where it has one.
        """
        text = line[:MAX_LINE]
        if text.startswith("{"):
            text = _message(text)
        known = self._known
        return [
            word if word.isalpha() and word not in _CALENDAR else known.get(word) or self._mask(word)
            for word in text.split(None, MAX_TOKENS)[:MAX_TOKENS]
        ]

    def _mask(self, word: str) -> str:
        masked = "<date>" if word in _CALENDAR else _ALL.sub(_kind, word[:MAX_TOKEN])
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[word] = masked
        return masked


def _kind(found: re.Match[str]) -> str:
    return f"<{_KINDS[(found.lastindex or 1) - 1]}>"


def _message(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text.replace(",", " ")
    message = _first(value, _MESSAGES)
    if message is None:
        return text.replace(",", " ")
    level = _first(value, _LEVELS)
    return f"{level} {message}" if level else message


def _first(value: object, names: Iterable[str]) -> str | None:
    if not isinstance(value, dict):
        return None
    return next((found for name in names if isinstance(found := value.get(name), str)), None)
