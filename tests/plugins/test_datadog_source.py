"""Datadog's webhooks, with the payload that the documentation gives to paste."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from bodies import DATADOG, GONE, changed

from sysop.api import Alert, Delivery
from sysop_plugins import datadog

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


def read(body: Any) -> list[Alert]:
    return list(datadog.parse(Delivery({}, b"", body)))


def test_a_monitor_that_triggers_is_an_alert_of_what_it_watches() -> None:
    assert read(DATADOG) == [
        Alert(
            source="datadog",
            fingerprint="9bd4ac313a4d1e8fae2482df7b77628",
            starts_at=1772442847250,
            ends_at=None,
            labels={
                "alertname": "Disk is almost full",
                "severity": "error",
                "service": "catalogue",
                "environment": "production",
                "namespace": "shop",
                "host": "web-3",
                "monitor": "91827",
            },
            annotations={
                "summary": "[Triggered on {host:web-3}] Disk is almost full",
                "scope": "host:web-3",
                "status": "system.disk.in_use over host:web-3 was > 0.9",
                "description": "The disk of web-3 is almost full.",
            },
            url="https://app.datadoghq.com/monitors/91827",
        )
    ]


def test_a_recovery_ends_whatever_fired_of_the_monitor_and_scope() -> None:
    (alert,) = read({**DATADOG, "transition": "Recovered", "date": "1772443447250"})
    assert (alert.fingerprint, alert.ending) == ("9bd4ac313a4d1e8fae2482df7b77628", True)
    assert alert.starts_at == alert.ends_at == 1772443447250


@pytest.mark.parametrize("transition", ["Re-Triggered", "Re-Warn", "Re-No Data", "Renotify", "Null"])
def test_a_reminder_or_a_test_tells_nothing(transition: str) -> None:
    assert read({**DATADOG, "transition": transition}) == []


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ({"transition": "Warn"}, "warning"),
        ({"transition": "No Data"}, "warning"),
        ({"priority": "P1"}, "critical"),
        ({"priority": "", "kind": "warning"}, "warning"),
        ({"priority": "", "kind": ""}, "error"),
    ],
)
def test_the_severity_is_that_of_the_transition_the_priority_or_the_kind(values: dict[str, str], severity: str) -> None:
    (alert,) = read({**DATADOG, **values})
    assert alert.labels["severity"] == severity


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("[P1] [Triggered on {host:a}] Disk", "Disk"),
        ("Disk [web]", "Disk [web]"),
        ("[only brackets]", "[only brackets]"),
        ("[" * 1000, "[" * 1000),
    ],
)
def test_the_name_is_the_title_without_what_datadog_puts_before_it(title: str, name: str) -> None:
    (alert,) = read({**DATADOG, "title": title})
    assert alert.name == name


def test_a_tag_cannot_pass_for_the_name_or_severity() -> None:
    (alert,) = read({**DATADOG, "tags": "alertname:x,severity:none,monitor:y,host:other"})
    assert alert.labels == {
        "alertname": "Disk is almost full",
        "severity": "error",
        "host": "web-3",
        "monitor": "91827",
    }


@pytest.mark.parametrize("name", ["transition", "key", "monitor", "date", "title"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"with the payload of docs/sources\.md: {name}: Field required$"):
        read(changed(DATADOG, name, GONE))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transition", "$ALERT_TRANSITION"),
        ("transition", 5),
        ("key", ""),
        ("date", "$DATE"),
        ("date", "-1"),
        ("date", 10**15),
        ("title", ""),
        ("tags", ["env:production"]),
    ],
)
def test_a_wrong_field_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"docs/sources\.md: {name}: "):
        read({**DATADOG, name: value})


def test_the_payload_to_paste_has_the_fields_that_are_read_and_variables_that_datadog_documents() -> None:
    section = PAGE.read_text().partition("## Datadog")[2].partition("\n## ")[0]
    (payload,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    fields = json.loads(payload)
    assert set(fields) == set(DATADOG) == set(datadog._Notification.model_fields)
    assert set(fields.values()) == {
        *("$ALERT_TRANSITION", "$AGGREG_KEY", "$ALERT_ID", "$DATE", "$ALERT_TITLE", "$ALERT_TYPE", "$ALERT_PRIORITY"),
        *("$TAGS", "$HOSTNAME", "$ALERT_SCOPE", "$ALERT_STATUS", "$TEXT_ONLY_MSG", "$LINK"),
    }
