"""The part of PromQL the watcher answers: the name of a recorded series, with label matchers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import re2

from sysop.demo.company.rules import RECORDINGS, Labels, Vector

_NAME = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*")
_STRING = r""""(?:[^"\\\n]|\\["\\nrt])*"|'(?:[^'\\\n]|\\['\\nrt])*'|`[^`]*`"""
_MATCHER = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*({_STRING})\s*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}

_REGEX_OPTIONS = re2.Options()
_REGEX_OPTIONS.log_errors = False


class BadQuery(Exception):
    """The query is not one the watcher answers; the text says why."""


@dataclass(frozen=True)
class Selector:
    """One recorded series and the conditions on its labels, all of which must hold."""

    name: str
    matchers: tuple[tuple[str, Callable[[str], bool]], ...]

    def pick(self, vector: Vector) -> dict[Labels, float]:
        """Return the members that match. A label a member does not have counts as empty, as in Prometheus."""
        return {labels: value for labels, value in vector.items() if self._matches(dict(labels))}

    def _matches(self, labels: dict[str, str]) -> bool:
        return all(holds(labels.get(label, "")) for label, holds in self.matchers)


def parse(query: str) -> Selector:
    """Read a query, or raise BadQuery."""
    if not query.strip():
        raise BadQuery("1:1: parse error: no expression found in input")
    found = _NAME.match(query)
    if found is None:
        raise BadQuery(f"1:1: parse error: {_LIMITS}")
    matchers, end = _matchers(query, found.end())
    if query[end:].strip():
        raise BadQuery(f"1:{end + 1}: parse error: {_LIMITS}")
    if found[1] not in RECORDINGS:
        raise BadQuery(f"{found[1]!r} is not a recorded series; there are {', '.join(RECORDINGS)}")
    return Selector(found[1], tuple(matchers))


_LIMITS = "this server answers only recorded series, with label matchers"


def _matchers(query: str, start: int) -> tuple[list[tuple[str, Callable[[str], bool]]], int]:
    """Read `{label="value", …}` if there is one; return the conditions and where they end."""
    if query[start : start + 1] != "{":
        return [], start
    matchers, at, more = [], start + 1, True
    while more and (found := _MATCHER.match(query, at)):
        matchers.append((found[1], _condition(found[2], _unquote(found[3]))))
        at = found.end()
        more = query[at : at + 1] == ","
        at += more
    closing = re.compile(r"\s*\}").match(query, at)
    if closing is None:
        raise BadQuery(f'1:{at + 1}: parse error: expected a label matcher such as service="checkout", or "}}"')
    return matchers, closing.end()


def _unquote(literal: str) -> str:
    if literal[0] == "`":
        return literal[1:-1]
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), literal[1:-1])


def _condition(operator: str, wanted: str) -> Callable[[str], bool]:
    if operator == "=":
        return lambda value: value == wanted
    if operator == "!=":
        return lambda value: value != wanted
    pattern = _regex(wanted)
    return lambda value: (pattern.fullmatch(value) is not None) == (operator == "=~")


def _regex(text: str) -> Any:
    """Compile with the regular expressions of Prometheus (RE2): the same syntax, and no pattern takes for ever."""
    try:
        return re2.compile(text, _REGEX_OPTIONS)
    except re2.error as wrong:
        raise BadQuery(f"parse error: {text!r} is not a regular expression: {wrong}") from wrong
