"""What Prometheus answers over HTTP, read into values: few of them for actions, many for watches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from sysop.api import ActionFailed, InvalidCall, MetricSeries, Response

MAX_SERIES = 1_000


class Data(BaseModel):
    """What an action returns."""

    model_config = ConfigDict(frozen=True)


class Sample(Data):
    """One series' value. `value` is null where it is no finite number; `at` is in seconds since the epoch."""

    labels: dict[str, str]
    value: float | None
    at: float


class Point(Data):
    """A value at a time, in seconds since the epoch. `value` is null where it is no finite number."""

    at: float
    value: float | None


class Series(Data):
    """One series over time, oldest point first."""

    labels: dict[str, str]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus answered: the type of its result, and the result as it stands in the JSON."""

    kind: str
    result: Any


def numbers(answer: Answer) -> list[MetricSeries]:
    """Return every series of a range query; what is no finite number is NaN. Raises ActionFailed or InvalidCall."""
    if answer.kind != "matrix":
        raise ActionFailed(f"metrics: the server answered a range query with a {answer.kind}")
    try:
        return [
            MetricSeries(_labels(one), [(float(at), _finite(v)) for at, v in _values(one)]) for one in answer.result
        ]
    except (KeyError, TypeError, ValueError) as bad:
        raise _unreadable(bad) from bad


def _labels(series: Mapping[str, Any]) -> Mapping[str, str]:
    labels = dict(series["metric"])
    wrong = [name for name, value in labels.items() if not isinstance(value, str)]
    if wrong:
        raise ValueError(f"the label {wrong[0]} is not text")
    return labels


def _values(series: Mapping[str, Any]) -> list[Any]:
    if "values" not in series and "histograms" in series:
        raise InvalidCall("query: gives histograms; ask for a number, such as histogram_quantile(0.99, ...)")
    return list(series["values"])


def _finite(text: str) -> float:
    number = _number(text)
    return math.nan if number is None else number


def read_answer(response: Response) -> Answer:
    """Tell Prometheus's own refusals from those of something in front of it. Raises ActionFailed for both."""
    if response.status in (401, 403):
        raise ActionFailed(f"metrics: the server answered {response.status}; see plugins.metrics.token_secret")
    body = response.json()
    match body:
        case {"status": "success", "data": {"resultType": str(kind), "result": result}}:
            return Answer(kind, result)
        case {"status": "error", "error": str(message)}:
            raise ActionFailed(f"metrics: {body.get('errorType', 'error')}: {message}")
    raise ActionFailed(f"metrics: the server answered {response.status} with something that is not Prometheus's API")


def instant(answer: Answer) -> tuple[Sample, ...]:
    """Return the values now. Raises InvalidCall for a history or too many series, ActionFailed for what is neither."""
    try:
        match answer.kind:
            case "vector":
                found = tuple(_sample(one["metric"], one["value"]) for one in answer.result)
            case "scalar":
                found = (_sample({}, answer.result),)
            case kind:
                raise InvalidCall(f"query: gives a {kind}, not a value now; for a history use metrics.range")
    except (KeyError, TypeError, ValueError) as bad:
        raise _unreadable(bad) from bad
    if len(found) > MAX_SERIES:
        raise InvalidCall(f"query: gives {len(found)} series, at most {MAX_SERIES} are read; aggregate or narrow it")
    return found


def matrix(answer: Answer) -> tuple[Series, ...]:
    """Return every series of a range query as an action returns it. Raises ActionFailed or InvalidCall."""
    if answer.kind != "matrix":
        raise ActionFailed(f"metrics: the server answered a range query with a {answer.kind}")
    try:
        return tuple(
            Series(labels=one["metric"], points=tuple(Point(at=at, value=_number(v)) for at, v in _values(one)))
            for one in answer.result
        )
    except (KeyError, TypeError, ValueError) as bad:
        raise _unreadable(bad) from bad


def _sample(labels: dict[str, str], value: Any) -> Sample:
    at, text = value
    return Sample(labels=labels, value=_number(text), at=at)


def _number(text: str) -> float | None:
    """Read a sample's text. NaN and the infinities have no JSON form, so they become null."""
    number = float(text)
    return number if math.isfinite(number) else None


def _unreadable(bad: Exception) -> ActionFailed:
    return ActionFailed(f"metrics: the server's answer cannot be read: {type(bad).__name__}: {bad}")
