"""The stand-in for GitLab under python-gitlab, the client most of its users take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gitlab as client
import pytest
from gitlab.exceptions import GitlabAuthenticationError, GitlabCreateError, GitlabGetError

from sysop.testing.gitlab import GitLab, Outcome, Project
from sysop.testing.gitlab.server import READ_TOKEN, WRITE_TOKEN

LOG = "collecting\nE   assert 1 == 2"


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as server:
        yield server


@pytest.fixture
def project(gitlab: GitLab) -> Project:
    return gitlab.project("acme/checkout", ["main", "1.3.0", "1.4.0"])


@pytest.fixture
def seen(gitlab: GitLab, project: Project) -> Iterator[Any]:
    """Return the project as the client sees it."""
    with client.Gitlab(gitlab.url, private_token=WRITE_TOKEN) as session:
        yield session.projects.get("acme/checkout", lazy=True)


def _start(seen: Any, ref: str = "main") -> Any:
    return seen.pipelines.create({"ref": ref, "variables": [{"key": "SYSOP_KEY", "value": "k"}]})


def _ended(seen: Any, id: int) -> Any:
    while (found := seen.pipelines.get(id)).status not in ("success", "failed", "canceled"):
        pass
    return found


def test_a_pipeline_lives_the_same_life_under_the_client(seen: Any, project: Project, gitlab: GitLab) -> None:
    project.next(Outcome(good=False, log=LOG), Outcome())
    made = _start(seen)
    ended = _ended(seen, made.id)
    assert (ended.status, ended.source, ended.user["username"]) == ("failed", "api", "sysop")
    assert {one.key: one.value for one in ended.variables.list(get_all=True)} == {"SYSOP_KEY": "k"}
    (job,) = ended.jobs.list(get_all=True)
    assert (job.status, job.failure_reason) == ("failed", "script_failure")
    assert seen.jobs.get(job.id, lazy=True).trace().decode() == LOG
    ended.retry()
    assert _ended(seen, made.id).status == "success"
    assert len(ended.jobs.list(include_retried=True, get_all=True)) == 2
    listed = seen.pipelines.list(source="api", order_by="id", sort="desc", get_all=True)
    assert [one.id for one in listed] == [made.id]
    assert gitlab.changes == ["start main", f"retry {made.id}"]


def test_a_pipeline_is_cancelled_under_the_client(seen: Any, project: Project, gitlab: GitLab) -> None:
    project.next(Outcome(looks=1000))
    made = _start(seen)
    made.cancel()
    assert _ended(seen, made.id).status == "canceled"
    assert gitlab.changes == ["start main", f"cancel {made.id}"]


def test_more_pipelines_than_a_page_holds_are_all_listed(seen: Any) -> None:
    made = [_start(seen).id for _ in range(5)]
    assert [one.id for one in seen.pipelines.list(per_page=2, iterator=True)] == made[::-1]


def test_deployments_and_comparisons_are_read_by_the_client(seen: Any) -> None:
    made = _start(seen, "1.4.0")
    _ended(seen, made.id)
    (deployed,) = seen.deployments.list(environment="production", get_all=True)
    assert (deployed.ref, deployed.status, deployed.deployable["pipeline"]["id"]) == ("1.4.0", "success", made.id)
    compared = seen.repository_compare("1.3.0", "1.4.0")
    assert ([one["title"] for one in compared["commits"]], len(compared["diffs"])) == (["release 1.4.0"], 1)


def test_what_is_refused_is_refused_in_the_client_s_words(gitlab: GitLab, seen: Any) -> None:
    with client.Gitlab(gitlab.url, private_token="wrong") as stranger, pytest.raises(GitlabAuthenticationError):
        stranger.projects.get("acme/checkout", lazy=True).pipelines.get(1)
    with client.Gitlab(gitlab.url, private_token=READ_TOKEN) as reader, pytest.raises(GitlabCreateError) as refused:
        _start(reader.projects.get("acme/checkout", lazy=True))
    assert (refused.value.response_code, refused.value.error_message) == (403, "insufficient_scope")
    with pytest.raises(GitlabGetError, match="404 Not Found"):
        seen.pipelines.get(77)
    with pytest.raises(GitlabCreateError, match="Reference not found"):
        _start(seen, "9")
    assert gitlab.changes == []
