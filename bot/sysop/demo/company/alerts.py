"""Alerts as Prometheus keeps them: pending, firing, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sysop.demo.company.rules import ALERT_RULES, AlertRule, Labels, Vector, render


@dataclass(frozen=True)
class Alert:
    """One alert at one moment. It fires once `fired_at` is set, and is over once `resolved_at` is set too."""

    rule: AlertRule
    of: Labels
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
        return {"alertname": self.rule.name, **dict(self.of), "severity": self.rule.severity}

    @property
    def service(self) -> str:
        """Return the service it is about."""
        return dict(self.of)["service"]

    @property
    def annotations(self) -> dict[str, str]:
        """Return the texts, with the value of the last moment above the threshold."""
        rule = self.rule
        texts = {"summary": rule.summary, "description": rule.description}
        return {name: render(text, dict(self.of), self.value) for name, text in texts.items()}


@dataclass(frozen=True)
class FalseAlarm:
    """An alert that fires until a time although nothing is wrong: somebody broke the watcher."""

    rule: AlertRule
    service: str
    until: float

    @property
    def member(self) -> tuple[tuple[str, Labels], tuple[AlertRule, float]]:
        """Return it as a member of a series just beyond the threshold."""
        beyond = self.rule.threshold * (1.5 if self.rule.beyond == ">" else 0.5)
        return (self.rule.name, (("service", self.service),)), (self.rule, beyond)


class Alerts:
    """The state of every alert between evaluations."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, Labels], Alert] = {}
        self._false: list[FalseAlarm] = []

    @property
    def active(self) -> list[Alert]:
        """Return what is pending or firing."""
        return list(self._active.values())

    def mislead(self, alarm: FalseAlarm) -> None:
        """Let a false alarm go off."""
        self._false.append(alarm)

    def evaluate(self, at: float, recorded: Mapping[str, Vector]) -> list[Alert]:
        """Take the recorded series of one moment; return what fires now and what has just resolved."""
        above = {
            (rule.name, labels): (rule, value)
            for rule in ALERT_RULES
            for labels, value in recorded[rule.series].items()
            if rule.holds(labels, value)
        }
        self._false = [alarm for alarm in self._false if alarm.until > at]
        above.update(alarm.member for alarm in self._false)
        ended = [alert for key, alert in self._active.items() if key not in above]
        self._active = {
            key: _advance(self._active.get(key), rule, key[1], value, at) for key, (rule, value) in above.items()
        }
        resolved = [replace(alert, resolved_at=at) for alert in ended if alert.firing]
        return [alert for alert in self.active if alert.firing] + resolved


def _advance(known: Alert | None, rule: AlertRule, of: Labels, value: float, at: float) -> Alert:
    alert = replace(known, value=value) if known else Alert(rule, of, active_at=at, value=value)
    if alert.fired_at is None and at - alert.active_at >= rule.hold_seconds:
        return replace(alert, fired_at=at)
    return alert
