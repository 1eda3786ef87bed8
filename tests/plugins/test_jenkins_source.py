"""The JSON of Jenkins' Notification plugin, as its source writes it."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from sysop.api import Alert, Delivery
from sysop_plugins import jenkins
from sysop_plugins.jenkins import Settings

SHA = "1b3ba7d16a2f3b7a9f1a3d6c6e8ad4c3e0e1a111"
FAILED: dict[str, Any] = {
    "name": "checkout",
    "display_name": "checkout",
    "url": "job/shop/job/checkout/",
    "build": {
        "full_url": "https://jenkins.example/job/shop/job/checkout/18/",
        "number": 18,
        "queue_id": 41,
        "timestamp": 1772443207000,
        "duration": 360000,
        "phase": "FINALIZED",
        "status": "FAILURE",
        "url": "job/shop/job/checkout/18/",
        "scm": {
            "url": "https://git.example/shop/checkout.git",
            "branch": "origin/main",
            "commit": SHA,
            "changes": [],
            "culprits": [],
        },
        "log": "",
        "notes": "",
        "artifacts": {"app.jar": {"archive": "https://jenkins.example/job/shop/job/checkout/18/artifact/app.jar"}},
    },
}


def build(**values: Any) -> dict[str, Any]:
    body = copy.deepcopy(FAILED)
    body["build"].update(values)
    return body


def read(body: Any, services: dict[str, str] | None = None) -> list[Alert]:
    return list(jenkins.parse(Delivery({}, b"", body), services or {}))


def test_a_build_that_fails_is_an_alert_of_its_job_and_branch() -> None:
    assert read(FAILED) == [
        Alert(
            source="jenkins",
            fingerprint="https://jenkins.example/job/shop/job/checkout/ origin/main",
            starts_at=1772442847000,
            ends_at=None,
            labels={
                "alertname": "BuildFailed",
                "severity": "error",
                "job": "checkout",
                "service": "checkout",
                "repository": "https://git.example/shop/checkout.git",
                "branch": "origin/main",
                "version": SHA,
            },
            annotations={"summary": "checkout #18 on origin/main at 1b3ba7d16a: failure"},
            url="https://jenkins.example/job/shop/job/checkout/18/",
        )
    ]


def test_a_later_success_ends_the_failures_of_builds_that_began_before_it() -> None:
    (failed,) = read(FAILED)
    later = {"full_url": "https://jenkins.example/job/shop/job/checkout/19/", "url": "job/shop/job/checkout/19/"}
    (ending,) = read(build(number=19, status="SUCCESS", timestamp=1772446000000, duration=400000, **later))
    assert ending.ending
    assert ending.fingerprint == failed.fingerprint
    assert failed.starts_at < ending.starts_at == 1772445600000
    assert ending.ends_at == 1772446000000


def test_failed_tests_make_a_build_unstable_which_is_a_warning() -> None:
    (alert,) = read(build(status="UNSTABLE"))
    assert (alert.firing, alert.labels["severity"]) == (True, "warning")


@pytest.mark.parametrize(
    "values",
    [
        {"status": "ABORTED"},
        {"status": "NOT_BUILT"},
        {"status": None},
        {"phase": "QUEUED"},
        {"phase": "STARTED"},
        {"phase": "COMPLETED"},
    ],
)
def test_what_is_not_over_or_neither_failed_nor_succeeded_tells_nothing(values: dict[str, Any]) -> None:
    assert read(build(**values)) == []


def test_a_build_without_a_repository_or_an_address_of_the_server_is_read() -> None:
    body = build(scm={"changes": []})
    del body["build"]["full_url"]
    (alert,) = read(body)
    assert alert.fingerprint == "job/shop/job/checkout/"
    assert alert.labels == {"alertname": "BuildFailed", "severity": "error", "job": "checkout"}
    assert alert.url == ""


def test_two_servers_with_the_same_job_have_two_alerts() -> None:
    (one,), (other,) = read(FAILED), read(build(full_url="https://other.example/job/shop/job/checkout/18/"))
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("git@git.example:shop/checkout.git", "checkout"),
        ("ssh://git@git.example/shop/checkout", "checkout"),
        ("git@git.example:checkout.git", "checkout"),
        ("", None),
    ],
)
def test_the_service_is_called_like_the_repository(url: str, service: str | None) -> None:
    (alert,) = read(build(scm={"url": url}))
    assert alert.service == service


def test_a_job_may_build_a_service_of_another_name() -> None:
    (alert,) = read(FAILED, {"checkout": "orders"})
    assert alert.service == "orders"


@pytest.mark.parametrize("name", ["number", "phase", "timestamp", "url"])
def test_a_missing_field_is_named(name: str) -> None:
    body = build()
    del body["build"][name]
    with pytest.raises(ValueError, match=rf"build\.{name}: "):
        read(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (None, "body"),
        ({}, "name: "),
        ({**FAILED, "build": []}, "build: "),
        (build(timestamp=-1), r"build\.timestamp"),
        (build(timestamp=10**30), r"build\.timestamp"),
        (build(duration="long"), r"build\.duration"),
    ],
)
def test_what_is_wrong_is_named(body: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(body)


def test_the_token_is_the_password_in_the_address() -> None:
    (source,) = jenkins.register_alert_sources(Settings())
    given = base64.b64encode(b"sysop:secret").decode()
    assert source.proves(Delivery({"authorization": f"Basic {given}"}, b""), "secret")
    assert not source.proves(Delivery({"authorization": f"Basic {given}"}, b""), "other")
    assert not source.proves(Delivery({}, b""), "secret")
