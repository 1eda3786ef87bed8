"""The rules of rules.yml as the watcher evaluates them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sysop.demo.company.series import Rate

Labels = tuple[tuple[str, str], ...]
"""Name and value pairs, sorted by name."""

Vector = Mapping[Labels, float]


@dataclass(frozen=True)
class Pick:
    """Which counters to add up: a metric, and the codes that begin with a prefix."""

    metric: str
    code: str = ""

    def takes(self, rate: Rate) -> bool:
        """Say whether a rate is one of them."""
        return rate.metric == self.metric and rate.labels.get("code", "").startswith(self.code)


@dataclass(frozen=True)
class Recording:
    """A recorded series: a sum of rates, or such a sum divided by another where that is more than zero."""

    name: str
    by: tuple[str, ...]
    over: Pick
    under: Pick | None = None


@dataclass(frozen=True)
class AlertRule:
    """An alert on one recorded series above a threshold. Texts are written as in rules.yml."""

    name: str
    series: str
    threshold: float
    hold_seconds: float
    severity: str
    summary: str
    description: str

    @property
    def expression(self) -> str:
        """Return the rule's PromQL."""
        return f"{self.series} > {self.threshold:g}"


_REQUESTS = Pick("http_requests_total")
_ERRORS = Pick("http_requests_total", "5")
_OWN_ERRORS = Pick("http_requests_total", "500")
_SECONDS, _ANSWERS = Pick("http_request_seconds_sum"), Pick("http_request_seconds_count")
_OWN_SECONDS, _OWN_ANSWERS = Pick("http_own_seconds_sum"), Pick("http_own_seconds_count")
_SERVICE, _VERSION = ("service",), ("service", "version")

RECORDINGS = {
    rule.name: rule
    for rule in (
        Recording("service:requests:rate10s", _SERVICE, _REQUESTS),
        Recording("service:error_ratio:rate10s", _SERVICE, _ERRORS, _REQUESTS),
        Recording("service:own_error_ratio:rate10s", _SERVICE, _OWN_ERRORS, _REQUESTS),
        Recording("version:own_error_ratio:rate10s", _VERSION, _OWN_ERRORS, _REQUESTS),
        Recording("service:latency_seconds:mean10s", _SERVICE, _SECONDS, _ANSWERS),
        Recording("service:own_latency_seconds:mean10s", _SERVICE, _OWN_SECONDS, _OWN_ANSWERS),
        Recording("version:own_latency_seconds:mean10s", _VERSION, _OWN_SECONDS, _OWN_ANSWERS),
    )
}

ALERT_RULES = (
    AlertRule(
        name="ServiceErrorRatioHigh",
        series="service:error_ratio:rate10s",
        threshold=0.1,
        hold_seconds=2.0,
        severity="critical",
        summary="{{ $labels.service }} error ratio is {{ $value | humanizePercentage }}",
        description="More than a tenth of the answers of {{ $labels.service }} were server errors over the last 10 s.",
    ),
    AlertRule(
        name="ServiceLatencyHigh",
        series="service:latency_seconds:mean10s",
        threshold=0.4,
        hold_seconds=2.0,
        severity="warning",
        summary='{{ $labels.service }} takes {{ printf "%.2f" $value }} s to answer',
        description="{{ $labels.service }} took more than 0.4 s to answer on average over the last 10 s.",
    ),
)


def record(rates: Iterable[Rate]) -> dict[str, Vector]:
    """Evaluate every recording rule over the rates of one moment."""
    known = list(rates)
    return {name: _evaluate(rule, known) for name, rule in RECORDINGS.items()}


def _evaluate(rule: Recording, rates: Sequence[Rate]) -> Vector:
    over = _sum(rates, rule.over, rule.by)
    if rule.under is None:
        return over
    under = _sum(rates, rule.under, rule.by)
    return {labels: over[labels] / amount for labels, amount in under.items() if amount > 0 and labels in over}


def _sum(rates: Sequence[Rate], pick: Pick, by: tuple[str, ...]) -> dict[Labels, float]:
    sums: dict[Labels, float] = {}
    for rate in rates:
        if pick.takes(rate):
            labels = _labels(by, tuple(rate.labels[name] for name in by))
            sums[labels] = sums.get(labels, 0.0) + rate.value
    return sums


@cache
def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> Labels:
    """Return one shared tuple a series, since half an hour of evaluations keeps it."""
    return tuple(sorted(zip(names, values, strict=True)))


def render(template: str, service: str, value: float) -> str:
    """Fill in the template forms that rules.yml uses."""
    return (
        template.replace("{{ $labels.service }}", service)
        .replace("{{ $value | humanizePercentage }}", f"{value * 100:.4g}%")
        .replace('{{ printf "%.2f" $value }}', f"{value:.2f}")
    )
