"""The rules of rules.yml as the watcher evaluates them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sysop.demo.company.series import LAST, RATE, Fold, Sample

Labels = tuple[tuple[str, str], ...]
"""Name and value pairs, sorted by name."""

Vector = Mapping[Labels, float]


@dataclass(frozen=True)
class Pick:
    """Which series to aggregate: a metric, the codes that begin with a prefix, and what is made of their points."""

    metric: str
    code: str = ""
    fold: Fold = RATE

    def takes(self, sample: Sample) -> bool:
        """Say whether a folded series is one of them."""
        same = sample.metric == self.metric and sample.fold == self.fold
        return same and sample.labels.get("code", "").startswith(self.code)


Aggregate = Literal["sum", "max", "min"]

_AGGREGATES: Mapping[Aggregate, Callable[[float, float], float]] = {"sum": operator.add, "max": max, "min": min}


@dataclass(frozen=True)
class Recording:
    """A recorded series: an aggregate of folds, or a sum divided by another where that is more than zero."""

    name: str
    by: tuple[str, ...]
    over: Pick
    under: Pick | None = None
    aggregate: Aggregate = "sum"


@dataclass(frozen=True)
class AlertRule:
    """An alert on one recorded series beyond a threshold. Texts are written as in rules.yml."""

    name: str
    series: str
    threshold: float
    hold_seconds: float
    severity: str
    summary: str
    description: str
    beyond: Literal[">", "<"] = ">"
    where: tuple[str, str] | None = None
    """A label and the value it must have."""

    @property
    def expression(self) -> str:
        """Return the rule's PromQL."""
        matcher = f'{{{self.where[0]}="{self.where[1]}"}}' if self.where else ""
        return f"{self.series}{matcher} {self.beyond} {self.threshold:.15g}"

    def holds(self, labels: Labels, value: float) -> bool:
        """Say whether a member of the series is one to alert on."""
        fits = self.where is None or self.where in labels
        return fits and (value > self.threshold if self.beyond == ">" else value < self.threshold)


_REQUESTS = Pick("http_requests_total")
_ERRORS = Pick("http_requests_total", "5")
_OWN_ERRORS = Pick("http_requests_total", "500")
_SECONDS, _ANSWERS = Pick("http_request_seconds_sum"), Pick("http_request_seconds_count")
_OWN_SECONDS, _OWN_ANSWERS = Pick("http_own_seconds_sum"), Pick("http_own_seconds_count")
_CALLS, _FAILED_CALLS = Pick("dependency_calls_total"), Pick("dependency_calls_total", "5")
_RESTARTS, _LATE_RESTARTS = (Pick("replica_restarts_total", fold=Fold("increase", span)) for span in (60.0, 20.0))
_GROWTH = Pick("process_memory_bytes", fold=Fold("deriv", 30.0))
_SERVICE, _VERSION = ("service",), ("service", "version")


def _latest(name: str, metric: str, by: tuple[str, ...] = _SERVICE, aggregate: Aggregate = "max") -> Recording:
    return Recording(name, by, Pick(metric, fold=LAST), aggregate=aggregate)


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
        Recording("service:dependency_error_ratio:rate10s", ("service", "dependency"), _FAILED_CALLS, _CALLS),
        Recording(
            "service:saturation:mean10s", _SERVICE, Pick("work_seconds_total"), Pick("replicas_ready", fold=LAST)
        ),
        Recording("service:restarts:increase60s", _SERVICE, _RESTARTS),
        Recording("service:restarts:increase20s", _SERVICE, _LATE_RESTARTS),
        Recording("service:memory_bytes:deriv30s", _SERVICE, _GROWTH, aggregate="max"),
        _latest("service:memory_bytes:max", "process_memory_bytes"),
        _latest("service:replicas_ready", "replicas_ready"),
        _latest("service:replicas_wanted", "replicas_wanted"),
        _latest("service:rollout_seconds", "rollout_seconds"),
        _latest("service:disk_used_ratio", "disk_used_ratio"),
        _latest("service:certificate_expires_seconds", "certificate_expires_seconds", aggregate="min"),
        _latest("service:config_revision", "config_info", ("service", "revision")),
        _latest("service:config_valid", "config_valid", aggregate="min"),
        _latest("pipeline:last_result", "pipeline_result", ("pipeline", "service", "build")),
    )
}

CUSTOMERS = ("version:own_error_ratio:rate10s", "version:own_latency_seconds:mean10s")
"""Recorded series that are there once every service has answered somebody."""

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
    AlertRule(
        name="ServiceCrashLooping",
        series="service:restarts:increase20s",
        threshold=1.5,
        hold_seconds=0.0,
        severity="critical",
        summary="{{ $labels.service }} crashes again and again",
        description="Replicas of {{ $labels.service }} ended by themselves more than once within 20 s.",
    ),
    AlertRule(
        name="ServiceSaturated",
        series="service:saturation:mean10s",
        threshold=0.8,
        hold_seconds=0.0,
        severity="error",
        summary='{{ $labels.service }} is asked for {{ printf "%.2f" $value }} of what it can do',
        description="{{ $labels.service }} was asked for more than 0.8 of its capacity over the last 10 s.",
    ),
    AlertRule(
        name="RolloutStuck",
        series="service:rollout_seconds",
        threshold=6.0,
        hold_seconds=0.0,
        severity="error",
        summary="a rollout of {{ $labels.service }} does not finish",
        description="New replicas of {{ $labels.service }} have not become ready for more than 6 s.",
    ),
    AlertRule(
        name="DiskFilling",
        series="service:disk_used_ratio",
        threshold=0.85,
        hold_seconds=1.0,
        severity="error",
        summary="the data folder of {{ $labels.service }} is {{ $value | humanizePercentage }} full",
        description="{{ $labels.service }} has used more than 0.85 of the space it may use.",
    ),
    AlertRule(
        name="CertificateExpiring",
        series="service:certificate_expires_seconds",
        threshold=604800.0,
        hold_seconds=1.0,
        severity="error",
        summary="the certificate of {{ $labels.service }} expires soon",
        description="The certificate of {{ $labels.service }} expires within 7 days.",
        beyond="<",
    ),
    AlertRule(
        name="DependencyDown",
        series="service:dependency_error_ratio:rate10s",
        threshold=0.2,
        hold_seconds=0.0,
        severity="critical",
        summary="{{ $labels.dependency }} fails {{ $labels.service }}",
        description="More than a fifth of the calls of {{ $labels.service }} to {{ $labels.dependency }} failed.",
        where=("dependency", "acquirer"),
    ),
    AlertRule(
        name="ConfigurationInvalid",
        series="service:config_valid",
        threshold=1.0,
        hold_seconds=1.0,
        severity="error",
        summary="{{ $labels.service }} rejects its configuration",
        description="{{ $labels.service }} goes on with its last good configuration; the newest revision is invalid.",
        beyond="<",
    ),
    AlertRule(
        name="MemoryGrowing",
        series="service:memory_bytes:deriv30s",
        threshold=500000.0,
        hold_seconds=2.0,
        severity="error",
        summary="the memory of {{ $labels.service }} grows without end",
        description="A replica of {{ $labels.service }} grew by more than 0.5 MB a second over the last 30 s.",
    ),
    AlertRule(
        name="PipelineFailed",
        series="pipeline:last_result",
        threshold=1.0,
        hold_seconds=0.0,
        severity="error",
        summary="{{ $labels.pipeline }} of {{ $labels.service }} failed in {{ $labels.build }}",
        description="The newest build of the pipeline {{ $labels.pipeline }} for {{ $labels.service }} failed.",
        beyond="<",
    ),
)


def folds() -> dict[str, set[Fold]]:
    """Return what the recordings make of each metric."""
    wanted: dict[str, set[Fold]] = {}
    for rule in RECORDINGS.values():
        for pick in (rule.over, rule.under):
            if pick is not None:
                wanted.setdefault(pick.metric, set()).add(pick.fold)
    return wanted


def record(samples: Iterable[Sample]) -> dict[str, Vector]:
    """Evaluate every recording rule over the folded series of one moment."""
    known: dict[str, list[Sample]] = {}
    for sample in samples:
        known.setdefault(sample.metric, []).append(sample)
    return {name: _evaluate(rule, known) for name, rule in RECORDINGS.items()}


def _evaluate(rule: Recording, known: Mapping[str, Sequence[Sample]]) -> Vector:
    over = _aggregate(known, rule.over, rule)
    if rule.under is None:
        return over
    under = _aggregate(known, rule.under, rule)
    return {labels: over[labels] / amount for labels, amount in under.items() if amount > 0 and labels in over}


def _aggregate(known: Mapping[str, Sequence[Sample]], pick: Pick, rule: Recording) -> dict[Labels, float]:
    found: dict[Labels, float] = {}
    combine = _AGGREGATES[rule.aggregate]
    for sample in known.get(pick.metric, ()):
        if pick.takes(sample):
            labels = _labels(rule.by, tuple(sample.labels[name] for name in rule.by))
            found[labels] = combine(found[labels], sample.value) if labels in found else sample.value
    return found


@cache
def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> Labels:
    """Return one shared tuple a series, since half an hour of evaluations keeps it."""
    return tuple(sorted(zip(names, values, strict=True)))


def render(template: str, labels: Mapping[str, str], value: float) -> str:
    """Fill in the template forms that rules.yml uses."""
    for name, text in labels.items():
        template = template.replace(f"{{{{ $labels.{name} }}}}", text)
    return template.replace("{{ $value | humanizePercentage }}", f"{value * 100:.4g}%").replace(
        '{{ printf "%.2f" $value }}', f"{value:.2f}"
    )
