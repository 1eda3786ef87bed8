"""A real Buildbot as a provider: trigger, follow, fail, logs, cancel, run again, deploy, verify and roll back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plugins.buildbot_lab import BuildbotVendor, Master, running
from sysop.api import ActionFailed, InvalidCall
from sysop.testing.buildbot import LOOKER, LOOKERS_PASSWORD, PASSWORD
from sysop.testing.wire import Outcome
from sysop_plugins.cicd.buildbot import api, provider

FAST = {"pipeline": "ci", "parameters": {"suite": "fast"}}
ENDLESS = Outcome(looks=1_000_000)
ALL = 1_000_000


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    with running(tmp_path_factory.mktemp("master")) as found:
        yield found


@pytest.fixture
def buildbot(master: Master) -> Iterator[BuildbotVendor]:
    with BuildbotVendor(master) as vendor:
        yield vendor


@pytest.fixture
def lab(world: Any, buildbot: BuildbotVendor) -> Any:
    world.secrets["token"] = PASSWORD
    world.settings["cicd"] = {**buildbot.section(5.0), "services": {buildbot.service: {"pipeline": "release"}}}
    return world


@pytest.fixture
def keyed(buildbot: BuildbotVendor) -> dict[str, Any]:
    """Return the wish for a build, with a key that no other test has used at the same master."""
    return {**FAST, "key": f"{buildbot.service}:k"}


@pytest.fixture
def release(lab: Any, buildbot: BuildbotVendor) -> Callable[..., Any]:
    async def deploy(version: str) -> Any:
        rollout = await lab.call(
            "cicd.deploy", key=f"{buildbot.service}:{version}", service=buildbot.service, version=version
        )
        verdict = await lab.verdict("cicd.deploy", rollout, service=buildbot.service, version=version)
        assert verdict.state == "passed", verdict
        return rollout

    return deploy


async def test_a_build_is_asked_for_runs_and_ends_well(
    lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor
) -> None:
    build = await lab.call("cicd.trigger", **keyed)
    assert (build["state"], build["requested_by"]) == ("queued", "sysop")
    assert (await lab.verdict("cicd.trigger", build, **FAST)).state == "passed"
    ended = await lab.call("cicd.status", build=build["id"])
    assert (ended["state"], ended["parameters"], ended["pipeline"]) == ("succeeded", {"suite": "fast"}, "ci")
    assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"]
    assert "/#/builders/" in ended["url"]
    assert (await lab.call("cicd.builds", pipeline="ci"))["builds"][0] == ended
    assert buildbot.changes == ["force-ci"]


async def test_a_build_that_fails_says_where_and_is_run_again(
    lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor
) -> None:
    buildbot.next(Outcome(good=False, log="collecting\nE   assert 1 == 2\n1 failed\n"), Outcome())
    build = await lab.call("cicd.trigger", **keyed)
    failed = await lab.built(build["id"])
    assert (failed["state"], "(failure)" in failed["reason"]) == ("failed", True)
    logs = await lab.call("cicd.logs", build=build["id"])
    whole = ["--- run", "collecting", "E   assert 1 == 2", "1 failed", "program finished with exit code 1"]
    assert logs["text"].split("\n") == whole
    assert "E   assert 1 == 2" in logs["failing"]
    again = await lab.call("cicd.rerun", key="again", build=build["id"])
    assert (await lab.verdict("cicd.rerun", again, build=build["id"])).state == "passed"
    found = await lab.reconcile("cicd.rerun", key="again", build=build["id"])
    assert (found.state, found.result["id"]) == ("done", again["id"])
    assert (await lab.call("cicd.rerun", key="again", build=build["id"]))["id"] == again["id"]
    assert buildbot.changes == ["force-ci", "force-ci"]


async def test_the_same_key_asks_for_one_build_and_for_no_other(
    lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor
) -> None:
    first = await lab.call("cicd.trigger", **keyed)
    assert (await lab.call("cicd.trigger", **keyed))["id"] == first["id"]
    with pytest.raises(InvalidCall, match=r"key: it has asked for buildbot:\d+ with other parameters"):
        await lab.call("cicd.trigger", **{**keyed, "parameters": {"suite": "slow"}})
    assert buildbot.changes == ["force-ci"]


async def test_what_a_person_rebuilds_is_not_taken_for_ours(
    lab: Any, keyed: dict[str, Any], master: Master, buildbot: BuildbotVendor
) -> None:
    buildbot.next(Outcome(good=False))
    build = await lab.call("cicd.trigger", **keyed)
    await lab.built(build["id"])
    request = build["id"].removeprefix("buildbot:")
    (built,) = master.read(f"/buildrequests/{request}/builds")["builds"]
    _, requests = master.order(f"/builds/{built['buildid']}", "rebuild")
    (theirs,) = requests.values()
    copied = master.read(f"/buildrequests/{theirs}?property=*")["buildrequests"][0]["properties"]
    assert copied["reason"][0] == f"sysop[{keyed['key']}]"
    assert (await lab.reconcile("cicd.trigger", **keyed)).result["id"] == build["id"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_build_is_cancelled_whether_it_waits_or_runs(
    lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor, waits: bool
) -> None:
    buildbot.next(ENDLESS)
    running = await lab.call("cicd.trigger", **keyed)
    build = await lab.call("cicd.trigger", key="after", **FAST) if waits else running
    args = {"build": build["id"]}
    while (await lab.call("cicd.status", build=running["id"]))["started_at"] is None:
        await asyncio.sleep(0.05)
    stopped = await lab.call("cicd.cancel", **args)
    assert (await lab.verdict("cicd.cancel", stopped, **args)).state == "passed"
    begun = len(buildbot.changes)
    ended = await lab.call("cicd.cancel", **args)
    assert (ended["state"], ended["started_at"] is None) == ("cancelled", waits)
    assert ended["reason"] == "taken back before it began" if waits else "by sysop:run-test" in ended["reason"]
    assert len(buildbot.changes) == begun
    if waits:
        assert (await lab.call("cicd.status", build=running["id"]))["state"] in ("queued", "running")


async def test_what_has_ended_is_not_cancelled(lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor) -> None:
    build = await lab.call("cicd.trigger", **keyed)
    await lab.built(build["id"])
    with pytest.raises(ActionFailed, match="has already succeeded; there is nothing to cancel"):
        await lab.call("cicd.cancel", build=build["id"])
    with pytest.raises(ActionFailed, match="is succeeded; only what failed or was cancelled is run again"):
        await lab.call("cicd.rerun", key="r", build=build["id"])
    assert buildbot.changes == ["force-ci"]


async def test_a_version_is_deployed_verified_and_rolled_back(
    lab: Any, buildbot: BuildbotVendor, release: Callable[..., Any]
) -> None:
    mine = {"service": buildbot.service}
    first = await release("1.3.0")
    second = await release("1.4.0")
    assert (first["previous"], second["previous"]) == (None, "1.3.0")
    assert (await lab.call("cicd.live_version", **mine))["version"] == "1.4.0"
    back = await lab.call("cicd.rollback", key="back", **mine)
    assert (back["version"], back["previous"]) == ("1.3.0", "1.4.0")
    assert (await lab.verdict("cicd.rollback", back, **mine)).state == "passed"
    assert (await lab.call("cicd.rollback", key="back", **mine))["build"]["id"] == back["build"]["id"]
    live = await lab.call("cicd.live_version", **mine)
    assert (live["version"], live["change"], live["by"]) == ("1.3.0", "roll back from 1.4.0", "sysop")
    deploys = (await lab.call("cicd.recent_deploys", **mine))["deploys"]
    assert [(d["version"], d["previous"]) for d in deploys] == [("1.3.0", "1.4.0"), ("1.4.0", "1.3.0"), ("1.3.0", None)]
    between = await lab.call("cicd.compare", **mine, one="1.4.0", other="1.3.0")
    assert between["changes"] == ["1.3.0: roll back from 1.4.0"]
    assert buildbot.changes == ["force-release"] * 3


async def test_two_deploys_of_a_service_never_overlap(lab: Any, master: Master, buildbot: BuildbotVendor) -> None:
    master.next("release", ENDLESS)
    first = await lab.call("cicd.deploy", key="a", service=buildbot.service, version="1.3.0")
    with pytest.raises(ActionFailed, match=rf"{buildbot.service}: {first['build']['id']} is still (queued|running)"):
        await lab.call("cicd.deploy", key="b", service=buildbot.service, version="1.4.0")
    assert buildbot.changes == ["force-release"]


async def test_of_a_huge_log_only_the_end_is_read(lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor) -> None:
    buildbot.next(Outcome(good=False, log="".join(f"line {number}\n" for number in range(20_000))))
    build = await lab.call("cicd.trigger", **keyed)
    await lab.built(build["id"])
    logs = await lab.call("cicd.logs", build=build["id"], lines=2000)
    assert logs["text"].split("\n")[-2:] == ["line 19999", "program finished with exit code 1"]
    assert len(logs["text"]) > 50_000 or len(logs["text"].split("\n")) == 2000
    asked = [path for path in buildbot.proxy.asked if "/contents" in path]
    assert 1 <= len(asked) <= 10


async def test_the_environment_of_a_worker_is_not_told(
    lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor
) -> None:
    build = await lab.call("cicd.trigger", **keyed)
    await lab.built(build["id"])
    logs = await lab.call("cicd.logs", build=build["id"])
    assert ("argv" in logs["text"], "PATH" in logs["text"]) == (False, False)


@pytest.mark.parametrize(
    ("pipeline", "error", "says"),
    [
        ({"scheduler": "no-such"}, InvalidCall, "there is no force scheduler no-such"),
        ({"scheduler": "force-release"}, ActionFailed, "force-release does not start the builder ci"),
        ({"parameters": ["suite", "colour"]}, ActionFailed, "force-ci takes no colour; it takes: branch, priority"),
        ({"key_parameter": "sysop_key"}, ActionFailed, "force-ci takes no sysop_key"),
        ({"builder": "no such"}, InvalidCall, "buildbot: 404"),
    ],
)
async def test_a_pipeline_that_does_not_fit_the_master_starts_nothing(
    lab: Any, buildbot: BuildbotVendor, pipeline: dict[str, Any], error: type[Exception], says: str
) -> None:
    lab.settings["cicd"]["buildbot"]["pipelines"]["ci"].update(pipeline)
    parameters = dict.fromkeys(lab.settings["cicd"]["buildbot"]["pipelines"]["ci"]["parameters"], "x")
    with pytest.raises(error, match=says):
        await lab.call("cicd.trigger", pipeline="ci", parameters=parameters)
    assert buildbot.changes == []


@pytest.mark.parametrize(
    ("action", "args", "says"),
    [
        ("trigger", {"pipeline": "ci", "parameters": {}}, r"parameters\.suite: is missing"),
        ("status", {"build": "buildbot:999999"}, "buildbot: 404, there is no such thing"),
        ("status", {"build": "buildbot:ci"}, "they look like buildbot:45"),
        ("trigger", {"pipeline": "release", "parameters": {}}, "release deploys; use cicd.deploy"),
    ],
)
async def test_what_does_not_fit_is_told_by_its_name(lab: Any, action: str, args: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidCall, match=says):
        await lab.call(f"cicd.{action}", **args)


async def test_somebody_who_may_only_look_changes_nothing(lab: Any, buildbot: BuildbotVendor) -> None:
    lab.settings["cicd"]["buildbot"]["user"] = LOOKER
    lab.secrets["token"] = LOOKERS_PASSWORD
    with pytest.raises(ActionFailed, match=r"buildbot: 403, you need to have role 'changes'; see plugins\.cicd"):
        await lab.call("cicd.trigger", **FAST)
    assert buildbot.changes == []


async def test_a_wrong_password_is_told_and_nobody_s_session_is_used(lab: Any, buildbot: BuildbotVendor) -> None:
    lab.secrets["token"] = "wrong"
    with pytest.raises(
        ActionFailed, match=r"buildbot: 401, Unauthorized; see plugins\.cicd\.buildbot\.password_secret"
    ):
        await lab.call("cicd.trigger", **FAST)
    assert buildbot.proxy.asked == ["GET /auth/login"]


async def test_anybody_may_look_without_a_user(lab: Any, buildbot: BuildbotVendor) -> None:
    for name in ("user", "password_secret"):
        del lab.settings["cicd"]["buildbot"][name]
    assert (await lab.call("cicd.live_version", service=buildbot.service))["version"] is None
    assert not any("/auth/login" in path for path in buildbot.proxy.asked)
    with pytest.raises(ActionFailed, match="buildbot: 403"):
        await lab.call("cicd.trigger", **FAST)


async def test_a_build_of_a_builder_that_is_not_declared_is_neither_read_nor_changed(
    lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor
) -> None:
    build = await lab.call("cicd.trigger", **keyed)
    made = list(buildbot.changes)
    pipelines = lab.settings["cicd"]["buildbot"]["pipelines"]
    pipelines["ci"] = pipelines.pop("release")  # its name alone is not enough
    lab.settings["cicd"]["services"] = {}
    for action in ("status", "logs", "rerun", "cancel"):
        with pytest.raises(InvalidCall, match=r"build: 'ci' is no builder of plugins\.cicd\.buildbot\.pipelines"):
            await lab.call(f"cicd.{action}", build=build["id"])
    assert list(buildbot.changes) == made


async def test_a_key_is_not_called_unused_where_older_requests_were_not_looked_at(
    lab: Any, keyed: dict[str, Any], buildbot: BuildbotVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = await lab.call("cicd.trigger", **keyed)
    await lab.call("cicd.trigger", **FAST, key=f"{buildbot.service}:other")
    for module in (api, provider):
        monkeypatch.setattr(module, "REMEMBERED", 1)
    found = await lab.reconcile("cicd.trigger", **keyed)
    assert (found.state, "older ones were not read" in found.detail) == ("unknown", True), build
