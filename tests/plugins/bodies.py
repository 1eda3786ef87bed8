"""Bodies in the shape that vendors document, with values of our own; and ways to change them."""

from __future__ import annotations

import copy
from typing import Any

GONE = object()
"""Takes a field away."""


def changed(body: Any, path: str, value: Any) -> Any:
    """Return a copy with another value at a path such as `alerts.0.status`."""
    whole = copy.deepcopy(body)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = whole
    for part in way:
        place = place[part]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return whole


ALERTMANAGER: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="HighErrorRatio"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "sysop",
    "groupLabels": {"alertname": "HighErrorRatio"},
    "commonLabels": {"alertname": "HighErrorRatio"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighErrorRatio", "service": "checkout", "severity": "critical"},
            "annotations": {"summary": "41.7 % of requests fail"},
            "startsAt": "2026-03-02T09:14:07.25Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph",
            "fingerprint": "0f3c9d2e71ab4c55",
        }
    ],
}

GRAFANA: dict[str, Any] = {
    "receiver": "sysop",
    "status": "firing",
    "orgId": 1,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Queue is long", "service": "payments", "grafana_folder": "Shop"},
            "annotations": {"summary": "1,250 messages wait", "runbook_url": "https://runbooks.example/queue"},
            "startsAt": "2026-03-02T10:14:07.157076+01:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://grafana.example/alerting/grafana/abc/view?orgId=1",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "https://grafana.example/alerting/silence/new?alertmanager=grafana",
            "dashboardURL": "https://grafana.example/d/shop",
            "panelURL": "https://grafana.example/d/shop?viewPanel=3",
            "values": {"B": 1250.0, "C": 1, "D": None},
            "valueString": "[ var='B' labels={} value=1250 ]",
        }
    ],
    "groupLabels": {"alertname": "Queue is long"},
    "commonLabels": {"alertname": "Queue is long"},
    "commonAnnotations": {},
    "externalURL": "https://grafana.example/",
    "version": "1",
    "groupKey": '{}:{alertname="Queue is long"}',
    "truncatedAlerts": 0,
    "title": "[FIRING:1] Queue is long",
    "state": "alerting",
    "message": "**Firing**",
}

PAGERDUTY: dict[str, Any] = {
    "event": {
        "id": "01DHZ3K2X9V7Q5M1B8N6C4J0TF",
        "event_type": "incident.triggered",
        "resource_type": "incident",
        "occurred_at": "2026-03-02T09:14:08.169Z",
        "agent": None,
        "client": {"name": "Monitoring"},
        "data": {
            "id": "Q2ROBJ0H5VQYQ7",
            "type": "incident",
            "self": "https://api.pagerduty.com/incidents/Q2ROBJ0H5VQYQ7",
            "html_url": "https://shop.pagerduty.com/incidents/Q2ROBJ0H5VQYQ7",
            "number": 712,
            "status": "triggered",
            "incident_key": "d3640fbd41094207a1c11e58e46b1662",
            "created_at": "2026-03-02T09:14:07Z",
            "title": "Card payments are declined",
            "service": {
                "html_url": "https://shop.pagerduty.com/services/PF9KMXH",
                "id": "PF9KMXH",
                "self": "https://api.pagerduty.com/services/PF9KMXH",
                "summary": "Payments API",
                "type": "service_reference",
            },
            "assignees": [{"id": "PTUXL6G", "summary": "somebody on call", "type": "user_reference"}],
            "escalation_policy": {"id": "PUS0KTE", "summary": "Default", "type": "escalation_policy_reference"},
            "teams": [{"id": "PFCVPS0", "summary": "Payments", "type": "team_reference"}],
            "priority": {"id": "PSO75BM", "summary": "P2", "type": "priority_reference"},
            "urgency": "high",
            "conference_bridge": {"conference_number": "+1 1234123412", "conference_url": "https://example.com"},
            "resolve_reason": None,
        },
    }
}

DATADOG: dict[str, Any] = {
    "transition": "Triggered",
    "key": "9bd4ac313a4d1e8fae2482df7b77628",
    "monitor": "91827",
    "date": "1772442847250",
    "title": "[Triggered on {host:web-3}] Disk is almost full",
    "kind": "error",
    "priority": "P2",
    "tags": "env:production, host:web-3,service:catalogue,kube_namespace:shop,monitor",
    "host": "web-3",
    "scope": "host:web-3",
    "status": "system.disk.in_use over host:web-3 was > 0.9",
    "text": "The disk of web-3 is almost full.",
    "url": "https://app.datadoghq.com/monitors/91827",
}

SENTRY_EVENT: dict[str, Any] = {
    "action": "triggered",
    "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
    "data": {
        "event": {
            "culprit": "charge(payments.card)",
            "datetime": "2026-03-02T09:14:07.677000Z",
            "event_id": "e4874d664c3540c1a32eab185f12c5ab",
            "issue_id": "1117540176",
            "issue_url": "https://sentry.io/api/0/issues/1117540176/",
            "level": "fatal",
            "metadata": {"type": "KeyError", "value": "amount"},
            "platform": "python",
            "project": 1,
            "release": "2.4.1",
            "tags": [["environment", "production"], ["release", "2.4.1"], ["server_name", "pay-2"], ["handled", None]],
            "title": "KeyError: amount",
            "url": "https://sentry.io/api/0/projects/shop/pay-backend/events/e4874d664c3540c1a32eab185f12c5ab/",
            "web_url": "https://sentry.io/organizations/shop/issues/1117540176/events/e4874d664c3540c1/",
        },
        "triggered_rule": "New errors of payments",
        "issue_alert": {"title": "New errors of payments", "settings": []},
    },
    "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
}

SENTRY_METRIC: dict[str, Any] = {
    "action": "critical",
    "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
    "data": {
        "description_text": "1000 events in the last 10 minutes",
        "description_title": "Critical: Too many errors",
        "metric_alert": {
            "alert_rule": {
                "aggregate": "count()",
                "dataset": "events",
                "environment": "production",
                "id": "7",
                "name": "Too many errors",
                "projects": ["pay-backend"],
                "query": "level:error",
                "triggers": [],
            },
            "date_closed": None,
            "date_created": "2026-03-02T09:14:09Z",
            "date_detected": "2026-03-02T09:14:09Z",
            "date_started": "2026-03-02T09:14:07.250000Z",
            "id": "4",
            "identifier": "1",
            "projects": ["pay-backend"],
            "status": 20,
            "title": "Too many errors",
        },
        "web_url": "https://sentry.io/organizations/shop/alerts/1/",
    },
    "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
}

SENTRY_ISSUE: dict[str, Any] = {
    "action": "created",
    "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
    "data": {
        "issue": {
            "count": "1",
            "culprit": "charge(payments.card)",
            "firstSeen": "2026-03-02T09:14:07.391000Z",
            "id": "1117540176",
            "lastSeen": "2026-03-02T09:14:07.391000Z",
            "level": "error",
            "metadata": {"type": "KeyError", "value": "amount"},
            "permalink": None,
            "platform": "python",
            "project": {"id": "1", "name": "pay-backend", "platform": "python", "slug": "pay-backend"},
            "shortId": "PAY-9",
            "status": "unresolved",
            "statusDetails": {},
            "substatus": "new",
            "title": "KeyError: amount",
            "type": "error",
            "web_url": "https://sentry.io/organizations/shop/issues/1117540176/",
        }
    },
    "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
}

CLOUDEVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "b7a1c3",
    "source": "/probes/eu-west",
    "type": "com.example.probe.failed",
    "subject": "checkout",
    "time": "2026-03-02T09:14:07.25Z",
    "datacontenttype": "application/json",
    "data": {
        "status": "firing",
        "labels": {"service": "checkout", "severity": "error"},
        "annotations": {"summary": "the probe got no answer for 30 s"},
        "generatorURL": "https://probes.example/checkout",
    },
}
