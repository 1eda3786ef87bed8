"""PagerDuty's webhooks of version 3."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from bodies import GONE, PAGERDUTY, changed

from sysop.api import Alert, Delivery
from sysop_plugins import pagerduty
from sysop_plugins.pagerduty import Settings


def read(body: Any, services: dict[str, str] | None = None) -> list[Alert]:
    return list(pagerduty.parse(Delivery({}, b"", body), services or {}))


def event(kind: str, at: str = "2026-03-02T09:24:07Z", **data: Any) -> dict[str, Any]:
    body = changed(changed(PAGERDUTY, "event.event_type", f"incident.{kind}"), "event.occurred_at", at)
    for name, value in data.items():
        body = changed(body, f"event.data.{name}", value)
    return body


def test_an_incident_that_is_triggered_is_an_alert_since_its_creation() -> None:
    assert read(PAGERDUTY, {"Payments API": "payments"}) == [
        Alert(
            source="pagerduty",
            fingerprint="Q2ROBJ0H5VQYQ7",
            starts_at=1772442847000,
            ends_at=None,
            labels={
                "alertname": "Card payments are declined",
                "service": "payments",
                "severity": "error",
                "priority": "P2",
                "team": "Payments",
            },
            annotations={
                "summary": "Card payments are declined",
                "incident_key": "d3640fbd41094207a1c11e58e46b1662",
            },
            url="https://shop.pagerduty.com/incidents/Q2ROBJ0H5VQYQ7",
        )
    ]


def test_a_service_that_is_not_named_in_the_settings_keeps_its_name() -> None:
    (alert,) = read(PAGERDUTY)
    assert alert.service == "Payments API"


@pytest.mark.parametrize("kind", ["acknowledged", "escalated", "priority_updated", "reassigned", "from.the.future"])
def test_whatever_else_happens_to_an_open_incident_tells_that_it_fires_since_then(kind: str) -> None:
    (alert,) = read(event(kind, status="acknowledged"))
    assert (alert.starts_at, alert.ends_at) == (1772442847000, None)


def test_a_resolved_incident_ends_whatever_start_it_had() -> None:
    (alert,) = read(event("resolved", status="resolved"))
    assert (alert.ending, alert.starts_at, alert.ends_at) == (True, 1772443447000, 1772443447000)


def test_a_reopened_incident_is_a_new_occurrence() -> None:
    (told,) = read(event("reopened", reopened_at="2026-03-02T09:24:06Z"))
    (not_told,) = read(event("reopened"))
    assert (told.starts_at, not_told.starts_at) == (1772443446000, 1772443447000)
    (later,) = read(event("acknowledged", at="2026-03-02T09:30:00Z", reopened_at="2026-03-02T09:24:06Z"))
    assert later.starts_at == told.starts_at


def test_a_change_to_what_is_resolved_already_tells_nothing() -> None:
    assert read(event("priority_updated", status="resolved")) == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("incident.annotated", {"id": "P2LA89X", "type": "incident_note", "content": "we are on it"}),
        ("service.updated", {"id": "PF9KMXH", "type": "service", "summary": "Payments API"}),
        ("pagey.ping", {"type": "ping", "message": "Hello"}),
        ("something.new", None),
    ],
)
def test_other_events_are_taken_and_tell_nothing(kind: str, data: Any) -> None:
    assert read(changed(changed(PAGERDUTY, "event.event_type", kind), "event.data", data)) == []


@pytest.mark.parametrize(
    ("priority", "urgency", "severity"),
    [
        ("P1", "low", "critical"),
        ("P5", "high", "info"),
        (None, "high", "critical"),
        (None, "low", "warning"),
        ("Sev-1", None, None),
        (None, None, None),
    ],
)
def test_the_severity_is_that_of_the_priority_else_of_the_urgency(
    priority: str | None, urgency: str | None, severity: str | None
) -> None:
    (alert,) = read(event("triggered", priority=priority and {"summary": priority}, urgency=urgency))
    assert alert.labels.get("severity") == severity


@pytest.mark.parametrize("name", ["id", "status", "title", "created_at", "service"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^not a PagerDuty webhook of version 3: event\.data\.{name}: Field required$"
    ):
        read(changed(PAGERDUTY, f"event.data.{name}", GONE))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event", GONE),
        ("event.event_type", ""),
        ("event.occurred_at", "soon"),
        ("event.data", None),
        ("event.data", []),
        ("event.data", GONE),
        ("event.data.status", "snoozed"),
        ("event.data.created_at", "2026-03-02"),
        ("event.data.reopened_at", 5),
        ("event.data.service", "payments"),
        ("event.data.teams", {}),
    ],
)
def test_a_wrong_field_is_named(path: str, value: Any) -> None:
    with pytest.raises(ValueError, match="not a PagerDuty webhook of version 3: ") as wrong:
        read(changed(PAGERDUTY, path, value))
    assert f": {path}: " in str(wrong.value)


def test_one_of_several_signatures_must_fit() -> None:
    (source,) = pagerduty.register_alert_sources(Settings())
    body = json.dumps(PAGERDUTY).encode()
    fits, other = (hmac.new(key, body, hashlib.sha256).hexdigest() for key in (b"new", b"old"))
    for header, proven in {
        f"v1={fits}": True,
        f"v1={other},v1={fits}": True,
        f"v1={other}": False,
        f"v0={fits}": False,
        fits: False,
        "": False,
    }.items():
        assert source.proves(Delivery({"x-pagerduty-signature": header}, body), "new") is proven
