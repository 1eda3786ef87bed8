"""GitLab as a provider: trigger, follow, fail, logs, re-run, deploy, verify and roll back at the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sysop.api import ActionFailed, InvalidCall
from sysop.testing.gitlab import GitLab, Outcome, Project
from sysop.testing.gitlab.server import READ_TOKEN, WRITE_TOKEN
from sysop_plugins.cicd.gitlab.ids import parse
from sysop_plugins.cicd.gitlab.reading import deployed
from sysop_plugins.cicd.gitlab.replies import Deployment

NOON = "2026-11-23T12:00:00Z"


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as server:
        yield server


@pytest.fixture
def project(gitlab: GitLab) -> Project:
    return gitlab.project("acme/checkout", ["main", "1.3.0", "1.4.0"])


@pytest.fixture
def lab(world, gitlab, project):
    world.secrets["gl"] = WRITE_TOKEN
    ours = {"project": "acme/checkout"}
    world.settings["cicd"] = {
        "gitlab": {
            "url": gitlab.url,
            "token_secret": "gl",
            "pipelines": {"ci": {**ours, "parameters": ["suite"]}, "release": {**ours, "environment": "production"}},
        },
        "services": {"checkout": {"pipeline": "release"}},
    }
    return world


FAST = {"pipeline": "ci", "parameters": {"suite": "fast"}}


async def test_a_pipeline_is_started_followed_and_ends_well(lab, gitlab, project):
    build = await lab.call("cicd.trigger", key="k", **FAST)
    assert (build["id"], build["pipeline"]) == ("gitlab:acme/checkout:401:1", "ci")
    assert (await lab.verdict("cicd.trigger", build, **FAST)).state == "passed"
    ended = await lab.call("cicd.status", build=build["id"])
    assert (ended["state"], ended["parameters"], ended["requested_by"]) == (
        "succeeded",
        {"suite": "fast"},
        "sysop:run-test",
    )
    assert gitlab.changes == ["start main"]
    assert project.pipelines[0].variables["SUITE"] == "fast"


async def test_a_pipeline_that_fails_says_where_and_is_run_again(lab, project, gitlab):
    project.next(Outcome(good=False, log="collecting\nE   assert 1 == 2\n1 failed"), Outcome())
    build = await lab.call("cicd.trigger", key="k", **FAST)
    assert (await lab.built(build["id"]))["state"] == "failed"
    logs = await lab.call("cicd.logs", build=build["id"])
    assert logs["text"].splitlines()[:2] == ["job build (test): failed script_failure", "== job build"]
    assert "E   assert 1 == 2" in logs["failing"]
    again = await lab.call("cicd.rerun", key="again", build=build["id"])
    assert again["id"] == "gitlab:acme/checkout:401:2"
    assert (await lab.verdict("cicd.rerun", again, build=build["id"])).state == "passed"
    found = await lab.reconcile("cicd.rerun", key="again", build=build["id"])
    assert (found.state, found.result["id"]) == ("done", again["id"])
    assert gitlab.changes == ["start main", "retry 401"]


async def test_the_same_key_starts_one_pipeline(lab, gitlab):
    first = await lab.call("cicd.trigger", key="k", **FAST)
    assert (await lab.call("cicd.trigger", key="k", **FAST))["id"] == first["id"]
    assert (await lab.reconcile("cicd.trigger", key="k", **FAST)).result["id"] == first["id"]
    assert gitlab.changes == ["start main"]


async def test_a_pipeline_is_cancelled_once(lab, project, gitlab):
    project.next(Outcome(looks=1000))
    build = await lab.call("cicd.trigger", key="k", **FAST)
    stopped = await lab.call("cicd.cancel", build=build["id"])
    assert (await lab.verdict("cicd.cancel", stopped, build=build["id"])).state == "passed"
    assert (await lab.call("cicd.cancel", build=build["id"]))["state"] == "cancelled"
    assert gitlab.changes == ["start main", "cancel 401"]


async def test_a_version_is_deployed_verified_and_rolled_back(lab, gitlab):
    for version in ("1.3.0", "1.4.0"):
        rollout = await lab.call("cicd.deploy", key=f"deploy {version}", service="checkout", version=version)
        assert (await lab.verdict("cicd.deploy", rollout, service="checkout", version=version)).state == "passed"
    assert (await lab.call("cicd.live_version", service="checkout"))["version"] == "1.4.0"
    assert (await lab.preview("cicd.rollback", key="b", service="checkout")).summary == (
        "Roll back checkout from 1.4.0 to 1.3.0"
    )
    back = await lab.call("cicd.rollback", key="b", service="checkout")
    assert (back["version"], back["previous"]) == ("1.3.0", "1.4.0")
    assert (await lab.verdict("cicd.rollback", back, service="checkout")).state == "passed"
    assert (await lab.call("cicd.rollback", key="b", service="checkout"))["build"]["id"] == back["build"]["id"]
    history = (await lab.call("cicd.recent_deploys", service="checkout", minutes=10))["deploys"]
    assert [(one["version"], one["previous"]) for one in history] == [
        ("1.3.0", "1.4.0"),
        ("1.4.0", "1.3.0"),
        ("1.3.0", None),
    ]
    assert gitlab.changes == ["start 1.3.0", "start 1.4.0", "start 1.3.0"]


async def test_two_deploys_of_a_service_never_overlap(lab, project, gitlab):
    project.next(Outcome(looks=1000))
    await lab.call("cicd.deploy", key="a", service="checkout", version="1.3.0")
    with pytest.raises(ActionFailed, match=r"checkout: gitlab:acme/checkout:401:1 is still \w+; wait for it"):
        await lab.call("cicd.deploy", key="b", service="checkout", version="1.4.0")
    assert gitlab.changes == ["start 1.3.0"]


async def test_two_versions_are_compared_by_their_commits(lab):
    found = await lab.call("cicd.compare", service="checkout", one="1.3.0", other="1.4.0")
    assert (found["commits"][0]["message"], found["authors"]) == ("release 1.4.0", ["Ada"])
    assert (found["files"], found["additions"], found["deletions"]) == (["cart.py"], 2, 1)


@pytest.mark.parametrize(
    ("action", "args", "error", "says"),
    [
        ("trigger", {"pipeline": "ci", "parameters": {}}, InvalidCall, r"parameters\.suite: is missing"),
        ("deploy", {"service": "checkout", "version": "9"}, ActionFailed, "gitlab: 400, base: Reference not found"),
        ("status", {"build": "gitlab:acme/checkout:77:1"}, InvalidCall, "gitlab: 404, 404 Not Found, or plugins"),
        ("status", {"build": "gitlab:acme"}, InvalidCall, "they look like gitlab:group/project:123:1"),
    ],
)
async def test_what_does_not_fit_is_told_by_its_name(lab, gitlab, action, args, error, says):
    with pytest.raises(error, match=says):
        await lab.call(f"cicd.{action}", **args)
    assert gitlab.changes == []


async def test_a_token_that_may_only_read_changes_nothing(lab, gitlab):
    lab.secrets["gl"] = READ_TOKEN
    with pytest.raises(ActionFailed, match=r"gitlab: 403, insufficient_scope; see plugins\.cicd\.gitlab\.token_secret"):
        await lab.call("cicd.trigger", **FAST)
    assert gitlab.changes == []


async def test_two_pipelines_of_one_project_are_told_apart(lab, gitlab):
    section = lab.settings["cicd"]["gitlab"]["pipelines"]
    section["nightly"] = {"project": "acme/checkout", "parameters": ["suite"]}
    build = await lab.call("cicd.trigger", key="k", pipeline="nightly", parameters={"suite": "all"})
    assert (await lab.call("cicd.status", build=build["id"]))["pipeline"] == "nightly"
    assert [one["pipeline"] for one in (await lab.call("cicd.builds"))["builds"]] == ["nightly"]
    assert (
        await lab.reconcile("cicd.trigger", key="k", pipeline="nightly", parameters={"suite": "all"})
    ).state == "done"
    assert gitlab.changes == ["start main"]


async def test_where_variables_are_not_shown_builds_are_listed_and_nobody_says_that_nothing_was_started(lab, project):
    build = await lab.call("cicd.trigger", key="k", **FAST)
    project.shows_variables_to_maintainers = True
    lab.secrets["gl"] = READ_TOKEN
    assert [one["id"] for one in (await lab.call("cicd.builds"))["builds"]] == [build["id"]]
    found = await lab.reconcile("cicd.trigger", key="k", **FAST)
    assert (found.state, "Maintainer" in found.detail) == ("unknown", True)


async def test_what_was_run_again_already_is_not_run_a_third_time(lab, project, gitlab):
    project.next(Outcome(good=False), Outcome(good=False))
    build = await lab.call("cicd.trigger", key="k", **FAST)
    await lab.built(build["id"])
    again = await lab.call("cicd.rerun", key="again", build=build["id"])
    await lab.built(again["id"])
    with pytest.raises(ActionFailed, match="was run again already, as attempt 2"):
        await lab.call("cicd.rerun", key="third", build=build["id"])
    assert gitlab.changes == ["start main", "retry 401"]


async def test_a_version_whose_pipeline_failed_after_its_deploy_is_live_and_is_rolled_back(lab, project, gitlab):
    project.next(Outcome(), Outcome(good=False))
    for version in ("1.3.0", "1.4.0"):
        made = await lab.call("cicd.deploy", key=version, service="checkout", version=version)
        ended = await lab.built(made["build"]["id"])
    assert ended["state"] == "failed"
    assert (await lab.call("cicd.live_version", service="checkout"))["version"] == "1.3.0"
    project.pipelines[-1].deployed = "success"  # only its last job failed
    assert (await lab.call("cicd.live_version", service="checkout"))["version"] == "1.4.0"
    back = await lab.call("cicd.rollback", key="back", service="checkout")
    assert (back["previous"], back["version"]) == ("1.4.0", "1.3.0")
    assert gitlab.changes == ["start 1.3.0", "start 1.4.0", "start 1.3.0"]


def test_a_deployment_that_no_pipeline_made_is_not_called_like_one():
    told = {"id": 401, "ref": "main", "sha": "a" * 40, "status": "running", "created_at": NOON, "updated_at": NOON}
    found = deployed("acme/checkout", "release", "checkout", Deployment.model_validate(told))
    assert found.build.id == "gitlab:acme/checkout:deployment:401"
    with pytest.raises(InvalidCall, match="they look like gitlab:group/project:123:1"):
        parse(found.build.id)
