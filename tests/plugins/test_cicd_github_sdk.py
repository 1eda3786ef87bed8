"""The stand-in for GitHub under githubkit, whose models come from GitHub's own description of its API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from githubkit import GitHub as Client
from githubkit.exception import RequestFailed
from githubkit_schemas.v2022_11_28.models import (
    BasicError,
    CheckAnnotation,
    Job,
    ValidationErrorSimple,
    WorkflowDispatchResponse,
)
from pydantic import TypeAdapter

from sysop.testing.github import GitHub, Outcome, Repository
from sysop.testing.github.server import READ_TOKEN, WRITE_TOKEN

PLACE = {"owner": "acme", "repo": "checkout"}
LOG = "collecting\nE   assert 1 == 2"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


@pytest.fixture
def repo(github: GitHub) -> Repository:
    made = github.repository("acme/checkout", ["main", "1.3.0", "1.4.0"])
    made.workflow("ci.yml", {"suite": True, "sysop_key": False}, "ci {suite} {sysop_key}")
    return made


@pytest.fixture
def rest(github: GitHub, repo: Repository) -> Iterator[Any]:
    with Client(WRITE_TOKEN, **_options(github)) as client:
        yield client.rest("2022-11-28")


def _options(github: GitHub) -> dict[str, Any]:
    return {"base_url": github.url, "auto_retry": False, "follow_redirects": False, "http_cache": False}


def _dispatched(rest: Any) -> int:
    body = {"ref": "main", "inputs": {"suite": "fast", "sysop_key": "k"}, "return_run_details": True}
    answer = rest.actions.create_workflow_dispatch(**PLACE, workflow_id="ci.yml", data=body)
    assert answer.status_code == 200
    return TypeAdapter(WorkflowDispatchResponse).validate_json(answer.content).workflow_run_id


def _ended(rest: Any, run: int) -> Any:
    while (found := rest.actions.get_workflow_run(**PLACE, run_id=run).parsed_data).status != "completed":
        pass
    return found


def test_a_run_lives_the_same_life_under_the_client(rest: Any, repo: Repository, github: GitHub) -> None:
    note = {
        "path": "tests/test_cart.py",
        "start_line": 7,
        "end_line": 7,
        "annotation_level": "failure",
        "message": "no",
    }
    repo.next(Outcome(good=False, log=LOG, annotations=[note]), Outcome())
    run = _dispatched(rest)
    ended = _ended(rest, run)
    assert (ended.conclusion, ended.display_title, ended.run_attempt) == ("failure", "ci fast k", 1)
    attempt = rest.actions.get_workflow_run_attempt(**PLACE, run_id=run, attempt_number=1).parsed_data
    assert (attempt.id, attempt.triggering_actor.login) == (run, "sysop")
    jobs = rest.actions.list_jobs_for_workflow_run_attempt(**PLACE, run_id=run, attempt_number=1).parsed_data
    (job,) = jobs.jobs
    assert isinstance(job, Job)
    assert [(step.name, step.conclusion) for step in job.steps] == [("test", "failure")]
    (told,) = rest.checks.list_annotations(**PLACE, check_run_id=job.id).parsed_data
    assert (isinstance(told, CheckAnnotation), told.path, told.start_line) == (True, "tests/test_cart.py", 7)
    elsewhere = rest.actions.download_job_logs_for_workflow_run(**PLACE, job_id=job.id)
    assert (elsewhere.status_code, elsewhere.headers["location"].startswith(github.logs_url)) == (302, True)
    assert rest.actions.re_run_workflow_failed_jobs(**PLACE, run_id=run).status_code == 201
    assert _ended(rest, run).run_attempt == 2
    listed = rest.actions.list_workflow_runs(**PLACE, workflow_id="ci.yml", event="workflow_dispatch").parsed_data
    assert [one.id for one in listed.workflow_runs] == [run]
    assert github.changes == ["dispatch ci.yml", f"rerun {run}"]


def test_a_run_is_cancelled_under_the_client(rest: Any, repo: Repository) -> None:
    repo.next(Outcome(looks=1000))
    run = _dispatched(rest)
    assert rest.actions.cancel_workflow_run(**PLACE, run_id=run).status_code == 202
    assert _ended(rest, run).conclusion == "cancelled"
    with pytest.raises(RequestFailed) as refused:
        rest.actions.cancel_workflow_run(**PLACE, run_id=run)
    assert refused.value.response.status_code == 409
    assert TypeAdapter(BasicError).validate_json(refused.value.response.content).message


def test_deployments_and_comparisons_are_read_by_the_client(rest: Any) -> None:
    body = {"ref": "1.4.0", "environment": "production", "auto_merge": False, "payload": {"sysop_key": "k"}}
    made = rest.repos.create_deployment(**PLACE, data=body).parsed_data
    assert (made.ref, made.payload.model_dump()) == ("1.4.0", {"sysop_key": "k"})
    listed = rest.repos.list_deployments(**PLACE, environment="production", task="deploy").parsed_data
    assert [one.id for one in listed] == [made.id]
    assert rest.repos.get_deployment(**PLACE, deployment_id=made.id).parsed_data.environment == "production"
    states: list[str] = []
    while "success" not in states:
        said = rest.repos.list_deployment_statuses(**PLACE, deployment_id=made.id).parsed_data
        states = [one.state for one in said]
    assert states == ["success", "in_progress"]
    compared = rest.repos.compare_commits(**PLACE, basehead="1.3.0...1.4.0").parsed_data
    assert ([one.commit.message for one in compared.commits], compared.files[0].additions) == (
        ["release 1.4.0\n\nmore"],
        12,
    )


def test_what_is_refused_is_refused_as_the_description_says(github: GitHub, rest: Any) -> None:
    def refused(call: Any, **given: Any) -> Any:
        with pytest.raises(RequestFailed) as error:
            call(**PLACE, **given)
        return error.value.response

    with Client("wrong", **_options(github)) as stranger:
        answer = refused(stranger.rest("2022-11-28").actions.get_workflow_run, run_id=1)
    assert (answer.status_code, TypeAdapter(BasicError).validate_json(answer.content).message) == (
        401,
        "Bad credentials",
    )
    with Client(READ_TOKEN, **_options(github)) as reader:
        wish = {"ref": "1.4.0", "environment": "production"}
        answer = refused(reader.rest("2022-11-28").repos.create_deployment, data=wish)
    assert answer.status_code == 403
    assert refused(rest.actions.get_workflow_run, run_id=77).status_code == 404
    answer = refused(rest.repos.create_deployment, data={"ref": "9", "environment": "production"})
    assert answer.status_code == 422
    assert "No ref found" in TypeAdapter(ValidationErrorSimple).validate_json(answer.content).message
    assert github.changes == []
