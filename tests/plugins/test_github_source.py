"""GitHub's webhooks, with bodies that follow the event pages of GitHub's documentation."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from typing import Any

import pytest

from sysop.api import Alert, Delivery
from sysop_plugins import github
from sysop_plugins.github import Settings

REPOSITORY: dict[str, Any] = {
    "id": 1296269,
    "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
    "name": "checkout",
    "full_name": "acme/checkout",
    "private": True,
    "owner": {"login": "acme", "id": 9919, "type": "Organization"},
    "html_url": "https://github.com/acme/checkout",
    "default_branch": "main",
}
SHA = "2f1c2b6a0f4e3d5c7b8a9f0e1d2c3b4a59687706"
RUN: dict[str, Any] = {
    "action": "completed",
    "workflow_run": {
        "id": 30433642,
        "name": "CI",
        "node_id": "MDEyOldvcmtmbG93IFJ1bjI2OTI4OQ==",
        "head_branch": "main",
        "head_sha": SHA,
        "path": ".github/workflows/ci.yml",
        "display_title": "Take orders faster",
        "run_number": 562,
        "run_attempt": 1,
        "event": "push",
        "status": "completed",
        "conclusion": "failure",
        "workflow_id": 159038,
        "html_url": "https://github.com/acme/checkout/actions/runs/30433642",
        "pull_requests": [],
        "created_at": "2026-03-02T09:14:07Z",
        "updated_at": "2026-03-02T09:20:07Z",
        "run_started_at": "2026-03-02T09:14:07Z",
        "head_commit": {"id": SHA, "message": "Take orders faster", "timestamp": "2026-03-02T09:14:00Z"},
        "head_repository": {"id": 1296269, "name": "checkout", "full_name": "acme/checkout"},
    },
    "workflow": {"id": 159038, "name": "CI", "path": ".github/workflows/ci.yml", "state": "active"},
    "repository": REPOSITORY,
    "sender": {"login": "octocat", "id": 1, "type": "User"},
}
DEPLOYMENT: dict[str, Any] = {
    "action": "created",
    "deployment_status": {
        "id": 1,
        "state": "failure",
        "creator": {"login": "octocat"},
        "description": "The health check did not pass",
        "environment": "production",
        "target_url": "https://ci.example/deploys/42",
        "log_url": "",
        "created_at": "2026-03-02T09:30:00Z",
        "updated_at": "2026-03-02T09:30:00Z",
    },
    "deployment": {
        "id": 42,
        "sha": SHA,
        "ref": "main",
        "task": "deploy",
        "payload": {},
        "original_environment": "production",
        "environment": "production",
        "created_at": "2026-03-02T09:25:00Z",
        "updated_at": "2026-03-02T09:30:00Z",
        "transient_environment": False,
        "production_environment": True,
    },
    "repository": REPOSITORY,
}


def run(**values: Any) -> dict[str, Any]:
    body = copy.deepcopy(RUN)
    body["workflow_run"].update(values)
    return body


def read(body: Any, event: str = "workflow_run", services: dict[str, str] | None = None) -> list[Alert]:
    return list(github.parse(Delivery({"x-github-event": event}, b"", body), services or {}))


def test_a_workflow_that_fails_is_an_alert_of_its_workflow_and_branch() -> None:
    assert read(RUN) == [
        Alert(
            source="github",
            fingerprint="acme/checkout workflow 159038 main",
            starts_at=1772442847000,
            ends_at=None,
            labels={
                "alertname": "WorkflowFailed",
                "severity": "error",
                "repository": "acme/checkout",
                "service": "checkout",
                "workflow": "CI",
                "branch": "main",
                "version": SHA,
            },
            annotations={
                "summary": "CI of acme/checkout failed on main at 2f1c2b6a0f",
                "run": "number 562, started by push",
            },
            url="https://github.com/acme/checkout/actions/runs/30433642",
        )
    ]


def test_a_later_success_ends_the_failures_of_runs_that_began_before_it() -> None:
    (failed,) = read(RUN)
    (ending,) = read(
        run(conclusion="success", run_started_at="2026-03-02T10:00:00Z", updated_at="2026-03-02T10:05:00Z")
    )
    assert ending.ending
    assert ending.fingerprint == failed.fingerprint
    assert failed.starts_at < ending.starts_at == 1772445600000
    assert ending.ends_at == ending.starts_at + 300_000


def test_a_second_try_that_succeeds_ends_the_first_one() -> None:
    (failed,) = read(RUN)
    (ending,) = read(run(conclusion="success", run_attempt=2, run_started_at="2026-03-02T09:22:00Z"))
    assert ending.ending
    assert (ending.fingerprint, ending.starts_at > failed.starts_at) == (failed.fingerprint, True)


@pytest.mark.parametrize("conclusion", ["timed_out", "startup_failure"])
def test_what_took_too_long_or_could_not_start_has_failed(conclusion: str) -> None:
    (alert,) = read(run(conclusion=conclusion))
    assert alert.firing


@pytest.mark.parametrize("conclusion", ["cancelled", "skipped", "neutral", "stale", "action_required", "new", None])
def test_what_neither_failed_nor_succeeded_tells_nothing(conclusion: str | None) -> None:
    assert read(run(conclusion=conclusion)) == []


def test_a_run_that_is_not_over_tells_nothing() -> None:
    assert read({**RUN, "action": "in_progress"}) == []


def test_another_branch_is_another_alert_and_no_error() -> None:
    (main,), (feature,) = read(RUN), read(run(head_branch="faster"))
    assert feature.fingerprint != main.fingerprint
    assert feature.labels["severity"] == "info"


def test_a_forks_branch_of_the_same_name_is_not_ours() -> None:
    fork = {"id": 7, "name": "checkout", "full_name": "stranger/checkout"}
    (ours,), (theirs,) = read(RUN), read(run(conclusion="success", head_repository=fork))
    assert theirs.fingerprint == "acme/checkout workflow 159038 stranger/checkout:main" != ours.fingerprint
    (failed,) = read(run(head_repository=fork))
    assert failed.labels["severity"] == "info"


def test_a_fork_that_is_gone_and_a_run_without_a_branch_are_read() -> None:
    (alert,) = read(run(head_repository=None, head_branch=None, name=None))
    assert alert.labels["branch"] == SHA
    assert alert.labels["workflow"] == "workflow 159038"


def test_a_long_branch_has_a_short_fingerprint_of_its_own() -> None:
    (one,), (other,) = read(run(head_branch="b" * 250)), read(run(head_branch="b" * 251))
    assert len(one.fingerprint) == 64
    assert one.fingerprint != other.fingerprint


def test_a_repository_may_hold_a_service_of_another_name() -> None:
    (alert,) = read(RUN, services={"acme/checkout": "orders"})
    assert alert.service == "orders"


def test_a_deployment_that_fails_is_an_alert_of_its_environment() -> None:
    (alert,) = read(DEPLOYMENT, "deployment_status")
    assert alert == Alert(
        source="github",
        fingerprint="acme/checkout deployment deploy production",
        starts_at=1772443500000,
        ends_at=None,
        labels={
            "alertname": "DeploymentFailed",
            "severity": "critical",
            "environment": "production",
            "repository": "acme/checkout",
            "service": "checkout",
            "branch": "main",
            "version": SHA,
        },
        annotations={
            "summary": "deploy of acme/checkout to production: failure",
            "description": "The health check did not pass",
        },
        url="https://ci.example/deploys/42",
    )


@pytest.mark.parametrize(
    ("state", "found"),
    [("error", "alert"), ("success", "ending"), ("in_progress", None), ("inactive", None), ("queued", None)],
)
def test_a_deployment_fails_or_succeeds_or_tells_nothing(state: str, found: str | None) -> None:
    body = copy.deepcopy(DEPLOYMENT)
    body["deployment_status"]["state"] = state
    read_as = [("ending" if alert.ending else "alert") for alert in read(body, "deployment_status")]
    assert read_as == ([found] if found else [])


@pytest.mark.parametrize(
    ("production", "transient", "severity"), [(False, True, "info"), (None, None, "error"), (True, True, "critical")]
)
def test_how_bad_a_failed_deployment_is_depends_on_its_environment(production, transient, severity) -> None:
    body = copy.deepcopy(DEPLOYMENT)
    body["deployment"].update(production_environment=production, transient_environment=transient)
    (alert,) = read(body, "deployment_status")
    assert alert.labels["severity"] == severity


@pytest.mark.parametrize("event", ["ping", "push", "issues", "an event of next year"])
def test_other_events_are_taken_and_tell_nothing(event: str) -> None:
    assert read({"zen": "Keep it logically awesome.", "hook_id": 1}, event) == []


@pytest.mark.parametrize("name", ["workflow_id", "head_sha", "conclusion", "run_number", "run_started_at"])
def test_a_missing_field_is_named(name: str) -> None:
    body = run()
    del body["workflow_run"][name]
    with pytest.raises(ValueError, match=rf"workflow_run\.{name}: "):
        read(body)


@pytest.mark.parametrize(
    ("body", "event", "says"),
    [
        (None, "workflow_run", "body"),
        ([], "workflow_run", "body"),
        ({}, "workflow_run", "action"),
        ({**RUN, "repository": {}}, "workflow_run", r"repository\.full_name"),
        (run(run_started_at=5), "workflow_run", r"workflow_run\.run_started_at: must be a time as text"),
        ({}, "deployment_status", "deployment_status: "),
        (RUN, "", "X-GitHub-Event"),
    ],
)
def test_what_is_wrong_is_named(body: Any, event: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(body, event)


def test_the_signature_is_over_the_body_with_the_token_as_its_key() -> None:
    (source,) = github.register_alert_sources(Settings())
    body = json.dumps(RUN).encode()
    right = "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert source.proves(Delivery({"x-hub-signature-256": right}, body), "secret")
    wrong = [{}, {"x-hub-signature-256": right[:-1]}, {"x-hub-signature-256": "sha256="}, {"x-hub-signature": right}]
    assert not any(source.proves(Delivery(headers, body), "secret") for headers in wrong)
    assert not source.proves(Delivery({"x-hub-signature-256": right}, body + b" "), "secret")
    assert not source.proves(Delivery({"x-hub-signature-256": right}, body), "other")


def test_the_example_of_githubs_documentation_is_proven() -> None:
    """`Validating webhook deliveries` gives this secret, body and signature to test with."""
    (source,) = github.register_alert_sources(Settings())
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    delivery = Delivery({"x-hub-signature-256": signature}, b"Hello, World!")
    assert source.proves(delivery, "It's a Secret to Everybody")
