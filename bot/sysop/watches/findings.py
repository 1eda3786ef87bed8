"""A finding as an alert: who it is, since when, and what a person wants to see of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence

from sysop.model import Alert
from sysop.sections import MetricWatchSettings
from sysop.watches.chart import sparkline
from sysop.watches.judgement import Judgement

SOURCE = "watch"
WATCH_LABEL = "watch"
SHOWN = 40
"""Values in the chart of a finding."""


def fingerprint(*parts: object) -> str:
    """Return 16 hex digits that tell one finding's place from any other's."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_series(watch: MetricWatchSettings, labels: Mapping[str, str]) -> str:
    """Return the fingerprint of whatever a watch finds in one series."""
    return fingerprint("metric", watch.name, {k: v for k, v in labels.items() if k != "__name__"})


def metric_alert(
    watch: MetricWatchSettings, labels: Mapping[str, str], starts_at: int, annotations: Mapping[str, str]
) -> Alert:
    """Return a departure of one series as an alert that fires; `starts_at` is in seconds."""
    own = {**watch.labels, "alertname": watch.name, WATCH_LABEL: watch.name, "severity": watch.severity}
    if watch.service is not None:
        own["service"] = watch.service
    series = {name: value for name, value in labels.items() if name != "__name__"}
    return Alert(SOURCE, of_series(watch, labels), starts_at * 1000, None, {**series, **own}, annotations)


def told(watch: MetricWatchSettings, judgement: Judgement, value: float, recent: Sequence[float]) -> dict[str, str]:
    """Return the annotations of a departure: seen, expected, by which method, and how the values went."""
    found = {
        "summary": f"{watch.name}: {value:.4g} where {_range(judgement)} is normal",
        "description": f"{judgement.method}: {judgement.reason}",
        "value": f"{value:.6g}",
        "expected": _range(judgement),
        "method": judgement.method,
        "chart": sparkline(recent, SHOWN),
        "query": watch.query,
    }
    return {name: text for name, text in found.items() if text}


def _range(judgement: Judgement) -> str:
    band = judgement.band
    if band is None or not all(map(math.isfinite, (band.low, band.high))):
        return "another value"
    return f"{band.low:.4g} to {band.high:.4g}"
