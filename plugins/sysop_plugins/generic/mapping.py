"""Make alerts of deliveries by expressions, with a bound on the work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sysop.api import (
    Alert,
    Delivery,
    Expression,
    ExpressionError,
    compile_expression,
    evaluate_expression,
    expression_steps,
)
from sysop_plugins.generic.settings import Source
from sysop_plugins.incoming import Id, Time, link, milliseconds

MAX_ALERTS = 1_000
MAX_VALUES = 100_000
"""So many values the expressions of one delivery may look at; each is handed to their interpreter at a cost."""
MAX_STEPS = 5_000_000
"""So many steps their macros may take; one expression takes its 250,000 in about 0.02 s, holding up everybody else."""
_LATEST_MS = 253_402_300_799_999
_PLAIN = re.compile(r"(?:alert|body|headers)(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_ID = TypeAdapter(Id)
_TIME = TypeAdapter(Time)


class _Formula:
    """One expression and the place it stands at. A plain path is followed without the interpreter.

    Where a path leads to nothing its value is null if that is `may_lack`, else it is wrong.
    """

    def __init__(self, place: str, source: str, *, may_lack: bool = False) -> None:
        self.place = place
        self._source = source.strip()
        self._may_lack = may_lack
        self._path = self._source.split(".") if _PLAIN.fullmatch(self._source) else None
        self._expression = compile_expression(source, place=place, line=0)

    def value(self, variables: Mapping[str, Any], work: _Work) -> Any:
        """Return the value. Raises ValueError naming the place."""
        if self._path is not None:
            return self._follow(self._path, variables)
        if too_much := work.add(self._expression, variables):
            raise self.wrong(f"would {too_much} in all; send fewer at once")
        try:
            return evaluate_expression(self._expression, variables)
        except ExpressionError as bad:
            raise ValueError(f"{self.place}: {bad}") from bad

    def _follow(self, path: list[str], variables: Mapping[str, Any]) -> Any:
        found: Any = variables
        for name in path:
            if not isinstance(found, Mapping) or name not in found:
                if self._may_lack:
                    return None
                raise self.wrong(f"leads to nothing: there is no {name}")
            found = found[name]
        return found

    def optional(self, variables: Mapping[str, Any], work: _Work) -> str | None:
        """Return the value as text, None for null."""
        value = self.value(variables, work)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return f"{value:g}" if isinstance(value, float) else str(value)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(f"must be text or a number, not {_kind(value)}")

    def time(self, variables: Mapping[str, Any], work: _Work, scale: int) -> int | None:
        """Return the value as a time in milliseconds, None for null."""
        value = self.value(variables, work)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not 0 <= value * scale <= _LATEST_MS:
                raise self.wrong(f"is {value}, which is no time; see `unit`")
            return round(value * scale)
        try:
            return milliseconds(_TIME.validate_python(value))
        except ValidationError as bad:
            raise self.wrong("must be a time with its offset, such as 2026-11-23T15:52:22Z") from bad

    def wrong(self, fault: str) -> ValueError:
        """Return the error that names the setting and its expression."""
        return ValueError(f"{self.place}: `{self._source}` {fault}")


class _Work:
    """Counts what the expressions of one delivery look at."""

    def __init__(self) -> None:
        self._left = MAX_VALUES
        self._steps = MAX_STEPS

    def add(self, expression: Expression, variables: Mapping[str, Any]) -> str:
        """Count what an expression is about to do; return what of it is too much, "" where there was room for it."""
        for path in expression.uses:
            value = variables.get(path[0])
            if len(path) > 1 and isinstance(value, Mapping):
                value = value.get(path[1])
            self._left -= _count(value, self._left)
            if self._left < 0:
                return f"look at more than {MAX_VALUES} values"
        self._steps -= expression_steps(expression, variables)
        return f"walk lists in more than {MAX_STEPS} steps" if self._steps < 0 else ""


class Mapper:
    """Reads the deliveries of one source."""

    def __init__(self, name: str, source: Source) -> None:
        self._name = name
        self._hidden = source.proof.headers
        self._scale = 1000 if source.unit == "seconds" else 1
        self._alerts = _Formula("alerts", source.alerts)
        self._when = _Formula("when", source.when)
        self._fingerprint = _Formula("fingerprint", source.fingerprint)
        self._starts_at = _Formula("starts_at", source.starts_at)
        self._ends_at = _Formula("ends_at", source.ends_at, may_lack=True)
        self._url = _Formula("url", source.url, may_lack=True)
        self._labels = _formulas("labels", source.labels)
        self._annotations = _formulas("annotations", source.annotations)

    def parse(self, delivery: Delivery) -> Iterator[Alert]:
        """Yield the alerts of one delivery. Raises ValueError naming the setting whose value is wrong, and of which."""
        headers = {name: value for name, value in delivery.headers.items() if name not in self._hidden}
        whole, work = {"body": delivery.json, "headers": headers}, _Work()
        found = self._alerts.value(whole, work)
        if not isinstance(found, list):
            raise self._alerts.wrong(f"must be a list, not {_kind(found)}")
        if len(found) > MAX_ALERTS:
            raise self._alerts.wrong(f"has {len(found)} in one delivery, {MAX_ALERTS} are allowed; send fewer")
        for number, one in enumerate(found):
            try:
                yield from self._alert({**whole, "alert": one}, work)
            except ValueError as bad:
                raise ValueError(f"alerts[{number}].{bad}") from bad

    def _alert(self, variables: Mapping[str, Any], work: _Work) -> Iterator[Alert]:
        wanted = self._when.value(variables, work)
        if not isinstance(wanted, bool):
            raise self._when.wrong(f"must be true or false, not {_kind(wanted)}")
        if not wanted:
            return
        starts_at = self._starts_at.time(variables, work, self._scale)
        ends_at = self._ends_at.time(variables, work, self._scale)
        start = ends_at if starts_at is None else starts_at
        if start is None:
            raise self._starts_at.wrong("must be a time, unless ends_at is one")
        yield Alert(
            source=self._name,
            fingerprint=self._id(variables, work),
            starts_at=start,
            ends_at=ends_at,
            labels=_texts(self._labels, variables, work),
            annotations=_texts(self._annotations, variables, work),
            url=link(self._url.optional(variables, work)),
            ending=starts_at is None,
        )

    def _id(self, variables: Mapping[str, Any], work: _Work) -> str:
        try:
            return _ID.validate_python(self._fingerprint.optional(variables, work))
        except ValidationError as bad:
            raise self._fingerprint.wrong("must be text of 1 to 200 characters") from bad


def _formulas(place: str, sources: Mapping[str, str]) -> dict[str, _Formula]:
    return {name: _Formula(f"{place}.{name}", source, may_lack=True) for name, source in sources.items()}


def _texts(formulas: Mapping[str, _Formula], variables: Mapping[str, Any], work: _Work) -> dict[str, str]:
    found = {name: formula.optional(variables, work) for name, formula in formulas.items()}
    return {name: text for name, text in found.items() if text}


def _count(value: Any, most: int) -> int:
    """Return how many values there are inside one, not counting far beyond `most`; long text counts as several."""
    total, todo = 0, [value]
    while todo and total <= most:
        one = todo.pop()
        total += 1 + (len(one) // 100 if isinstance(one, str) else 0)
        if isinstance(one, Mapping):
            todo += one.values()
        elif isinstance(one, list):
            todo += one
    return total


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
