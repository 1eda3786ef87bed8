"""Builds of a while: the list, the figures, the failing part of a log, and running once more what failed."""

from __future__ import annotations

import pytest

from sysop.api import ActionFailed, InvalidCall
from sysop_plugins.cicd.figures import health
from sysop_plugins.cicd.provider import Build, BuildState


async def failed(company, pipeline="flaky"):
    build = await company.call("cicd.trigger", pipeline=pipeline, parameters={})
    return await company.built(build["id"])


async def test_a_build_that_failed_is_run_again_as_it_was_asked_for(company, executed):
    first = await failed(company)
    assert first["state"] == "failed"
    second = await company.call("cicd.rerun", key="again", build=first["id"])
    assert second["id"] != first["id"]
    assert (second["pipeline"], second["parameters"]) == (first["pipeline"], first["parameters"])
    assert (await company.verdict("cicd.rerun", second, build=first["id"])).state == "passed"
    assert executed() == [first["id"], second["id"]]


async def test_a_rerun_asked_for_again_after_a_crash_is_the_same_build(company, executed):
    first = await failed(company)
    assert (await company.reconcile("cicd.rerun", key="k", build=first["id"])).state == "not_done"
    second = await company.call("cicd.rerun", key="k", build=first["id"])
    assert await company.reconcile("cicd.rerun", key="k", build=first["id"])
    assert (await company.call("cicd.rerun", key="k", build=first["id"]))["id"] == second["id"]
    await company.built(second["id"])
    assert executed() == [first["id"], second["id"]]


async def test_what_runs_or_succeeded_is_not_run_again(company, executed):
    build = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "1"})
    with pytest.raises(ActionFailed, match=f"{build['id']} is running; only what failed or was cancelled"):
        await company.call("cicd.rerun", build=build["id"])
    await company.built(build["id"])
    with pytest.raises(ActionFailed, match=f"{build['id']} is succeeded"):
        await company.call("cicd.rerun", build=build["id"])
    assert executed() == [build["id"]]


async def test_a_deploy_is_not_run_again_behind_the_back_of_its_service(company, executed):
    rollout = await company.call("cicd.deploy", service="checkout", version="0.0.0")
    await company.built(rollout["build"]["id"])
    for ask in (company.call, company.preview):
        with pytest.raises(InvalidCall, match=r"deploy deploys; use cicd\.deploy"):
            await ask("cicd.rerun", build=rollout["build"]["id"])
    assert len(executed()) == 1


async def test_an_approver_sees_what_would_run_again_and_why_it_failed(company):
    first = await failed(company)
    shown = await company.preview("cicd.rerun", build=first["id"])
    assert shown.summary == f"Run pipeline flaky again as build {first['id']}, which failed (exit code 1)"
    assert await company.precondition("cicd.rerun", build=first["id"]) == {"build": first["id"], "state": "failed"}


async def test_the_log_of_a_failed_build_shows_where_it_failed(company):
    first = await failed(company)
    logs = await company.call("cicd.logs", build=first["id"], lines=1)
    assert (logs["state"], logs["failing"]) == ("failed", "E   assert 1 == 2")


async def test_builds_are_listed_newest_first_of_one_pipeline_or_all(company):
    first, second = await failed(company, "fail"), await failed(company, "fail")
    other = await failed(company)
    listed = await company.call("cicd.builds", pipeline="fail")
    assert [one["id"] for one in listed["builds"]] == [second["id"], first["id"]]
    assert (await company.call("cicd.builds"))["count"] == 3
    assert (await company.call("cicd.builds"))["builds"][0]["id"] == other["id"]
    with pytest.raises(InvalidCall, match="there is no pipeline 'fial'"):
        await company.call("cicd.builds", pipeline="fial")


async def test_a_pipeline_tells_how_it_does_and_what_is_flaky_in_it(company):
    first = await failed(company)
    second = await company.call("cicd.rerun", build=first["id"])
    await company.built(second["id"])
    found = await company.call("cicd.pipeline_health", pipeline="flaky")
    assert (found["builds"], found["succeeded"], found["failed"], found["success_percent"]) == (2, 1, 1, 50.0)
    assert found["failing_since"] is None
    assert found["flaky"] == [
        {"parameters": {}, "failed": 1, "succeeded": 1, "builds": [second["id"], first["id"]]},
    ]


def build(number: int, state: BuildState, **parameters: str) -> Build:
    ended = None if state == "running" else 10_000 * number + 2_000
    begun = {"started_at": 10_000 * number, "finished_at": ended}
    return Build(id=f"b{number}", pipeline="p", state=state, parameters=parameters, created_at=10_000 * number, **begun)


def test_what_was_cancelled_or_still_runs_counts_for_neither_side():
    builds = [build(1, "succeeded"), build(2, "cancelled"), build(3, "failed"), build(4, "failed"), build(5, "running")]
    found = health("p", 14, builds[::-1])
    assert (found.builds, found.succeeded, found.failed, found.cancelled) == (5, 1, 2, 1)
    assert found.success_percent == 33.3
    assert (found.median_seconds, found.slowest_seconds) == (2.0, 2.0)
    assert found.failing_since == 32_000, "the first failure of those in a row"


def test_a_build_of_something_else_makes_nothing_flaky():
    assert health("p", 14, [build(1, "failed", commit="a"), build(2, "succeeded", commit="b")]).flaky == ()


def test_a_pipeline_without_builds_has_no_figures():
    found = health("p", 14, [])
    assert (found.success_percent, found.median_seconds, found.failing_since, found.flaky) == (None, None, None, ())


def test_of_one_pipeline_only_builds_of_one_commit_make_each_other_flaky():
    ends: list[BuildState] = ["succeeded", "failed", "failed", "succeeded", "cancelled", "failed"]
    commits = ["a", "b", "c", "", "d", ""]
    builds = [
        build(number, state).model_copy(update={"commit": commit})
        for number, (state, commit) in enumerate(zip(ends, commits, strict=True), 1)
    ]
    assert [one.builds for one in health("p", 14, builds).flaky] == [("b4", "b3")]
