"""Is a service well after a change: over a window, against a bound and against before; and the undo that is named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sysop_plugins import cicd
from sysop_plugins.remote.queries import HealthQuery

ERRORS, P99 = 'errors{service="checkout"}', 'p99{service="checkout"}'


@pytest.fixture
async def judged(company, prometheus):
    """A company with 1.4.2 live, whose deploys are judged by what `health` says."""
    company.settings["metrics"] = {"url": prometheus.url}
    first = await company.call("cicd.deploy", service="checkout", version="1.4.2")
    await company.built(first["build"]["id"])
    return company


def health(world, *queries):
    world.settings["cicd"]["default_service"]["health"] = list(queries)


def against_before(query='errors{service="{service}"}', **more):
    return {"query": query, "worse_than_before": 1.5, "within_seconds": 40, **more}


async def deployed(world, version="1.4.3"):
    rollout = await world.call("cicd.deploy", service="checkout", version=version)
    ended = await world.built(rollout["build"]["id"])
    return rollout, ended["finished_at"]


async def check(world, rollout, end, after):
    world.at = end + after * 1000
    return await world.verify("cicd.deploy", rollout, service="checkout", version=rollout["version"])


def steps(begin, before, after):
    """Return a series that is one thing until a time in milliseconds, and another from then on."""
    return lambda t: before if t * 1000 < begin else after


@pytest.mark.parametrize(("after", "state"), [("0.029", "passed"), ("0.031", "failed")])
async def test_readings_are_held_against_the_median_before_the_change(judged, prometheus, after, state):
    health(judged, against_before())
    rollout, end = await deployed(judged)
    prometheus.gives(ERRORS, steps(rollout["build"]["created_at"], "0.02", after))
    answer = await check(judged, rollout, end, 41)
    assert answer.state == state
    assert "at most 0.03 against before" in answer.detail


async def test_what_is_below_the_floor_is_never_worse(judged, prometheus):
    health(judged, against_before(floor=0.01))
    rollout, end = await deployed(judged)
    prometheus.gives(ERRORS, steps(rollout["build"]["created_at"], "0.0001", "0.009"))
    assert (await check(judged, rollout, end, 41)).state == "passed"


async def test_a_spike_before_the_change_does_not_make_bad_readings_good(judged, prometheus):
    health(judged, against_before())
    rollout, end = await deployed(judged)
    begun = rollout["build"]["created_at"] / 1000
    prometheus.gives(ERRORS, lambda t: "9" if begun - 40 < t < begun - 20 else "0.02" if t < begun else "0.05")
    assert (await check(judged, rollout, end, 41)).state == "failed"


async def test_without_readings_from_before_only_a_bound_can_judge(judged, prometheus):
    health(judged, against_before())
    rollout, end = await deployed(judged)
    prometheus.gives(ERRORS, steps(rollout["build"]["created_at"], "NaN", "0"))
    answer = await check(judged, rollout, end, 41)
    assert answer.state == "failed"
    assert "no 3 readings from before the change" in answer.detail
    health(judged, against_before(below=0.05))
    bounded = await check(judged, rollout, end, 41)
    assert bounded.state == "passed"
    assert "nothing is known of before" in bounded.detail


async def test_both_the_bound_and_the_comparison_must_hold(judged, prometheus):
    health(judged, against_before(below=0.05))
    rollout, end = await deployed(judged)
    prometheus.gives(ERRORS, steps(rollout["build"]["created_at"], "0.2", "0.06"))
    assert (await check(judged, rollout, end, 41)).state == "failed", "better than before, and still over the bound"


async def test_every_reading_of_the_window_must_be_well(judged, prometheus):
    health(judged, {"query": 'errors{service="{service}"}', "below": 0.05, "window_seconds": 20, "within_seconds": 60})
    rollout, end = await deployed(judged)
    prometheus.gives(ERRORS, lambda t: "0.4" if end / 1000 + 10 < t < end / 1000 + 13 else "0.01")
    assert (await check(judged, rollout, end, 9)).state == "pending", "three good readings are not the window"
    assert (await check(judged, rollout, end, 21)).state == "pending", "one of them was bad"
    assert (await check(judged, rollout, end, 40)).state == "passed"


async def test_a_gap_in_the_readings_is_not_well(judged, prometheus):
    health(judged, {"query": 'errors{service="{service}"}', "below": 0.05, "window_seconds": 20, "within_seconds": 30})
    rollout, end = await deployed(judged)
    prometheus.gives(ERRORS, lambda t: "NaN" if end / 1000 + 14 < t < end / 1000 + 19 else "0.01")
    answer = await check(judged, rollout, end, 31)
    assert answer.state == "failed"


async def test_several_queries_must_all_be_well(judged, prometheus):
    bounded = {"query": 'errors{service="{service}"}', "below": 0.05, "within_seconds": 40}
    health(judged, bounded, against_before('p99{service="{service}"}'))
    rollout, end = await deployed(judged)
    prometheus.gives(ERRORS, "0.01")
    prometheus.gives(P99, steps(rollout["build"]["created_at"], "0.2", "0.9"))
    assert (await check(judged, rollout, end, 20)).state == "pending"
    answer = await check(judged, rollout, end, 41)
    assert answer.state == "failed"
    assert "p99" in answer.detail
    assert "errors" not in answer.detail, "only what is not well is told"


async def test_a_failed_check_names_the_rollback_that_takes_it_back_and_that_works(judged, prometheus):
    health(judged, {"query": 'errors{service="{service}"}', "below": 0.05, "within_seconds": 20})
    prometheus.gives(ERRORS, "0.4")
    rollout, end = await deployed(judged)
    answer = await check(judged, rollout, end, 21)
    assert answer.detail.endswith("; cicd.rollback service=checkout to=1.4.2 takes 1.4.3 back")
    judged.at = 0
    back = await judged.call("cicd.rollback", service="checkout", to="1.4.2")
    ended = await judged.built(back["build"]["id"])
    assert (await judged.call("cicd.live_version", service="checkout"))["version"] == "1.4.2"
    judged.at = ended["finished_at"] + 21_000
    again = await judged.verify("cicd.rollback", back, service="checkout", to="1.4.2")
    assert again.state == "failed"
    assert again.detail.endswith("; cicd.deploy service=checkout version=1.4.3 takes 1.4.2 back")
    judged.at = 0
    forth = await judged.call("cicd.deploy", service="checkout", version="1.4.3")
    await judged.built(forth["build"]["id"])
    assert (await judged.call("cicd.live_version", service="checkout"))["version"] == "1.4.3"


async def test_a_build_that_failed_has_nothing_to_take_back(judged, prometheus):
    rollout, end = await deployed(judged, "0.0.0")
    assert "takes" not in (await check(judged, rollout, end, 1)).detail


async def test_the_undo_of_a_start_stops_it_and_the_undo_of_a_stop_starts_it_again(company):
    build = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "30"})
    await company.call("cicd.cancel", build=build["id"])
    assert (await company.built(build["id"]))["state"] == "cancelled"
    again = await company.call("cicd.rerun", build=build["id"])
    assert (again["parameters"], again["state"]) == ({"seconds": "30"}, "running")
    await company.call("cicd.cancel", build=again["id"])
    assert (await company.built(again["id"]))["state"] == "cancelled"


def test_every_change_offers_an_undo_that_exists():
    actions = {f"cicd.{action.name}": action for action in cicd.register_actions()}
    offered = {name: action.undo for name, action in actions.items() if action.risk.value != "read"}
    assert offered == {
        "cicd.trigger": "cicd.cancel",
        "cicd.rerun": "cicd.cancel",
        "cicd.cancel": "cicd.rerun",
        "cicd.deploy": "cicd.rollback",
        "cicd.rollback": "cicd.deploy",
    }
    assert set(offered.values()) <= set(actions)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"query": "q"}, "say what is well"),
        ({"query": "q", "worse_than_before": 0.5}, "worse_than_before"),
        ({"query": "q", "below": 1, "window_seconds": 60}, "31 readings 2 s apart need over 60 s"),
        ({"query": "q", "worse_than_before": 2, "before_seconds": 10, "every_seconds": 6}, "do not fit in"),
    ],
    ids=str,
)
def test_a_query_that_cannot_judge_is_refused_with_the_fix(wrong, says):
    with pytest.raises(ValidationError, match=says):
        HealthQuery.model_validate(wrong)
