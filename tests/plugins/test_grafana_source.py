"""Grafana's alerting webhook, as its documentation of version 12 describes it."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from bodies import GONE, GRAFANA, changed

from sysop.api import Alert, AlertSource, Delivery
from sysop_plugins import grafana

TOKEN = "of-grafana"


def read(body: Any) -> list[Alert]:
    return list(grafana.parse(Delivery({}, b"", body)))


def source() -> AlertSource:
    (found,) = grafana.register_alert_sources()
    return found


def test_an_alert_instance_is_read_with_the_fingerprint_it_came_with() -> None:
    assert read(GRAFANA) == [
        Alert(
            source="grafana",
            fingerprint="c6eadffa33fcdf37",
            starts_at=1772442847157,
            ends_at=None,
            labels={"alertname": "Queue is long", "service": "payments", "grafana_folder": "Shop"},
            annotations={
                "values": "B=1250, C=1",
                "dashboard": "https://grafana.example/d/shop?viewPanel=3",
                "silence": "https://grafana.example/alerting/silence/new?alertmanager=grafana",
                "summary": "1,250 messages wait",
                "runbook_url": "https://runbooks.example/queue",
            },
            url="https://grafana.example/alerting/grafana/abc/view?orgId=1",
        )
    ]


def test_a_resolved_alert_keeps_its_occurrence_and_has_an_end() -> None:
    ended = changed(GRAFANA, "alerts.0.status", "resolved")
    (alert,) = read(changed(ended, "alerts.0.endsAt", "2026-03-02T09:20:07.157Z"))
    assert (alert.fingerprint, alert.starts_at, alert.ends_at) == ("c6eadffa33fcdf37", 1772442847157, 1772443207157)
    assert not alert.ending


def test_older_grafanas_send_values_as_text_only() -> None:
    (alert,) = read(changed(GRAFANA, "alerts.0.values", None))
    assert alert.annotations["values"] == "[ var='B' labels={} value=1250 ]"


def test_what_is_no_web_link_is_left_out() -> None:
    body = changed(GRAFANA, "alerts.0.generatorURL", "javascript:alert(1)")
    for name in ("panelURL", "dashboardURL", "silenceURL"):
        body = changed(body, f"alerts.0.{name}", "javascript:alert(1)")
    (alert,) = read(body)
    assert alert.url == ""
    assert alert.annotations.keys() == {"values", "summary", "runbook_url"}


def test_what_was_cut_off_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert len(read(changed(GRAFANA, "truncatedAlerts", 3))) == 1
    assert "Grafana left 3 alerts out of a delivery" in caplog.text


@pytest.mark.parametrize("name", ["status", "labels", "startsAt", "endsAt", "fingerprint"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^not a Grafana alerting webhook: alerts\[0\]\.{name}: Field required$"):
        read(changed(GRAFANA, f"alerts.0.{name}", GONE))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("version", "2", "version"),
        ("version", GONE, "version"),
        ("alerts", {}, "alerts"),
        ("alerts.0.status", "alerting", "alerts[0].status"),
        ("alerts.0.labels", [], "alerts[0].labels"),
        ("alerts.0.labels.service", 5, "alerts[0].labels.service"),
        ("alerts.0.startsAt", 1772442847, "alerts[0].startsAt"),
        ("alerts.0.endsAt", "never", "alerts[0].endsAt"),
        ("alerts.0.fingerprint", "", "alerts[0].fingerprint"),
        ("alerts.0.values", {"B": "high"}, "alerts[0].values.B"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: Any, named: str) -> None:
    with pytest.raises(ValueError, match="not a Grafana alerting webhook: ") as wrong:
        read(changed(GRAFANA, path, value))
    assert f": {named}: " in str(wrong.value)


def test_the_webhook_may_be_signed_with_or_without_the_time() -> None:
    body = json.dumps(GRAFANA).encode()

    def signature(signed: bytes) -> str:
        return hmac.new(TOKEN.encode(), signed, hashlib.sha256).hexdigest()

    plain = {"x-grafana-alerting-signature": signature(body)}
    timed = {
        "x-grafana-alerting-timestamp": "1772442848",
        "x-grafana-alerting-signature": signature(b"1772442848:" + body),
    }
    proves = source().proves
    assert proves(Delivery(plain, body), TOKEN)
    assert proves(Delivery(timed, body), TOKEN)
    assert not proves(Delivery({**timed, "x-grafana-alerting-timestamp": "1772442849"}, body), TOKEN)
    assert not proves(Delivery(plain, body + b" "), TOKEN)
    assert not proves(Delivery(timed, body), "another")
    assert not proves(Delivery({}, body), TOKEN)
