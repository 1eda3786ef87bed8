"""CloudEvents 1.0.2 over HTTP in its three modes."""

from __future__ import annotations

from typing import Any

import pytest
from bodies import CLOUDEVENT, GONE, changed

from sysop.api import Alert, Delivery
from sysop_plugins import cloudevents

STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
BINARY = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "b7a1c3",
    "ce-source": "/probes/eu-west",
    "ce-type": "com.example.probe.failed",
    "ce-subject": "checkout",
    "ce-time": "2026-03-02T09:14:07.25Z",
}
ALERT = Alert(
    source="cloudevents",
    fingerprint="/probes/eu-west com.example.probe.failed checkout",
    starts_at=1772442847250,
    ends_at=None,
    labels={
        "alertname": "com.example.probe.failed",
        "subject": "checkout",
        "service": "checkout",
        "severity": "error",
    },
    annotations={"summary": "the probe got no answer for 30 s"},
    url="https://probes.example/checkout",
)


def read(body: Any, headers: dict[str, str] = STRUCTURED) -> list[Alert]:
    return list(cloudevents.parse(Delivery(headers, b"", body)))


def test_an_event_says_the_same_in_every_mode() -> None:
    assert read(CLOUDEVENT) == [ALERT]
    assert read(CLOUDEVENT["data"], BINARY) == [ALERT]
    assert read([CLOUDEVENT, CLOUDEVENT], BATCH) == [ALERT, ALERT]
    assert read([], BATCH) == []


def test_attributes_in_headers_are_percent_encoded() -> None:
    (alert,) = read(CLOUDEVENT["data"], {**BINARY, "ce-subject": "Euro%20%E2%82%AC"})
    assert alert.labels["subject"] == "Euro €"


def test_the_data_may_say_itself_what_the_event_says_otherwise() -> None:
    data = {
        **CLOUDEVENT["data"],
        "fingerprint": 77,
        "startsAt": "2026-03-02T09:00:00Z",
        "labels": {"alertname": "ProbeFailed"},
    }
    (alert,) = read({**CLOUDEVENT, "data": data})
    assert (alert.fingerprint, alert.starts_at) == ("77", 1772442000000)
    assert alert.labels == {"alertname": "ProbeFailed", "subject": "checkout"}


def test_an_end_names_its_occurrence_or_ends_whatever_fired_before() -> None:
    end = {"status": "resolved", "endsAt": "2026-03-02T09:20:00Z"}
    (named,) = read({**CLOUDEVENT, "data": {**end, "startsAt": "2026-03-02T09:14:07.25Z"}})
    assert (named.ending, named.starts_at, named.ends_at) == (False, 1772442847250, 1772443200000)
    (any_before,) = read({**CLOUDEVENT, "data": end})
    assert (any_before.ending, any_before.starts_at, any_before.ends_at) == (True, 1772443200000, 1772443200000)
    (by_time,) = read({**CLOUDEVENT, "data": {"status": "resolved"}})
    assert (by_time.ending, by_time.starts_at, by_time.ends_at) == (True, 1772442847250, 1772442847250)


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "data"])
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^not a CloudEvent with an alert as its data: {name}: Field required$"):
        read(changed(CLOUDEVENT, name, GONE))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("specversion", "0.3"),
        ("id", ""),
        ("time", "today"),
        ("datacontenttype", "text/xml"),
        ("data", "text"),
        ("data.status", "ok"),
        ("data.status", GONE),
        ("data.labels", {"a": 1}),
        ("data.startsAt", 5),
        ("data.fingerprint", []),
    ],
)
def test_a_wrong_field_is_named(path: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r": (\w+\.)*\w+: "):
        read(changed(CLOUDEVENT, path, value))
    with pytest.raises(ValueError, match=r"^not a CloudEvent with an alert as its data: ") as wrong:
        read([CLOUDEVENT, changed(CLOUDEVENT, path, value)], BATCH)
    assert f": events[1].{path}" in str(wrong.value)


def test_without_any_time_the_missing_one_is_named() -> None:
    with pytest.raises(ValueError, match=r": events\[0\]\.time: needed where data\.startsAt is missing$"):
        read([changed(CLOUDEVENT, "time", GONE)], BATCH)


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json"}, {"content-type": "text/plain"}])
def test_what_is_in_no_mode_at_all_is_told_so(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r": Content-Type: must be application/cloudevents\+json"):
        read(CLOUDEVENT, headers)
