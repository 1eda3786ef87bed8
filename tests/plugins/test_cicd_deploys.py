from __future__ import annotations

import pytest
from pydantic import ValidationError

from sysop.api import ActionFailed, InvalidCall


@pytest.fixture
async def shop(company):
    """The company with a history of checkout: 1.4.2, then 1.4.3."""
    await released(company, "1.4.2")
    await released(company, "1.4.3")
    return company


async def released(world, version, service="checkout"):
    rollout = await world.call("cicd.deploy", service=service, version=version)
    return await world.built(rollout["build"]["id"])


async def test_a_deploy_returns_its_handle_and_then_is_live(company):
    rollout = await company.call("cicd.deploy", service="checkout", version="1.4.2")
    assert {k: v for k, v in rollout.items() if k != "build"} == {
        "service": "checkout",
        "version": "1.4.2",
        "previous": None,
        "change": "",
    }
    ended = await company.built(rollout["build"]["id"])
    live = await company.call("cicd.live_version", service="checkout")
    assert live == {
        "service": "checkout",
        "version": "1.4.2",
        "since": ended["finished_at"],
        "build": ended["id"],
        "by": "sysop:run-test",
        "change": "",
    }


async def test_nothing_is_live_before_the_first_deploy(company):
    live = await company.call("cicd.live_version", service="checkout")
    assert (live["version"], live["since"]) == (None, None)


async def test_a_failed_deploy_is_on_record_but_not_live(shop):
    await released(shop, "0.0.0")
    assert (await shop.call("cicd.live_version", service="checkout"))["version"] == "1.4.3"
    recent = await shop.call("cicd.recent_deploys", service="checkout")
    assert [(d["version"], d["previous"], d["state"]) for d in recent["deploys"]] == [
        ("0.0.0", "1.4.3", "failed"),
        ("1.4.3", "1.4.2", "succeeded"),
        ("1.4.2", None, "succeeded"),
    ]
    assert recent["latest"] == recent["deploys"][0]


async def test_recent_deploys_are_of_one_service_or_of_all(shop):
    await released(shop, "7", service="gateway")
    assert (await shop.call("cicd.recent_deploys"))["count"] == 3
    assert (await shop.call("cicd.recent_deploys", service="gateway"))["latest"]["version"] == "7"
    assert (await shop.call("cicd.recent_deploys", service="payments"))["latest"] is None


async def test_a_rollback_goes_to_the_version_before(shop):
    rollout = await shop.call("cicd.rollback", service="checkout")
    assert (rollout["previous"], rollout["version"]) == ("1.4.3", "1.4.2")
    assert rollout["change"] == "roll back from 1.4.3"
    await shop.built(rollout["build"]["id"])
    assert (await shop.call("cicd.live_version", service="checkout"))["version"] == "1.4.2"


async def test_a_second_rollback_never_returns_to_what_the_first_took_back(company):
    for version in ("1", "2", "3"):
        await released(company, version)
    for expected in ("2", "1"):
        rollout = await company.call("cicd.rollback", service="checkout")
        assert rollout["version"] == expected
        await company.built(rollout["build"]["id"])
    with pytest.raises(ActionFailed, match="checkout has no version before 1"):
        await company.call("cicd.rollback", service="checkout")


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("1.4.3", "already the live version"),
        ("9.9", r"never deployed; there were: 1\.4\.3, 1\.4\.2"),
    ],
)
async def test_a_rollback_to_a_version_that_makes_no_sense_is_refused(shop, to, says):
    with pytest.raises(ActionFailed, match=says):
        await shop.call("cicd.rollback", service="checkout", to=to)


async def test_without_a_history_there_is_nothing_to_roll_back_to(company):
    for ask in (company.call, company.preview, company.precondition):
        with pytest.raises(ActionFailed, match="no successful deploy of checkout"):
            await ask("cicd.rollback", service="checkout")


async def test_a_rollback_asked_again_under_its_key_does_not_go_further_back(company, executed):
    for version in ("1", "2", "3"):
        await released(company, version)
    first = await company.call("cicd.rollback", key="k", service="checkout")
    await company.built(first["build"]["id"])
    again = await company.call("cicd.rollback", key="k", service="checkout")
    assert (again["version"], again["build"]["id"]) == ("2", first["build"]["id"])
    found = await company.reconcile("cicd.rollback", key="k", service="checkout")
    assert (found.state, found.result["version"]) == ("done", "2")
    assert len(executed()) == 4


async def test_an_approver_sees_from_to_what_is_taken_back_and_who_feels_it(shop):
    shown = await shop.preview("cicd.rollback", service="checkout")
    assert shown.summary == "Roll back checkout from 1.4.3 to 1.4.2"
    assert shown.changes[0] == "live: 1.4.3 -> 1.4.2"
    assert shown.changes[1].startswith("takes back 1.4.3 (20")
    assert shown.affects == ("gateway calls checkout",)
    assert shown == await shop.preview("cicd.rollback", service="checkout")


async def test_a_deploy_shows_whether_the_version_was_live_before(shop):
    new = await shop.preview("cicd.deploy", service="checkout", version="1.4.4")
    assert (new.summary, new.changes[0]) == ("Deploy checkout 1.4.4", "live: 1.4.3 -> 1.4.4")
    assert not any(line.startswith("deployed before") for line in new.changes)
    again = await shop.preview("cicd.deploy", service="checkout", version="1.4.3")
    assert again.summary == "Deploy checkout 1.4.3 again"
    assert again.changes[1].startswith("deployed before: 1.4.3 (")


async def test_the_precondition_changes_when_somebody_else_deploys(shop):
    before = await shop.precondition("cicd.rollback", service="checkout")
    assert before == {"service": "checkout", "live": "1.4.3", "running": [], "to": "1.4.2"}
    await released(shop, "1.4.4")
    assert await shop.precondition("cicd.rollback", service="checkout") != before
    assert (await shop.precondition("cicd.deploy", service="checkout", version="1"))["live"] == "1.4.4"


async def test_two_deploys_of_a_service_never_overlap(company, executed):
    first = await company.call("cicd.deploy", key="first", service="payments", version="1")
    with pytest.raises(ActionFailed, match=r"payments: build-\w+ of version 1 is still running"):
        await company.call("cicd.deploy", service="payments", version="2")
    shown = await company.preview("cicd.deploy", service="payments", version="2")
    assert f"{first['build']['id']} is under way on payments; until it ends this is refused" in shown.affects
    state = await company.precondition("cicd.deploy", key="first", service="payments", version="1")
    assert state["running"] == [], "a call's own build does not stand in its way"
    await company.call("cicd.cancel", build=first["build"]["id"])
    await company.built(first["build"]["id"])
    assert executed() == [first["build"]["id"]]


async def test_versions_cannot_carry_more_than_a_version(company, executed):
    for version in ("1.0; reboot", "--upload-pack", "1.0\nlive: nothing", "1.0 <!here>", "\x1b[2J", ""):
        with pytest.raises(ValidationError, match="version"):
            await company.call("cicd.deploy", service="checkout", version=version)
        with pytest.raises(ValidationError, match="to"):
            await company.preview("cicd.rollback", service="checkout", to=version)
    with pytest.raises(InvalidCall, match=r"parameters\.service"):
        await company.call("cicd.deploy", service="--all", version="1.0")
    assert executed() == []


@pytest.fixture
def judged(company, prometheus):
    company.settings["metrics"] = {"url": prometheus.url}
    health = {"query": 'errors{service="{service}"}', "below": 0.05, "within_seconds": 20, "every_seconds": 2}
    company.settings["cicd"]["default_service"]["health"] = health
    return company


QUERY = 'errors{service="checkout"}'


async def deployed(world, version="1.4.2"):
    """Deploy, wait for the build's end and return the handle and that time."""
    rollout = await world.call("cicd.deploy", service="checkout", version=version)
    ended = await world.built(rollout["build"]["id"])
    return rollout, ended["finished_at"]


async def check(world, rollout, end, after=0):
    """Ask the post-check as if so many seconds had passed since the build's end."""
    world.at = end + after * 1000
    return await world.verify("cicd.deploy", rollout, service="checkout", version=rollout["version"])


async def test_a_deploy_is_pending_while_its_build_runs(company):
    rollout = await company.call("cicd.deploy", service="payments", version="1")
    assert (await company.verify("cicd.deploy", rollout, service="payments", version="1")).state == "pending"
    await company.call("cicd.cancel", build=rollout["build"]["id"])
    answer = await company.verdict("cicd.deploy", rollout, service="payments", version="1")
    assert answer.state == "failed"
    assert "cancelled by" in answer.detail


async def test_without_a_health_query_the_build_decides_and_that_is_said(company):
    rollout, end = await deployed(company)
    answer = await check(company, rollout, end)
    assert answer.state == "passed"
    assert "no health query is declared for checkout" in answer.detail


async def test_a_failed_build_fails_the_post_check_at_once(judged):
    rollout, end = await deployed(judged, "0.0.0")
    answer = await check(judged, rollout, end)
    assert (answer.state, answer.detail) == ("failed", f"{rollout['build']['id']} failed: exit code 1")


async def test_a_service_that_recovers_passes_only_after_readings_in_a_row(judged, prometheus):
    rollout, end = await deployed(judged)
    prometheus.gives(QUERY, lambda t: "0.4" if t < end / 1000 + 3 else "0.01")
    assert (await check(judged, rollout, end, after=1)).state == "pending"
    assert (await check(judged, rollout, end, after=5)).state == "pending", "one reading is still bad"
    assert (await check(judged, rollout, end, after=8)).state == "passed"


async def test_readings_from_before_the_build_ended_do_not_count(judged, prometheus):
    rollout, end = await deployed(judged)
    prometheus.gives(QUERY, lambda t: "0" if t < end / 1000 else "0.9")
    assert (await check(judged, rollout, end, after=3)).state == "pending"
    assert (await check(judged, rollout, end, after=4)).state == "pending"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["0.4"], "last readings 0.4, 0.4, 0.4, bound 0.05"),
        (["NaN"], "last readings none, none, none"),
        ([], "gives 0 series, one is needed"),
        (["0", "0"], "gives 2 series, one is needed"),
    ],
)
async def test_a_service_that_is_not_well_in_time_fails(judged, prometheus, values, says):
    for number, value in enumerate(values):
        prometheus.gives(QUERY, value, n=str(number))
    rollout, end = await deployed(judged)
    assert (await check(judged, rollout, end, after=10)).state == "pending"
    answer = await check(judged, rollout, end, after=21)
    assert answer.state == "failed"
    assert says in answer.detail


async def test_metrics_that_cannot_be_read_never_pass(judged):
    judged.settings["metrics"] = {"url": "http://127.0.0.1:9"}
    rollout, end = await deployed(judged)
    assert (await check(judged, rollout, end, after=10)).state == "pending"
    answer = await check(judged, rollout, end, after=21)
    assert answer.state == "failed"
    assert "could not be read" in answer.detail
