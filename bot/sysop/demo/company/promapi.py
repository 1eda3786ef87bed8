"""Prometheus's HTTP API over the watcher's recorded series."""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sysop.demo.company import wire
from sysop.demo.company.alerts import Alerts
from sysop.demo.company.notify import timestamp
from sysop.demo.company.rules import Labels, Vector
from sysop.demo.company.selector import BadQuery, Selector, parse
from sysop.demo.company.wire import Request, Response

LOOKBACK_SECONDS = 300.0
MAX_POINTS = 11_000
KEPT_EVALUATIONS = 1800

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNIT_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)


class BadParameter(Exception):
    """A parameter of a request is wrong; the text is what Prometheus would answer."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f'invalid parameter "{name}": {reason}')


class TooManyPoints(Exception):
    """A range query asks for more points than Prometheus gives; the text is Prometheus's."""

    def __init__(self) -> None:
        super().__init__(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )


@dataclass(frozen=True)
class Evaluation:
    """Every recorded series at one moment."""

    at: float
    recorded: Mapping[str, Vector]


class History:
    """The evaluations of the last half hour, oldest first."""

    def __init__(self) -> None:
        self._evaluations: deque[Evaluation] = deque(maxlen=KEPT_EVALUATIONS)

    def add(self, evaluation: Evaluation) -> None:
        """Keep an evaluation, which must be later than the others."""
        self._evaluations.append(evaluation)

    def at(self, moment: float, selector: Selector) -> dict[Labels, float]:
        """Return what a selector matches at a moment: a series that has ended is gone at once."""
        found = bisect_right(self._evaluations, moment, key=lambda evaluation: evaluation.at)
        if not found or (latest := self._evaluations[found - 1]).at < moment - LOOKBACK_SECONDS:
            return {}
        return selector.pick(latest.recorded[selector.name])


class Api:
    """Answers queries, `/api/v1/alerts` and `/-/ready`; everything else is refused as Prometheus refuses."""

    def __init__(self, history: History, alerts: Alerts, ready: Callable[[], bool]) -> None:
        self._history = history
        self._alerts = alerts
        self._ready = ready

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        queries = {"/api/v1/query": self._instant, "/api/v1/query_range": self._range}
        if request.path in queries:
            if request.method not in ("GET", "POST"):
                return wire.text_response("method not allowed", 405)
            return _answer(queries[request.path], request.values)
        if request.path == "/api/v1/alerts":
            return _success({"alerts": self._active()})
        if request.path == "/-/ready":
            return wire.text_response("The watcher is ready." if (ready := self._ready()) else "Not yet.", _code(ready))
        return wire.text_response("404 page not found", 404)

    def _instant(self, values: Mapping[str, str]) -> dict[str, Any]:
        at = _time("time", values["time"], "Invalid time value for 'time': ") if values.get("time") else time.time()
        selector = _selector(values)
        found = self._history.at(at, selector)
        result = [{"metric": _metric(selector, labels), "value": _point(at, found[labels])} for labels in sorted(found)]
        return {"resultType": "vector", "result": result}

    def _range(self, values: Mapping[str, str]) -> dict[str, Any]:
        start, end = (_time(name, values.get(name, "")) for name in ("start", "end"))
        if end < start:
            raise BadParameter("end", "end timestamp must not be before start time")
        step = _step(values.get("step", ""))
        if (end - start) / step > MAX_POINTS:
            raise TooManyPoints
        selector = _selector(values)
        series: dict[Labels, list[list[Any]]] = {}
        for number in range(math.floor((end - start) / step + 1e-9) + 1):
            at = start + number * step
            for labels, value in self._history.at(at, selector).items():
                series.setdefault(labels, []).append(_point(at, value))
        result = [{"metric": _metric(selector, labels), "values": series[labels]} for labels in sorted(series)]
        return {"resultType": "matrix", "result": result}

    def _active(self) -> list[dict[str, Any]]:
        return [
            {
                "labels": alert.labels,
                "annotations": alert.annotations,
                "state": "firing" if alert.firing else "pending",
                "activeAt": timestamp(alert.active_at),
                "value": scientific(alert.value),
            }
            for alert in self._alerts.active
        ]


def _code(ready: bool) -> int:
    return 200 if ready else 503


def _answer(query: Callable[[Mapping[str, str]], dict[str, Any]], values: Mapping[str, str]) -> Response:
    try:
        return _success(query(values))
    except (BadParameter, TooManyPoints) as bad:
        return wire.json_response({"status": "error", "errorType": "bad_data", "error": str(bad)}, 400)


def _success(data: dict[str, Any]) -> Response:
    return wire.json_response({"status": "success", "data": data})


def _selector(values: Mapping[str, str]) -> Selector:
    try:
        return parse(values.get("query", ""))
    except BadQuery as bad:
        raise BadParameter("query", str(bad)) from bad


def _metric(selector: Selector, labels: Labels) -> dict[str, str]:
    return {"__name__": selector.name, **dict(labels)}


def _point(at: float, value: float) -> list[Any]:
    return [round(at, 3), decimal(value)]


def decimal(value: float) -> str:
    """Return a number as Prometheus writes it in results: shortest form, never with an exponent."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def scientific(value: float) -> str:
    """Return a number as Prometheus writes it in alerts: shortest form, always with an exponent."""
    digits = "".join(map(str, Decimal(repr(value)).as_tuple().digits)).strip("0")
    mantissa, _, exponent = f"{value:.{max(len(digits) - 1, 0)}e}".partition("e")
    return f"{mantissa}e{exponent}"


def _time(name: str, text: str, prefix: str = "") -> float:
    wrong = BadParameter(name, f'{prefix}cannot parse "{text}" to a valid timestamp')
    try:
        moment = float(text)
    except ValueError:
        moment = _rfc3339(text, wrong)
    if not math.isfinite(moment):
        raise wrong
    return moment


def _rfc3339(text: str, wrong: BadParameter) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as bad:
        raise wrong from bad
    if moment.tzinfo is None or "T" not in text:
        raise wrong
    return moment.timestamp()


def _step(text: str) -> float:
    try:
        step = float(text)
    except ValueError:
        found = _DURATION.fullmatch(text) if text else None
        if found is None:
            raise BadParameter("step", f'cannot parse "{text}" to a valid duration') from None
        step = sum(int(count or 0) * unit for count, unit in zip(found.groups(), _UNIT_SECONDS, strict=True))
    if not step > 0 or math.isinf(step):
        raise BadParameter(
            "step", "zero or negative query resolution step widths are not accepted. Try a positive integer"
        )
    return step
