"""What a seed decides."""

from __future__ import annotations

from collections import Counter

import pytest

from sysop.demo.company import releases, scenario
from sysop.demo.company.topology import SERVICES, WHOLE

SEEDS = range(1, 21)
SCENARIOS = [scenario.plan(seed).scenario for seed in SEEDS]


def test_every_service_is_guilty_for_some_seed():
    assert {made.guilty_service for made in SCENARIOS} == set(SERVICES)


def test_both_faults_occur_within_their_bounds():
    faults = [made.fault for made in SCENARIOS]
    assert {fault.kind for fault in faults} == {"errors", "latency"}
    assert all(0.35 <= fault.share <= 0.8 and fault.seconds == 0 for fault in faults if fault.kind == "errors")
    assert all(0.6 <= fault.seconds <= 1.2 and fault.share == 0 for fault in faults if fault.kind == "latency")


def test_rolling_back_the_newest_deploy_is_wrong_for_many_seeds_and_right_for_some():
    newest = Counter(made.deploys[-1].service == made.guilty_service for made in SCENARIOS)
    assert newest[False] >= 8
    assert newest[True] >= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scenario_is_one_bad_deploy_among_innocent_ones(seed):
    made = scenario.plan(seed)
    answer = made.scenario
    guilty = [deploy for deploy in answer.deploys if deploy.service == answer.guilty_service]
    assert [deploy.version for deploy in guilty] == [answer.bad_version]
    assert 1 <= len(answer.deploys) - 1 <= 3
    assert answer.initial[answer.guilty_service] == answer.good_version
    assert all(deploy.change and deploy.team == SERVICES[deploy.service].team for deploy in answer.deploys)


@pytest.mark.parametrize("seed", SEEDS)
def test_exactly_the_bad_release_is_faulty(seed):
    made = scenario.plan(seed)
    faulty = [
        (service, release.version, release.fault)
        for service, released in made.releases.items()
        for release in released
        if release.fault
    ]
    assert faulty == [(made.scenario.guilty_service, made.scenario.bad_version, made.scenario.fault)]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_service_is_deployed_in_the_order_of_its_releases(seed):
    made = scenario.plan(seed)
    for service, released in made.releases.items():
        planned = [made.scenario.initial[service]]
        planned += [deploy.version for deploy in made.scenario.deploys if deploy.service == service]
        assert planned == [release.version for release in released][scenario.OLDER_RELEASES :]
        assert len({release.change for release in released}) == len(released)


def test_a_seed_gives_the_same_plan_again_and_another_seed_another():
    assert scenario.plan(7) == scenario.plan(7)
    assert scenario.plan(7) != scenario.plan(8)


def test_a_plan_survives_the_way_through_its_files(tmp_path):
    made = scenario.plan(5)
    scenario.write(made, tmp_path)
    assert releases.read_releases(tmp_path) == made.releases
    assert sorted(path.name for path in tmp_path.iterdir()) == ["releases.json", "scenario.json"]


def test_an_unknown_release_is_refused_with_the_names_that_exist():
    made = scenario.plan(5).releases
    with pytest.raises(releases.UnknownRelease, match=r"no service 'basket'; the services are gateway, checkout"):
        releases.find(made, "basket", "1.0.0")
    with pytest.raises(releases.UnknownRelease, match=made["checkout"][0].version):
        releases.find(made, "checkout", "0.0.0")


def test_a_whole_company_begins_like_the_small_one_and_well():
    small = scenario.plan(5)
    made = scenario.whole(small)
    assert set(made.releases) == set(WHOLE)
    assert all(made.scenario.initial[name] == version for name, version in small.scenario.initial.items())
    assert not [release for released in made.releases.values() for release in released if release.fault]


def test_the_next_release_has_a_version_of_its_own_and_the_fault_it_is_given():
    made = scenario.whole(scenario.plan(5)).releases
    bad = scenario.next_release(made, "search", releases.Fault("stuck"))
    assert bad.fault == releases.Fault("stuck")
    assert bad.version not in {release.version for release in made["search"]}
    assert scenario.next_release(made, "search", None).fault is None
