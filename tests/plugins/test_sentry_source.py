"""Webhooks of Sentry's integration platform: issue alerts, metric alerts and issues."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from bodies import GONE, SENTRY_EVENT, SENTRY_ISSUE, SENTRY_METRIC, changed

from sysop.api import Alert, Delivery
from sysop_plugins import sentry
from sysop_plugins.sentry import Settings

SENT = "1772443447"
BODIES = {"event_alert": SENTRY_EVENT, "metric_alert": SENTRY_METRIC, "issue": SENTRY_ISSUE}


def read(resource: str, body: Any, services: dict[str, str] | None = None, sent: str = SENT) -> list[Alert]:
    headers = {"sentry-hook-resource": resource, "sentry-hook-timestamp": sent}
    return list(sentry.parse(Delivery(headers, b"", body), services or {}))


def test_an_event_that_met_an_alert_rule_is_an_alert_of_its_issue() -> None:
    assert read("event_alert", SENTRY_EVENT, {"pay-backend": "payments"}) == [
        Alert(
            source="sentry",
            fingerprint="issue 1117540176",
            starts_at=1772442847677,
            ends_at=None,
            labels={
                "alertname": "KeyError: amount",
                "severity": "critical",
                "service": "payments",
                "project": "pay-backend",
                "environment": "production",
                "version": "2.4.1",
                "host": "pay-2",
            },
            annotations={
                "summary": "KeyError: amount",
                "culprit": "charge(payments.card)",
                "rule": "New errors of payments",
            },
            url="https://sentry.io/organizations/shop/issues/1117540176/events/e4874d664c3540c1/",
        )
    ]


def test_a_metric_alert_is_an_alert_of_its_rule_since_it_says() -> None:
    assert read("metric_alert", SENTRY_METRIC) == [
        Alert(
            source="sentry",
            fingerprint="rule 7",
            starts_at=1772442847250,
            ends_at=None,
            labels={
                "alertname": "Too many errors",
                "environment": "production",
                "severity": "critical",
                "service": "pay-backend",
                "project": "pay-backend",
            },
            annotations={
                "summary": "Critical: Too many errors",
                "description": "1000 events in the last 10 minutes",
                "query": "count() level:error",
            },
            url="https://sentry.io/organizations/shop/alerts/1/",
        )
    ]


@pytest.mark.parametrize(("closed", "end"), [("2026-03-02T09:20:07Z", 1772443207000), (None, 1772443447000)])
def test_a_metric_alert_ends_when_it_says_or_when_it_was_sent(closed: str | None, end: int) -> None:
    body = changed(changed(SENTRY_METRIC, "action", "resolved"), "data.metric_alert.date_closed", closed)
    (alert,) = read("metric_alert", body)
    assert (alert.starts_at, alert.ends_at, alert.ending) == (1772442847250, end, False)


def test_a_metric_alert_over_several_projects_is_of_no_one_service() -> None:
    (alert,) = read("metric_alert", changed(SENTRY_METRIC, "data.metric_alert.projects", ["a", "b"]))
    assert alert.service is None


def test_an_issue_that_is_new_is_an_alert_since_it_was_first_seen() -> None:
    assert read("issue", SENTRY_ISSUE) == [
        Alert(
            source="sentry",
            fingerprint="issue 1117540176",
            starts_at=1772442847391,
            ends_at=None,
            labels={
                "alertname": "KeyError: amount",
                "severity": "error",
                "service": "pay-backend",
                "project": "pay-backend",
            },
            annotations={"summary": "KeyError: amount", "culprit": "charge(payments.card)"},
            url="https://sentry.io/organizations/shop/issues/1117540176/",
        )
    ]


@pytest.mark.parametrize("action", ["resolved", "archived", "ignored"])
def test_an_issue_that_is_done_with_ends_whatever_fired_of_it(action: str) -> None:
    (alert,) = read("issue", changed(SENTRY_ISSUE, "action", action))
    assert (alert.fingerprint, alert.ending) == ("issue 1117540176", True)
    assert alert.starts_at == alert.ends_at == 1772443447000


def test_an_issue_that_is_open_again_is_a_new_occurrence() -> None:
    (alert,) = read("issue", changed(SENTRY_ISSUE, "action", "unresolved"))
    assert (alert.starts_at, alert.ends_at) == (1772443447000, None)


def test_who_works_on_an_issue_tells_nothing() -> None:
    assert read("issue", changed(SENTRY_ISSUE, "action", "assigned")) == []


@pytest.mark.parametrize("resource", ["installation", "error", "comment", "seer", "something_new"])
def test_other_resources_are_taken_and_tell_nothing(resource: str) -> None:
    assert read(resource, {"action": "created", "data": {}}) == []


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        *(("event_alert", f"data.event.{name}") for name in ("issue_id", "title", "datetime")),
        ("event_alert", "data.event"),
        *(("metric_alert", path) for path in ("action", "data", "data.metric_alert.date_started")),
        *(("metric_alert", f"data.metric_alert.alert_rule.{name}") for name in ("id", "name")),
        *(("issue", path) for path in ("action", "data.issue", "data.issue.project.slug")),
        *(("issue", f"data.issue.{name}") for name in ("id", "title", "firstSeen", "project")),
    ],
)
def test_a_missing_field_is_named(resource: str, path: str) -> None:
    with pytest.raises(ValueError, match=rf"^not an? .*: {re.escape(path)}: Field required$"):
        read(resource, changed(BODIES[resource], path, GONE))


@pytest.mark.parametrize(
    ("resource", "path", "value", "named"),
    [
        ("event_alert", "data.event.datetime", "now", "data.event.datetime"),
        ("event_alert", "data.event.tags", [["environment"]], "data.event.tags[0][1]"),
        ("event_alert", "data.event.tags", {}, "data.event.tags"),
        ("metric_alert", "action", "info", "action"),
        ("metric_alert", "data.metric_alert.projects", [1], "data.metric_alert.projects[0]"),
        ("issue", "data.issue.id", {}, "data.issue.id"),
        ("issue", "data", [], "data"),
    ],
)
def test_a_wrong_field_is_named(resource: str, path: str, value: Any, named: str) -> None:
    with pytest.raises(ValueError, match="of Sentry: ") as wrong:
        read(resource, changed(BODIES[resource], path, value))
    assert f" of Sentry: {named}: " in str(wrong.value)


@pytest.mark.parametrize("sent", ["", "soon", "-5", "0", "9" * 30, "2026-03-02T09:14:07Z"])
def test_a_wrong_time_of_sending_is_named(sent: str) -> None:
    with pytest.raises(ValueError, match=r"Sentry-Hook-Timestamp: must be a time in seconds since 1970$"):
        read("issue", changed(SENTRY_ISSUE, "action", "resolved"), sent=sent)


def test_a_missing_resource_is_named() -> None:
    with pytest.raises(ValueError, match=r": Sentry-Hook-Resource: the header is missing$"):
        list(sentry.parse(Delivery({}, b"", SENTRY_ISSUE), {}))


def test_the_signature_is_over_the_body_with_the_client_secret_as_its_key() -> None:
    (source,) = sentry.register_alert_sources(Settings())
    body = json.dumps(SENTRY_ISSUE).encode()
    signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert source.proves(Delivery({"sentry-hook-signature": signature}, body), "secret")
    assert not source.proves(Delivery({"sentry-hook-signature": signature}, body), "other")
    assert not source.proves(Delivery({"sentry-hook-signature": signature}, body + b"\n"), "secret")
    assert not source.proves(Delivery({}, body), "secret")
