"""Expressions of runbooks (`${…}`) and of settings: CEL with a few functions, bounded before it runs.

`evaluate` is pure: the same expression over the same values gives the same answer, so a replay decides
as the first time did. The library holds the interpreter lock while it works (measured), so neither a thread
nor a deadline would keep it from holding up everything else; the bounds below do, with a worst case near 0.2 s.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sysop.errors import RunbookError
from sysop.expression import syntax
from sysop.expression.engine import cel
from sysop.inventory import nearest

MAX_SOURCE: Final = 2_000
MAX_LIST: Final = 1_000
MAX_NESTED: Final = 2
MAX_WORK: Final = 250_000
"""Steps of all macros together: the longest list or map to the power of nesting + 1, as the library copies lists."""

FAILURES: Final = (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError, AttributeError)
"""What the library raises for an expression that cannot be evaluated."""

NATIVE: Final = frozenset(
    {"size", "has", "string", "int", "uint", "double", "bytes", "type", "dyn", "contains", "startsWith", "endsWith"}
    | {"matches", "duration", "timestamp"}
    | {"getFullYear", "getMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes", "getSeconds"}
    | syntax.MACROS
)

logging.getLogger("cel").setLevel(logging.ERROR)  # it warns of failing functions; we raise the same, better told


class ExpressionError(RunbookError):
    """An expression cannot be used; names it, the reason, and the values it refers to. Never to be read as false."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression and the line it stands on."""

    source: str
    line: int
    tree: syntax.Node = field(repr=False)
    program: cel.Program = field(repr=False, compare=False)
    uses: frozenset[tuple[str, ...]] = field(repr=False)
    walks: tuple[int, ...] = field(repr=False)
    literal: int = field(repr=False)

    def __str__(self) -> str:
        return f"${{{self.source}}}"

    @property
    def constant(self) -> bool:
        """Tell whether it refers to nothing, so its value is known without a run."""
        return not self.uses


def compile(source: str, *, place: str, line: int) -> Expression:
    """Return the expression between `${` and `}`. Raises ExpressionError, with `place` before it."""
    source = source.strip()
    if len(source) > MAX_SOURCE:
        length = f"the expression has {len(source)} characters, {MAX_SOURCE} are allowed"
        raise ExpressionError(f"{place}: {length}; split it")
    try:
        program = cel.compile(source)
    except (ValueError, RuntimeError) as bad:
        raise ExpressionError(f"{place}: `{short(source)}` is not valid CEL: {_reason(bad)}; correct it") from None
    try:
        tree = syntax.parse(source)
    except syntax.NotUnderstood as bad:
        raise ExpressionError(f"{place}: `{short(source)}` cannot be checked: {bad}; write it more simply") from None
    walks = tuple(syntax.walks(tree, frozenset(FUNCTIONS)))
    if max(walks, default=0) > MAX_NESTED:
        raise ExpressionError(
            f"{place}: `{short(source)}` nests macros and functions {max(walks)} deep, {MAX_NESTED} are allowed; "
            "use a step of its own for the inner part"
        )
    if syntax.walks_a_sum(tree):
        raise ExpressionError(f"{place}: `{short(source)}` walks a sum of lists; walk each list by itself")
    return Expression(source, line, tree, program, frozenset(syntax.chains(tree)), walks, syntax.longest_literal(tree))


def evaluate(expression: Expression, variables: Mapping[str, Any]) -> Any:
    """Return the value as JSON data. Raises ExpressionError."""
    return _execute(expression, _used(expression, variables))


def steps(expression: Expression, variables: Mapping[str, Any]) -> int:
    """Return how many steps the macros of an expression take at most over these values; one may take `MAX_WORK`."""
    return _steps(expression, _used(expression, variables))


def values(expression: Expression, variables: Mapping[str, Any]) -> str:
    """Return what an expression refers to with the values, cut to what a person can read."""
    return "; ".join(f"{'.'.join(path)} = {_value(variables, path)}" for path in sorted(expression.uses)[:8])


def evaluate_constant(expression: Expression) -> Any:
    """Return the value of an expression that refers to nothing. Raises ExpressionError."""
    return _execute(expression, {})


def _execute(expression: Expression, used: dict[str, Any]) -> Any:
    _check_work(expression, used)
    try:
        value = expression.program.execute(cel.Context(variables=used, functions=dict(FUNCTIONS)))
    except FAILURES as bad:
        raise _error(expression, used, _reason(bad)) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(expression, used, f"its value is {value}, not a finite number; guard the division")
    if not _is_json(value):
        raise _error(expression, used, f"its value is a {type(value).__name__}, not JSON data; convert it by string()")
    return value


def _used(expression: Expression, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the expression does not refer to: converting it would cost more than evaluating."""
    used: dict[str, Any] = {}
    for name, *fields in sorted(expression.uses):
        if name not in variables:
            continue
        whole = variables[name]
        if not fields or not isinstance(whole, Mapping):
            used[name] = whole
        elif used.get(name) is not whole and fields[0] in whole:
            used.setdefault(name, {})[fields[0]] = whole[fields[0]]
        else:
            used.setdefault(name, {})
    return used


def _check_work(expression: Expression, used: Mapping[str, Any]) -> None:
    longest = max(_longest(used), expression.literal)
    if longest > MAX_LIST:
        raise _error(expression, used, f"a list has {longest} entries, {MAX_LIST} are allowed; narrow the step's query")
    if _steps(expression, used) > MAX_WORK:
        longest = max(_longest(used, maps=True), longest)
        raise _error(expression, used, f"its macros would walk {longest} entries too often; narrow the step's query")


def _steps(expression: Expression, used: Mapping[str, Any]) -> int:
    if not expression.walks:
        return 0
    longest = max(_longest(used, maps=True), expression.literal)
    return sum(longest ** (depth + 1) for depth in expression.walks)


def _longest(value: Any, *, maps: bool = False) -> int:
    """Return the number of entries of the longest list inside a value, or map, of which macros walk the keys."""
    if isinstance(value, Mapping):
        inside = max((_longest(inner, maps=maps) for inner in value.values()), default=0)
        return max(len(value), inside) if maps else inside
    if isinstance(value, list | tuple):
        return max(len(value), max((_longest(inner, maps=maps) for inner in value), default=0))
    return 0


def _is_json(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_json(v) for k, v in value.items())
    return value is None or isinstance(value, str | int)


def _error(expression: Expression, used: Mapping[str, Any], reason: str) -> ExpressionError:
    told = values(expression, used)
    return ExpressionError(f"`{short(expression.source)}` failed: {reason}" + (f" ({told})" if told else ""))


def _value(variables: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = variables
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return "nothing"
        value = value[name]
    return short(json.dumps(value, ensure_ascii=False, default=str))


def _reason(bad: BaseException) -> str:
    """Return the first line of the library's message without its advice, which speaks to programmers."""
    text = str(bad).partition("ERROR: <input>:")[2] or str(bad)
    line = text.splitlines()[0] if text else type(bad).__name__
    for noise in (". Check ", ". CEL does not", " expecting {"):
        line = line.partition(noise)[0]
    if isinstance(bad, KeyError):
        return f"there is no {line}"
    return line.replace("Python function call failed: ", "").replace("ValueError: ", "")


def short(text: str, length: int = 160) -> str:
    """Return a text on one line, cut where it is longer."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _numbers(function: str, values: tuple[Any, ...]) -> list[Any]:
    listed = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not listed:
        raise ValueError(f"{function} of an empty list")
    for value in listed:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{function} needs numbers, not {show(value)}")
    return listed


def minimum(*values: Any) -> Any:
    """Return the smallest of some numbers, or of a list of them."""
    return min(_numbers("min", values))


def maximum(*values: Any) -> Any:
    """Return the largest of some numbers, or of a list of them."""
    return max(_numbers("max", values))


def argmax(items: Any, name: Any) -> Any:
    """Return the entry whose field `name` is largest, the first among equals. Entries where it is null do not count."""
    if not isinstance(items, list) or not isinstance(name, str):
        raise ValueError('argmax needs a list and a field name: argmax(list, "value")')
    known = [i for i in items if isinstance(i, Mapping) and isinstance(i.get(name), int | float)]
    if not known:
        raise ValueError(f"argmax found no entry with a number in {name!r}")
    return max(known, key=lambda item: float(item[name]))


def show(value: Any) -> str:
    """Return a value as a person would write it: three significant digits, lists with commas, null as `unknown`."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(show, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def percent(value: Any) -> str:
    """Return a ratio as percent: 0.345 as `34.5 %`; null as `unknown`."""
    if value is None:
        return "unknown"
    (ratio,) = _numbers("percent", (value,))
    return f"{100 * ratio:.3g} %"


FUNCTIONS: Final[Mapping[str, Any]] = {
    "min": minimum,
    "max": maximum,
    "argmax": argmax,
    "show": show,
    "percent": percent,
}
"""What we add to CEL."""


def unknown_function(name: str) -> str | None:
    """Return how to correct a function that does not exist, None for one that does."""
    known: Iterable[str] = NATIVE | set(FUNCTIONS)
    return None if name in known else nearest(name, known).lstrip("; ")
