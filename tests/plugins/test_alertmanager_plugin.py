from __future__ import annotations

import copy
from typing import Any

import pytest

from sysop.api import Alert, Delivery
from sysop_plugins import alertmanager
from sysop_plugins.alertmanager import register_alert_sources
from sysop_plugins.alertmanager.settings import Settings

FIRING: dict[str, Any] = {
    "receiver": "sysop",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "CheckoutErrors", "service": "checkout", "severity": "critical"},
            "annotations": {"summary": "checkout error ratio is 41.7%"},
            "startsAt": "2026-03-02T09:14:07.250Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=x&g0.tab=1",
            "fingerprint": "0f3c9d2e71ab4c55",
        }
    ],
    "groupLabels": {"alertname": "CheckoutErrors"},
    "commonLabels": {"alertname": "CheckoutErrors"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example:9093",
    "version": "4",
    "groupKey": '{}:{alertname="CheckoutErrors"}',
    "truncatedAlerts": 0,
}


def changed(**values: Any) -> dict[str, Any]:
    """Return the delivery with other values in its alert; None takes a key away."""
    payload = copy.deepcopy(FIRING)
    for name, value in values.items():
        if value is None:
            del payload["alerts"][0][name]
        else:
            payload["alerts"][0][name] = value
    return payload


def parse(payload: Any) -> Any:
    return alertmanager.parse(Delivery({}, b"", payload))


def test_a_firing_alert_is_read_with_the_fingerprint_it_came_with():
    (alert,) = parse(FIRING)
    assert alert == Alert(
        source="alertmanager",
        fingerprint="0f3c9d2e71ab4c55",
        starts_at=1772442847250,
        ends_at=None,
        labels={"alertname": "CheckoutErrors", "service": "checkout", "severity": "critical"},
        annotations={"summary": "checkout error ratio is 41.7%"},
        url="http://prometheus.example:9090/graph?g0.expr=x&g0.tab=1",
    )
    assert alert.firing
    assert alert.service == "checkout"


def test_a_resolved_alert_keeps_its_occurrence_and_has_an_end():
    (fired,) = parse(FIRING)
    (ended,) = parse(changed(status="resolved", endsAt="2026-03-02T09:15:07.750Z"))
    assert (ended.fingerprint, ended.starts_at) == (fired.fingerprint, fired.starts_at)
    assert ended.ends_at == fired.starts_at + 60_500


def test_a_group_may_hold_firing_and_resolved_alerts():
    payload = changed()
    payload["alerts"].append({**payload["alerts"][0], "status": "resolved", "endsAt": "2026-03-02T10:00:00Z"})
    assert [a.firing for a in parse(payload)] == [True, False]


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        pytest.param("firing", "2030-01-01T00:00:00Z", id="firing with a time in the future"),
        pytest.param("resolved", "0001-01-01T00:00:00Z", id="resolved with the year 1"),
        pytest.param("firing", "0001-01-01T00:00:00+02:00", id="the year 1 before UTC begins"),
    ],
)
def test_without_a_believable_end_an_alert_has_none(status, ends):
    (alert,) = parse(changed(status=status, endsAt=ends))
    assert alert.ends_at is None


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-03-02T09:14:07Z", 1772442847000),
        ("2026-03-02T10:14:07.25+01:00", 1772442847250),
        ("2026-03-02T09:14:07.123456789Z", 1772442847123),
        ("0001-01-01T00:00:00+23:59", -62135596800000),  # a year 0 or 10000 could never be shown
        ("9999-12-31T23:59:59-23:59", 253402300799999),
    ],
)
def test_times_come_with_any_precision_and_offset(text, milliseconds):
    (alert,) = parse(changed(startsAt=text))
    assert alert.starts_at == milliseconds


def test_what_max_alerts_cut_off_is_told_in_the_log(caplog):
    assert len(list(parse({**FIRING, "truncatedAlerts": 2}))) == 1
    assert "Alertmanager left 2 alerts out of a delivery" in caplog.text
    caplog.clear()
    parse(FIRING)
    assert caplog.text == ""


def test_unknown_keys_do_not_matter():
    payload = changed(somethingNew={"deep": [1]})
    payload["alsoNew"] = None
    assert len(list(parse(payload))) == 1


def test_only_web_links_are_kept():
    (alert,) = parse(changed(generatorURL="javascript:alert(1)"))
    assert alert.url == ""


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"fingerprint": None}, "alerts[0].fingerprint"),
        ({"fingerprint": ""}, "alerts[0].fingerprint"),
        ({"status": "pending"}, "alerts[0].status"),
        ({"startsAt": "yesterday"}, "alerts[0].startsAt"),
        ({"startsAt": 1772442847}, "alerts[0].startsAt"),
        ({"startsAt": "2026-03-02T09:14:07"}, "alerts[0].startsAt"),
        ({"labels": {"severity": 5}}, "alerts[0].labels.severity"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(values, path):
    with pytest.raises(ValueError, match="not an Alertmanager webhook") as wrong:
        parse(changed(**values))
    assert path + ": " in str(wrong.value)


@pytest.mark.parametrize("payload", [None, [], "x", 5, {}, {**FIRING, "version": "3"}, {**FIRING, "version": 4}])
def test_what_is_no_version_4_delivery_is_refused(payload):
    with pytest.raises(ValueError, match=r"not an Alertmanager webhook: (body|version)"):
        parse(payload)


def test_many_problems_are_shown_in_short():
    payload = changed()
    payload["alerts"] = [{}] * 50
    with pytest.raises(ValueError, match="and 247 more"):
        parse(payload)


def test_the_source_is_offered_under_its_name():
    assert [s.name for s in register_alert_sources(Settings())] == ["alertmanager"]
