"""Alerts as Prometheus keeps them: pending, firing, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sysop.demo.company.rules import ALERT_RULES, AlertRule, Vector, render


@dataclass(frozen=True)
class Alert:
    """One alert at one moment. It fires once `fired_at` is set, and is over once `resolved_at` is set too."""

    rule: AlertRule
    service: str
    active_at: float
    value: float
    fired_at: float | None = None
    resolved_at: float | None = None

    @property
    def firing(self) -> bool:
        """Say whether the alert has fired and is not over."""
        return self.fired_at is not None and self.resolved_at is None

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that identify the alert."""
        return {"alertname": self.rule.name, "service": self.service, "severity": self.rule.severity}

    @property
    def annotations(self) -> dict[str, str]:
        """Return the texts, with the value of the last moment above the threshold."""
        rule = self.rule
        texts = {"summary": rule.summary, "description": rule.description}
        return {name: render(text, self.service, self.value) for name, text in texts.items()}


class Alerts:
    """The state of every alert between evaluations."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, str], Alert] = {}

    @property
    def active(self) -> list[Alert]:
        """Return what is pending or firing."""
        return list(self._active.values())

    def evaluate(self, at: float, recorded: Mapping[str, Vector]) -> list[Alert]:
        """Take the recorded series of one moment; return what fires now and what has just resolved."""
        above = {
            (rule.name, dict(labels)["service"]): (rule, value)
            for rule in ALERT_RULES
            for labels, value in recorded[rule.series].items()
            if value > rule.threshold
        }
        ended = [alert for key, alert in self._active.items() if key not in above]
        self._active = {
            key: _advance(self._active.get(key), rule, key[1], value, at) for key, (rule, value) in above.items()
        }
        resolved = [replace(alert, resolved_at=at) for alert in ended if alert.firing]
        return [alert for alert in self.active if alert.firing] + resolved


def _advance(known: Alert | None, rule: AlertRule, service: str, value: float, at: float) -> Alert:
    alert = replace(known, value=value) if known else Alert(rule, service, active_at=at, value=value)
    if alert.fired_at is None and at - alert.active_at >= rule.hold_seconds:
        return replace(alert, fired_at=at)
    return alert
