"""Jenkins as a provider: trigger, follow, fail, logs, run again, deploy, verify and roll back at the wire."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from sysop.api import ActionFailed, InvalidCall
from sysop.testing.jenkins import Jenkins, Job, Outcome
from sysop.testing.jenkins.server import LOOKER, LOOKERS_TOKEN, TOKEN, USER


@pytest.fixture
def jenkins() -> Iterator[Jenkins]:
    with Jenkins() as server:
        yield server


@pytest.fixture
def job(jenkins: Jenkins) -> Job:
    return jenkins.job("team/ci", ["suite", "sysop_key"])


@pytest.fixture
def release(jenkins: Jenkins) -> Job:
    return jenkins.job("team/release", ["service", "version", "sysop_key"])


@pytest.fixture
def lab(world, jenkins, job, release):
    world.secrets["jk"] = TOKEN
    key = {"key_parameter": "sysop_key"}
    world.settings["cicd"] = {
        "jenkins": {
            "url": jenkins.url,
            "user": USER,
            "token_secret": "jk",
            "pipelines": {
                "ci": {"job": "team/ci", "parameters": ["suite"], **key},
                "plain": {"job": "team/ci", "parameters": ["suite"]},
                "release": {"job": "team/release", "parameters": ["service", "version"], "deploys": True, **key},
            },
        },
        "services": {"checkout": {"pipeline": "release"}},
    }
    return world


FAST = {"pipeline": "ci", "parameters": {"suite": "fast"}}


async def test_a_build_waits_runs_and_ends_well(lab, jenkins):
    build = await lab.call("cicd.trigger", key="k", **FAST)
    assert (build["id"], build["state"]) == ("jenkins:team/ci:queue:71", "queued")
    assert (await lab.verdict("cicd.trigger", build, **FAST)).state == "passed"
    ended = await lab.call("cicd.status", build=build["id"])
    assert (ended["id"], ended["state"], ended["parameters"]) == ("jenkins:team/ci:1", "succeeded", {"suite": "fast"})
    assert jenkins.changes == ["start team/ci"]


async def test_a_build_is_found_by_its_place_after_the_queue_has_forgotten_it(lab, jenkins):
    build = await lab.call("cicd.trigger", key="k", **FAST)
    await lab.built(build["id"])
    jenkins.forget_queue()
    assert (await lab.call("cicd.status", build=build["id"]))["id"] == "jenkins:team/ci:1"


async def test_a_build_that_fails_says_where_and_is_run_again(lab, job, jenkins):
    job.next(Outcome(good=False, log="collecting\nE   assert 1 == 2\n1 failed"), Outcome())
    build = await lab.call("cicd.trigger", key="k", **FAST)
    assert (await lab.built(build["id"]))["state"] == "failed"
    logs = await lab.call("cicd.logs", build=build["id"], lines=1)
    assert (logs["text"], "E   assert 1 == 2" in logs["failing"]) == ("1 failed", True)
    again = await lab.call("cicd.rerun", key="again", build=build["id"])
    assert (await lab.verdict("cicd.rerun", again, build=build["id"])).state == "passed"
    found = await lab.reconcile("cicd.rerun", key="again", build=build["id"])
    assert (found.state, found.result["id"]) == ("done", "jenkins:team/ci:2")
    assert (await lab.call("cicd.rerun", key="again", build=build["id"]))["id"] == "jenkins:team/ci:2"
    assert jenkins.changes == ["start team/ci", "start team/ci"]


async def test_the_same_key_starts_one_build(lab, jenkins):
    first = await lab.call("cicd.trigger", key="k", **FAST)
    again = await lab.call("cicd.trigger", key="k", **FAST)
    assert again["id"] in (first["id"], "jenkins:team/ci:1")
    assert (await lab.reconcile("cicd.trigger", key="k", **FAST)).state == "done"
    assert jenkins.changes == ["start team/ci"]


async def test_without_a_key_it_is_said_that_nobody_knows(lab):
    found = await lab.reconcile("cicd.trigger", key="k", pipeline="plain", parameters={"suite": "fast"})
    assert found.state == "unknown"


async def test_a_build_is_cancelled_once_whether_it_waits_or_runs(lab, job, jenkins):
    job.next(Outcome(looks=1000))
    build = await lab.call("cicd.trigger", key="k", **FAST)
    stopped = await lab.call("cicd.cancel", build=build["id"])
    assert (await lab.verdict("cicd.cancel", stopped, build=build["id"])).state == "passed"
    assert (await lab.call("cicd.cancel", build=build["id"]))["state"] == "cancelled"
    assert jenkins.changes == ["start team/ci", "stop 1"]


async def test_a_version_is_deployed_verified_and_rolled_back(lab, jenkins):
    for version in ("1.3.0", "1.4.0"):
        rollout = await lab.call("cicd.deploy", key=f"deploy {version}", service="checkout", version=version)
        assert (await lab.verdict("cicd.deploy", rollout, service="checkout", version=version)).state == "passed"
    assert (await lab.call("cicd.live_version", service="checkout"))["version"] == "1.4.0"
    back = await lab.call("cicd.rollback", key="b", service="checkout")
    assert (back["version"], back["previous"]) == ("1.3.0", "1.4.0")
    assert (await lab.verdict("cicd.rollback", back, service="checkout")).state == "passed"
    await lab.call("cicd.rollback", key="b", service="checkout")
    found = await lab.call("cicd.compare", service="checkout", one="1.3.0", other="1.4.0")
    assert (found["authors"], found["files"]) == (["Ada"], ["cart.py"])
    assert jenkins.changes == ["start team/release"] * 3


async def test_two_deploys_of_a_service_never_overlap(lab, release, jenkins):
    release.next(Outcome(looks=1000))
    await lab.call("cicd.deploy", key="a", service="checkout", version="1.3.0")
    with pytest.raises(ActionFailed, match=r"checkout: jenkins:team/release:1 is still running; wait for it"):
        await lab.call("cicd.deploy", key="b", service="checkout", version="1.4.0")
    assert jenkins.changes == ["start team/release"]


@pytest.mark.parametrize(
    ("action", "args", "error", "says"),
    [
        ("trigger", {"pipeline": "ci", "parameters": {}}, InvalidCall, r"parameters\.suite: is missing"),
        ("status", {"build": "jenkins:team/ci:77"}, InvalidCall, "jenkins: 404, Error 404"),
        ("status", {"build": "jenkins:queue:7:x"}, InvalidCall, "they look like jenkins:folder/job:45"),
    ],
)
async def test_what_does_not_fit_is_told_by_its_name(lab, jenkins, action, args, error, says):
    with pytest.raises(error, match=says):
        await lab.call(f"cicd.{action}", **args)
    assert jenkins.changes == []


async def test_somebody_who_may_only_look_changes_nothing(lab, jenkins):
    lab.settings["cicd"]["jenkins"]["user"] = LOOKER
    lab.secrets["jk"] = LOOKERS_TOKEN
    with pytest.raises(ActionFailed, match=r"jenkins: 403, looker is missing the Job/Build permission; see plugins"):
        await lab.call("cicd.trigger", **FAST)
    assert jenkins.changes == []


class _Hasty(Jenkins):
    """A server at which what waits begins as soon as somebody has looked at the queue."""

    def answer(self, method, path, query, headers, raw):
        """Answer as Jenkins does."""
        reply = super().answer(method, path, query, headers, raw)
        if path == "/queue/api/json":
            for item in reply.body["items"]:
                super().answer("GET", f"/queue/item/{item['id']}/api/json", {"tree": "id"}, headers, b"")
        return reply


async def test_what_leaves_the_queue_while_it_is_looked_at_is_seen_and_seen_once(world):
    with _Hasty() as server:
        server.job("ci", []).next(Outcome(looks=1000))
        world.secrets["jenkins"] = TOKEN
        section = {"url": server.url, "user": USER, "token_secret": "jenkins"}
        world.settings["cicd"] = {"jenkins": {**section, "pipelines": {"ci": {"job": "ci"}}}}
        signed = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        server.answer("POST", "/job/ci/build", {}, {"authorization": f"Basic {signed}"}, b"")
        server.asked.clear()
        found = (await world.call("cicd.builds", pipeline="ci"))["builds"]
        assert [one["id"] for one in found] == ["jenkins:ci:1"]
        assert [path.partition("?")[0] for path in server.asked] == ["GET /queue/api/json", "GET /job/ci/api/json"]
