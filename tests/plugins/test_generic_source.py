"""The generic source: alerts by expressions in the settings."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import pytest

from sysop.api import Alert, AlertSource, Delivery
from sysop.errors import SettingsError
from sysop.host import load
from sysop_plugins import generic
from sysop_plugins.generic import mapping
from sysop_plugins.generic.settings import Settings

CHECKS: dict[str, Any] = {
    "alerts": "body.checks",
    "when": "alert.state != 'pending'",
    "fingerprint": "body.site + '/' + alert.id",
    "starts_at": "alert.since",
    "ends_at": "alert.state == 'ok' ? alert.until : null",
    "labels": {
        "alertname": "alert.name",
        "service": "alert.service",
        "severity": "alert.level >= 3 ? 'critical' : 'warning'",
        "level": "alert.level",
        "muted": "alert.muted",
    },
    "annotations": {"summary": "alert.name + ' on ' + headers['x-site']", "load": "alert.load"},
    "url": "alert.link",
}
BODY: dict[str, Any] = {
    "site": "eu-west",
    "checks": [
        {
            "id": "disk-3",
            "name": "Disk is full",
            "service": "catalogue",
            "level": 3,
            "load": 0.25,
            "muted": False,
            "state": "bad",
            "since": "2026-03-02T10:14:07.25+01:00",
            "link": "https://checks.example/disk-3",
        },
        {"id": "disk-4", "state": "pending"},
        {
            "id": "disk-5",
            "name": "Disk is full",
            "level": 1,
            "state": "ok",
            "since": 1772442847.25,
            "until": 1772443207,
            "link": "javascript:alert(1)",
        },
    ],
}


def source(**changes: Any) -> AlertSource:
    settings = Settings.model_validate({"sources": {"checks": {**CHECKS, **changes}}})
    (found,) = generic.register_alert_sources(settings)
    return found


def read(body: Any, headers: Mapping[str, str] | None = None, **changes: Any) -> list[Alert]:
    return list(source(**changes).parse(Delivery({"x-site": "eu", **(headers or {})}, b"", body)))


def test_alerts_are_made_by_the_expressions_of_the_settings() -> None:
    bad, good = read(BODY)
    assert bad == Alert(
        source="checks",
        fingerprint="eu-west/disk-3",
        starts_at=1772442847250,
        ends_at=None,
        labels={
            "alertname": "Disk is full",
            "service": "catalogue",
            "severity": "critical",
            "level": "3",
            "muted": "false",
        },
        annotations={"summary": "Disk is full on eu", "load": "0.25"},
        url="https://checks.example/disk-3",
    )
    assert good == Alert(
        source="checks",
        fingerprint="eu-west/disk-5",
        starts_at=1772442847250,
        ends_at=1772443207000,
        labels={"alertname": "Disk is full", "severity": "warning", "level": "1"},
        annotations={"summary": "Disk is full on eu"},
    )


def test_a_delivery_may_be_one_alert() -> None:
    (alert,) = read(
        {"id": 7, "at": 1772442847250},
        alerts="[body]",
        when="true",
        fingerprint="alert.id",
        starts_at="alert.at",
        ends_at="null",
        labels={"alertname": "'Probe'"},
        annotations={},
        unit="milliseconds",
    )
    assert (alert.fingerprint, alert.starts_at, alert.ends_at) == ("7", 1772442847250, None)


def test_an_end_without_a_start_ends_whatever_fired_before() -> None:
    _, good = read(BODY, starts_at="alert.state == 'ok' ? null : alert.since")
    assert (good.ending, good.starts_at, good.ends_at) == (True, 1772443207000, 1772443207000)


def test_what_the_sender_proves_itself_by_cannot_become_a_label() -> None:
    secret = {"authorization": "Bearer of-checks", "cookie": "a=b", "proxy-authorization": "x"}
    for name in secret:
        with pytest.raises(ValueError, match=r"^alerts\[0\]\.labels\.stolen: "):
            read(BODY, secret, labels={"stolen": f"headers['{name}'] + ''"})
    for proof in ({"header": "X-Checks-Key"}, {"signature": {"header": "X-Checks-Key"}}):
        with pytest.raises(ValueError, match=r"^alerts\[0\]\.labels\.stolen: ") as wrong:
            read(BODY, {"x-checks-key": "of-checks"}, labels={"stolen": "headers[alert.id]"}, proof=proof)
        assert "of-checks" not in str(wrong.value)


@pytest.mark.parametrize(
    ("changes", "body", "says"),
    [
        ({}, {}, "alerts: `body.checks` leads to nothing: there is no checks"),
        ({}, [], "alerts: `body.checks` leads to nothing: there is no checks"),
        ({}, {"checks": {}}, "alerts: `body.checks` must be a list, not an object"),
        ({}, {"checks": [{}] * 1001}, "alerts: `body.checks` has 1001 in one delivery, 1000 are allowed; send fewer"),
        ({}, {"checks": [5]}, "alerts[0].when: `alert.state != 'pending'` failed: "),
        ({"when": "alert.id"}, BODY, "alerts[0].when: `alert.id` must be true or false, not text"),
        ({"fingerprint": "alert.key"}, BODY, "alerts[0].fingerprint: `alert.key` leads to nothing: there is no key"),
        ({"fingerprint": "null"}, BODY, "alerts[0].fingerprint: `null` must be text of 1 to 200 characters"),
        ({"fingerprint": "''"}, BODY, "alerts[0].fingerprint: `''` must be text of 1 to 200 characters"),
        (
            {"fingerprint": "[alert.id]"},
            BODY,
            "alerts[0].fingerprint: `[alert.id]` must be text or a number, not a list",
        ),
        ({"starts_at": "alert.id"}, BODY, "alerts[0].starts_at: `alert.id` must be a time with its offset, such as "),
        ({"starts_at": "true"}, BODY, "alerts[0].starts_at: `true` must be a time with its offset, such as "),
        ({"starts_at": "-5"}, BODY, "alerts[0].starts_at: `-5` is -5, which is no time; see `unit`"),
        (
            {"starts_at": "1772442847250"},
            BODY,
            "alerts[0].starts_at: `1772442847250` is 1772442847250, which is no time; see `unit`",
        ),
        ({"starts_at": "null"}, BODY, "alerts[0].starts_at: `null` must be a time, unless ends_at is one"),
        ({"starts_at": "1 / 0"}, BODY, "alerts[0].starts_at: `1 / 0` failed: "),
        ({"labels": {"a": "alert"}}, BODY, "alerts[0].labels.a: `alert` must be text or a number, not an object"),
        ({"annotations": {"b": "alert.x + 1"}}, BODY, "alerts[0].annotations.b: `alert.x + 1` failed: "),
        ({"url": "[]"}, BODY, "alerts[0].url: `[]` must be text or a number, not a list"),
    ],
)
def test_what_does_not_fit_names_the_setting_and_the_alert(changes: dict[str, Any], body: Any, says: str) -> None:
    with pytest.raises(ValueError, match=r"^alerts") as wrong:
        read(body, **changes)
    assert str(wrong.value).startswith(says)


def test_the_work_of_one_delivery_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "MAX_VALUES", 100)
    heavy = {"labels": {"many": "string(size(alert.list))"}}
    body = {**BODY, "checks": [{**BODY["checks"][0], "list": list(range(50))}] * 2}
    assert len(read({**body, "checks": body["checks"][:1]}, **heavy)) == 1
    with pytest.raises(ValueError, match=r"^alerts\[1\]\.labels\.many: .* would look at more than 100 values in all"):
        read(body, **heavy)


def test_the_steps_of_the_macros_of_one_delivery_are_bounded() -> None:
    """Each of these expressions may run by itself; a thousand of them took 14 s, in which nobody else was served."""
    nested = {"labels": {"many": "alert.list.exists(x, alert.list.exists(y, x + y > 999))"}}
    body = {**BODY, "checks": [{**BODY["checks"][0], "list": [1] * 60}] * 30}
    assert len(read({**body, "checks": body["checks"][:20]}, **nested)) == 20
    with pytest.raises(
        ValueError, match=r"^alerts\[22\]\.labels\.many: .* would walk lists in more than 5000000 steps"
    ):
        read(body, **nested)


def test_long_text_counts_as_several_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "MAX_VALUES", 100)
    body = {"site": "x" * 20_000, "checks": BODY["checks"]}
    with pytest.raises(ValueError, match=r"^alerts\[0\]\.fingerprint: .* would look at more than 100 values"):
        read(body)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (
            {"labels": {"a": "alert."}},
            r"^plugins\.generic\.sources\.checks\.labels\.a: the expression: `alert\.` is not",
        ),
        (
            {"fingerprint": "alarm.id"},
            r"sources\.checks\.fingerprint: the expression names 'alarm', which is not there; ",
        ),
        ({"alerts": "alert.list"}, r"sources\.checks\.alerts: .* names 'alert', .*; use body, headers$"),
        ({"when": "[1].all(a, [1].all(b, [1].all(c, true)))"}, r"sources\.checks\.when: the expression: .* deep"),
        ({"finger": "alert.id"}, r"^plugins\.generic\.sources\.checks\.finger: Extra inputs are not permitted$"),
        ({"unit": "minutes"}, r"sources\.checks\.unit: "),
        (
            {"proof": {"header": "X-A", "signature": {"header": "X-B"}}},
            r"checks\.proof: take header or signature, not both",
        ),
    ],
)
def test_a_wrong_setting_is_named_at_the_start(section: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load({"generic": {"sources": {"checks": {**CHECKS, **section}}}})


def test_each_source_of_the_settings_is_one_of_the_host() -> None:
    host = load({"generic": {"sources": {"checks": CHECKS, "probes-2": CHECKS}}})
    assert {name for name, found in host.alert_sources().items() if found.plugin == "generic"} == {"checks", "probes-2"}


@pytest.mark.parametrize(
    ("name", "says"),
    [("alertmanager", "the alert source alertmanager exists already"), ("A b", "the alert source 'A b' must match")],
)
def test_a_source_needs_a_name_of_its_own(name: str, says: str) -> None:
    host = load({"generic": {"sources": {name: CHECKS}}})
    assert says in str({line.name: line.problem for line in host.report}["generic"])


def test_the_sender_may_prove_itself_in_several_ways() -> None:
    body = b"{}"
    signature = "v=" + hmac.new(b"token", body, hashlib.sha512).hexdigest()
    own = {"signature": {"header": "X-Sign", "prefix": "v=", "digest": "sha512"}}
    assert source(proof=own).proves(Delivery({"x-sign": signature}, body), "token")
    assert not source(proof=own).proves(Delivery({"authorization": "Bearer token"}, body), "token")
    assert source(proof={"header": "X-Key"}).proves(Delivery({"x-key": "token"}, body), "token")
    assert source().proves(Delivery({"authorization": "Bearer token"}, body), "token")
