"""GitHub as a provider: trigger, follow, fail, logs, re-run, deploy, verify and roll back at the wire."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sysop.api import ActionFailed, InvalidCall
from sysop.testing.github import GitHub, Outcome, Repository
from sysop.testing.github.server import READ_TOKEN, WRITE_TOKEN
from sysop.testing.github.state import Deployment, Run
from sysop.testing.wire import Progress

KEY = "run-1:call-1"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


@pytest.fixture
def repo(github: GitHub) -> Repository:
    made = github.repository("acme/checkout", ["main", "1.3.0", "1.4.0"])
    made.workflow("ci.yml", {"suite": True, "sysop_key": False}, "ci {suite} {sysop_key}")
    made.workflow("plain.yml")
    return made


@pytest.fixture
def hub(world, github, repo):
    world.secrets["gh"] = WRITE_TOKEN
    world.settings["cicd"] = {
        "github": {
            "api": github.url,
            "token_secret": "gh",
            "pipelines": {
                "ci": {
                    "repository": "acme/checkout",
                    "workflow": "ci.yml",
                    "parameters": ["suite"],
                    "key_input": "sysop_key",
                },
                "plain": {"repository": "acme/checkout", "workflow": "plain.yml"},
                "release": {"repository": "acme/checkout", "environment": "production"},
            },
        },
        "services": {"checkout": {"pipeline": "release"}},
    }
    return world


async def test_a_workflow_is_started_followed_and_ends_well(hub, github):
    build = await hub.call("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    assert (build["id"], build["pipeline"], build["requested_by"]) == (
        "github:acme/checkout:1001:1",
        "ci",
        "sysop:run-test",
    )
    assert (await hub.verdict("cicd.trigger", build, pipeline="ci", parameters={"suite": "fast"})).state == "passed"
    ended = await hub.call("cicd.status", build=build["id"])
    assert (ended["state"], ended["pipeline"], ended["reason"]) == ("succeeded", "ci", "")
    assert github.changes == ["dispatch ci.yml"]


async def test_a_run_that_fails_says_where_and_is_run_again(hub, repo, github):
    log = "collecting\n0 errors so far\nE   assert 1 == 2\n1 failed"
    note = {"path": "tests/test_cart.py", "start_line": 7, "annotation_level": "failure", "message": "assert 1 == 2"}
    repo.next(Outcome(good=False, log=log, annotations=[note]), Outcome())
    build = await hub.call("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    assert (await hub.built(build["id"]))["state"] == "failed"
    logs = await hub.call("cicd.logs", build=build["id"])
    assert logs["text"].splitlines() == [
        "job build: failure",
        "== job build",
        "step 1 test: failure",
        *log.splitlines(),
        "##[failure] tests/test_cart.py:7:  assert 1 == 2",
    ]
    assert "E   assert 1 == 2" in logs["failing"]
    again = await hub.call("cicd.rerun", key="k2", build=build["id"])
    assert again["id"] == "github:acme/checkout:1001:2"
    assert (await hub.verdict("cicd.rerun", again, build=build["id"])).state == "passed"
    assert (await hub.call("cicd.pipeline_health", pipeline="ci"))["succeeded"] == 1
    assert github.changes == ["dispatch ci.yml", "rerun 1001"]


async def test_a_run_is_cancelled_once(hub, repo, github):
    repo.next(Outcome(looks=100))
    build = await hub.call("cicd.trigger", key=KEY, pipeline="plain", parameters={})
    stopped = await hub.call("cicd.cancel", build=build["id"])
    assert (await hub.verdict("cicd.cancel", stopped, build=build["id"])).state == "passed"
    assert (await hub.call("cicd.cancel", build=build["id"]))["state"] == "cancelled"
    assert github.changes == ["dispatch plain.yml", "cancel 1001"]


async def test_colours_of_a_terminal_hide_no_failure_and_no_secret(hub, repo, github):
    secret = "ghp_" + "a1B2" * 9
    log = f"\x1b[1mcollecting\r\x1b[0K\x1b[31mE   assert 1 == 2\x1b[0m\nlogin {secret[:9]}\x1b[0m{secret[9:]}\n1 failed"
    repo.next(Outcome(good=False, log=log))
    build = await hub.call("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    await hub.built(build["id"])
    logs = await hub.call("cicd.logs", build=build["id"])
    assert "\nE   assert 1 == 2\n" in logs["failing"]
    assert f"\ncollecting\nE   assert 1 == 2\nlogin {secret}\n1 failed" in logs["text"], "redaction sees it whole"


async def test_the_same_key_starts_one_run_where_the_workflow_takes_it(hub, github):
    first = await hub.call("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    again = await hub.call("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    assert again["id"] == first["id"]
    found = await hub.reconcile("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    assert (found.state, found.result["id"]) == ("done", first["id"])
    assert github.changes == ["dispatch ci.yml"]


async def test_a_key_that_only_begins_like_another_one_finds_nothing(hub, github):
    await hub.call("cicd.trigger", key="run-1:step-10", pipeline="ci", parameters={"suite": "fast"})
    found = await hub.reconcile("cicd.trigger", key="run-1:step-1", pipeline="ci", parameters={"suite": "fast"})
    assert found.state == "not_done"
    await hub.call("cicd.trigger", key="run-1:step-1", pipeline="ci", parameters={"suite": "fast"})
    assert github.changes == ["dispatch ci.yml"] * 2


async def test_a_key_is_not_called_unused_where_older_runs_were_not_looked_at(hub, repo):
    for number in range(300):
        begun = int(time.time()) - 60
        repo.runs.append(Run(number + 1, "ci.yml", "main", {}, "ci", begun, [Progress(Outcome(), begun)]))
    found = await hub.reconcile("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    assert (found.state, found.detail) == (
        "unknown",
        "none of the last 300 carries this key, and older ones were not read",
    )


async def test_without_a_key_it_is_said_that_nobody_knows(hub):
    found = await hub.reconcile("cicd.trigger", key=KEY, pipeline="plain", parameters={})
    assert (found.state, found.detail) == ("unknown", "pipeline plain has no key_input, so a run is not found again")


async def test_a_version_is_deployed_verified_and_rolled_back(hub, github):
    for version in ("1.3.0", "1.4.0"):
        rollout = await hub.call("cicd.deploy", key=f"deploy {version}", service="checkout", version=version)
        assert (await hub.verdict("cicd.deploy", rollout, service="checkout", version=version)).state == "passed"
    live = await hub.call("cicd.live_version", service="checkout")
    assert (live["version"], live["by"]) == ("1.4.0", "sysop:run-test")
    shown = await hub.preview("cicd.rollback", key="back", service="checkout")
    assert shown.summary == "Roll back checkout from 1.4.0 to 1.3.0"
    back = await hub.call("cicd.rollback", key="back", service="checkout")
    assert (back["version"], back["previous"]) == ("1.3.0", "1.4.0")
    assert (await hub.verdict("cicd.rollback", back, service="checkout")).state == "passed"
    assert (await hub.call("cicd.rollback", key="back", service="checkout"))["build"]["id"] == back["build"]["id"]
    history = (await hub.call("cicd.recent_deploys", minutes=10))["deploys"]
    assert [one["version"] for one in history] == ["1.3.0", "1.4.0", "1.3.0"]
    assert [one["previous"] for one in history] == ["1.4.0", "1.3.0", None]
    assert github.changes == ["deploy 1.3.0", "deploy 1.4.0", "deploy 1.3.0"]


async def test_two_deploys_of_a_service_never_overlap(hub, repo, github):
    repo.next(Outcome(looks=1000))
    await hub.call("cicd.deploy", key="a", service="checkout", version="1.3.0")
    with pytest.raises(ActionFailed, match=r"checkout: github:acme/checkout:deployment:501 is still \w+; wait for it"):
        await hub.call("cicd.deploy", key="b", service="checkout", version="1.4.0")
    assert github.changes == ["deploy 1.3.0"]


async def test_two_versions_are_compared_by_their_commits(hub):
    found = await hub.call("cicd.compare", service="checkout", one="1.3.0", other="1.4.0")
    assert (found["commits"][0]["message"], found["authors"]) == ("release 1.4.0", ["ada"])
    assert (found["files"], found["additions"], found["deletions"]) == (["cart.py"], 12, 3)


@pytest.mark.parametrize(
    ("action", "args", "error", "says"),
    [
        ("trigger", {"pipeline": "ci", "parameters": {}}, InvalidCall, r"parameters\.suite: is missing"),
        ("trigger", {"pipeline": "ci", "parameters": {"x": "1"}}, InvalidCall, r"parameters\.x: .* takes: suite"),
        ("deploy", {"service": "checkout", "version": "9"}, ActionFailed, "github: 422, No ref found for: 9"),
        ("status", {"build": "github:acme/checkout:77:1"}, InvalidCall, "github: 404, Not Found, or plugins.cicd"),
        ("status", {"build": "github:acme/checkout"}, InvalidCall, "they look like github:owner/name:123:1"),
        ("status", {"build": "gitlab:7"}, InvalidCall, "gitlab is not among the providers"),
    ],
)
async def test_what_does_not_fit_is_told_by_its_name(hub, github, action, args, error, says):
    with pytest.raises(error, match=says):
        await hub.call(f"cicd.{action}", **args)
    assert github.changes == []


async def test_a_token_that_may_only_read_changes_nothing(hub, github):
    hub.secrets["gh"] = READ_TOKEN
    with pytest.raises(ActionFailed, match=r"github: 403, Resource not accessible .* see plugins\.cicd\.github\.token"):
        await hub.call("cicd.trigger", pipeline="plain", parameters={})
    assert github.changes == []


class _Waiting(Progress):
    """For a free runner, however often it is looked at."""

    def look(self, now: int) -> None:
        """Go on waiting."""


async def test_what_waits_for_a_runner_has_not_failed(hub, repo):
    build = await hub.call("cicd.trigger", key=KEY, pipeline="ci", parameters={"suite": "fast"})
    release = await hub.call("cicd.deploy", key="d", service="checkout", version="1.3.0")
    run, deployment = repo.runs[0], repo.deployments[0]
    run.attempts[0] = _Waiting(Outcome(), run.created)
    deployment.attempt = _Waiting(Outcome(), deployment.created)
    for minutes, state in ((10, "pending"), (70, "failed")):
        hub.at = release["build"]["created_at"] + minutes * 60_000
        ci = await hub.verify("cicd.trigger", build, pipeline="ci", parameters={"suite": "fast"})
        live = await hub.verify("cicd.deploy", release, service="checkout", version="1.3.0")
        assert (ci.state, live.state) == (state, state), (ci, live)
    assert "is queued, though its pipeline may take 3600 s only" in ci.detail


async def test_what_was_run_again_already_is_not_run_a_third_time(hub, repo, github):
    repo.next(Outcome(good=False), Outcome(good=False))
    build = await hub.call("cicd.trigger", key=KEY, pipeline="plain", parameters={})
    await hub.built(build["id"])
    again = await hub.call("cicd.rerun", key="k2", build=build["id"])
    await hub.built(again["id"])
    with pytest.raises(ActionFailed, match="was run again already, as attempt 2"):
        await hub.call("cicd.rerun", key="k3", build=build["id"])
    assert github.changes == ["dispatch plain.yml", "rerun 1001"]


async def test_a_run_of_a_workflow_that_is_not_declared_is_neither_read_nor_changed(hub, repo, github):
    repo.next(Outcome(looks=1000))
    build = await hub.call("cicd.trigger", key=KEY, pipeline="plain", parameters={})
    del hub.settings["cicd"]["github"]["pipelines"]["plain"]
    for action in ("status", "logs", "rerun", "cancel"):
        with pytest.raises(InvalidCall, match=r"'plain\.yml' of acme/checkout is no workflow of plugins\.cicd\.github"):
            await hub.call(f"cicd.{action}", key="k", build=build["id"])
    with pytest.raises(InvalidCall, match="is no workflow"):
        await hub.preview("cicd.cancel", build=build["id"])
    assert github.changes == ["dispatch plain.yml"]


async def test_a_look_at_the_last_minutes_does_not_ask_for_every_deployment_there_was(hub, repo, github):
    begun = int(time.time()) - 3 * 86_400
    for number in range(40):
        body = {"ref": f"0.{number}", "environment": "production", "task": "deploy", "payload": {}}
        ended = Progress(Outcome(), begun + number, looked=2, ended=begun + number)
        repo.deployments.append(Deployment(number + 1, body, begun + number, ended))
    await hub.call("cicd.deploy", key="d", service="checkout", version="1.3.0")
    github.asked.clear()
    found = (await hub.call("cicd.recent_deploys", minutes=10))["deploys"]
    assert [(one["version"], one["previous"]) for one in found] == [("1.3.0", "0.39")]
    assert len(github.asked) <= 3, github.asked
