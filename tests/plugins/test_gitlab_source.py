"""GitLab's webhooks, with bodies that follow `Pipeline events` of GitLab's documentation."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sysop.api import Alert, Delivery
from sysop_plugins import gitlab
from sysop_plugins.gitlab import Settings

SHA = "bcbb5ec396a2c0f828686f14fac9b80b780504f2"
FAILED: dict[str, Any] = {
    "object_kind": "pipeline",
    "object_attributes": {
        "id": 31,
        "iid": 3,
        "name": "Pipeline for branch: main",
        "ref": "main",
        "tag": False,
        "sha": SHA,
        "before_sha": SHA,
        "source": "push",
        "status": "failed",
        "detailed_status": "failed",
        "stages": ["build", "test", "deploy"],
        "created_at": "2026-03-02 09:14:07 UTC",
        "finished_at": "2026-03-02 09:20:07 UTC",
        "duration": 63,
        "queued_duration": 10,
        "variables": [{"key": "NESTOR_PROD_ENVIRONMENT", "value": "us-west-1"}],
        "url": "https://gitlab.example/shop/checkout/-/pipelines/31",
    },
    "merge_request": None,
    "user": {"id": 1, "name": "Administrator", "username": "root"},
    "project": {
        "id": 1,
        "name": "Checkout",
        "web_url": "https://gitlab.example/shop/checkout",
        "namespace": "Shop",
        "path_with_namespace": "shop/checkout",
        "default_branch": "main",
    },
    "commit": {"id": SHA, "message": "test\n", "url": f"https://gitlab.example/shop/checkout/commit/{SHA}"},
    "builds": [
        {"id": 380, "stage": "test", "name": "unit", "status": "failed", "failure_reason": "script_failure"},
        {"id": 381, "stage": "test", "name": "lint", "status": "failed", "allow_failure": True},
        {"id": 377, "stage": "build", "name": "image", "status": "success", "allow_failure": False},
    ],
}


def pipeline(**values: Any) -> dict[str, Any]:
    body = copy.deepcopy(FAILED)
    body["object_attributes"].update(values)
    return body


def read(body: Any, services: dict[str, str] | None = None) -> list[Alert]:
    return list(gitlab.parse(Delivery({}, b"", body), services or {}))


def test_a_pipeline_that_fails_is_an_alert_of_its_project_and_branch() -> None:
    assert read(FAILED) == [
        Alert(
            source="gitlab",
            fingerprint="shop/checkout pipeline main",
            starts_at=1772442847000,
            ends_at=None,
            labels={
                "alertname": "PipelineFailed",
                "severity": "error",
                "repository": "shop/checkout",
                "service": "checkout",
                "branch": "main",
                "version": SHA,
            },
            annotations={
                "summary": "Pipeline for branch: main of shop/checkout failed on main at bcbb5ec396",
                "failed_jobs": "unit",
            },
            url="https://gitlab.example/shop/checkout/-/pipelines/31",
        )
    ]


def test_a_later_success_ends_the_failures_of_pipelines_that_began_before_it() -> None:
    (failed,) = read(FAILED)
    later = {"created_at": "2026-03-02 10:00:00 UTC", "finished_at": "2026-03-02 10:05:00 UTC"}
    (ending,) = read(pipeline(id=32, status="success", **later))
    assert ending.ending
    assert ending.fingerprint == failed.fingerprint
    assert failed.starts_at < ending.starts_at == 1772445600000
    assert ending.ends_at == ending.starts_at + 300_000


def test_a_pipeline_whose_failed_job_is_tried_again_ends_its_own_failure() -> None:
    (failed,), (ending,) = read(FAILED), read(pipeline(status="success", finished_at="2026-03-02 09:40:00 UTC"))
    assert ending.ending
    assert (ending.fingerprint, ending.starts_at) == (failed.fingerprint, failed.starts_at)


@pytest.mark.parametrize("status", ["running", "pending", "canceled", "skipped", "manual", "created", "new"])
def test_what_neither_failed_nor_succeeded_tells_nothing(status: str) -> None:
    assert read(pipeline(status=status, finished_at=None)) == []


@pytest.mark.parametrize(
    ("values", "branch"),
    [
        ({"ref": "faster"}, "faster"),
        ({"ref": "v1.2.0", "tag": True}, "tag:v1.2.0"),
        ({"source": "merge_request_event"}, "!17"),
    ],
)
def test_what_is_not_the_default_branch_is_another_alert_and_no_error(values: dict[str, Any], branch: str) -> None:
    body = {**pipeline(**values), "merge_request": {"id": 99, "iid": 17, "source_branch": "main"}}
    (alert,) = read(body)
    assert alert.labels["branch"] == branch
    assert alert.fingerprint == f"shop/checkout pipeline {branch}"
    assert alert.labels["severity"] == "info"


def test_a_merge_request_from_a_fork_cannot_end_a_failure_of_our_branch() -> None:
    (failed,), (theirs,) = read(FAILED), read(pipeline(status="success", source="merge_request_event"))
    assert theirs.fingerprint != failed.fingerprint


def test_times_may_have_the_form_of_iso_8601_and_no_name_or_address_need_be_there() -> None:
    (alert,) = read(pipeline(created_at="2026-03-02T10:14:07+01:00", name=None, url=""))
    assert alert.starts_at == 1772442847000
    assert alert.url == "https://gitlab.example/shop/checkout/-/pipelines/31"
    assert alert.annotations["summary"].startswith("pipeline of shop/checkout failed")


def test_many_failed_jobs_are_told_in_short() -> None:
    body = {**FAILED, "builds": [{"name": f"job {n}", "status": "failed"} for n in range(8)]}
    (alert,) = read(body)
    assert alert.annotations["failed_jobs"] == "job 0, job 1, job 2, job 3, job 4 and 3 more"


def test_a_project_may_hold_a_service_of_another_name() -> None:
    (alert,) = read(FAILED, {"shop/checkout": "orders"})
    assert alert.service == "orders"


@pytest.mark.parametrize("kind", ["push", "merge_request", "build", "deployment", "of next year"])
def test_other_events_are_taken_and_tell_nothing(kind: str) -> None:
    assert read({"object_kind": kind}) == []


@pytest.mark.parametrize("name", ["id", "ref", "sha", "status", "created_at"])
def test_a_missing_field_is_named(name: str) -> None:
    body = pipeline()
    del body["object_attributes"][name]
    with pytest.raises(ValueError, match=rf"object_attributes\.{name}: "):
        read(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (None, "body"),
        ({}, "object_kind"),
        ({"object_kind": "pipeline"}, "object_attributes: "),
        ({**FAILED, "project": {"default_branch": "main"}}, r"project\.path_with_namespace"),
        (pipeline(created_at="yesterday"), r"object_attributes\.created_at: "),
        ({**FAILED, "builds": [{"name": "a"}]}, r"builds\[0\]\.status"),
    ],
)
def test_what_is_wrong_is_named(body: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(body)


def test_the_secret_token_stands_in_its_own_header() -> None:
    (source,) = gitlab.register_alert_sources(Settings())
    assert source.proves(Delivery({"x-gitlab-token": "secret"}, b""), "secret")
    wrong = [{}, {"x-gitlab-token": "Secret"}, {"x-gitlab-token": ""}, {"authorization": "Bearer secret"}]
    assert not any(source.proves(Delivery(headers, b""), "secret") for headers in wrong)
