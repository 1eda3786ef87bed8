"""A storm is one incident: a burst is measured against the time before it, never against itself."""

import random
from collections import Counter

import pytest
from shop import NOBODY, alert, groups, placed, topology

from sysop.incidents.correlation import Correlator, Knobs, Occurrence, Topology
from sysop.incidents.correlation.topology import Node

APART = (0.0, 0.01, 1.0)
PATH = ("front", "checkout", "database")


def shown(correlator: Correlator, alerts: list[Occurrence]) -> Counter[str | None]:
    return Counter(groups(placed(correlator, *alerts), alerts))


@pytest.mark.parametrize("apart", APART)
@pytest.mark.parametrize("severity", ["critical", "warning", ""])
def test_one_rule_on_many_replicas_is_one_symptom_however_fast_they_come(apart: float, severity: str) -> None:
    storm = [alert(at * apart, "HighErrorRate", "checkout", severity, pod=f"checkout-{at}") for at in range(420)]
    found = shown(Correlator(topology()), storm)
    assert found == {next(iter(found)): 420}
    assert (None in found) is (severity == "warning"), "one symptom of warnings is held back, the others are shown"


@pytest.mark.parametrize("apart", APART)
@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_a_storm_on_one_call_path_is_one_incident(apart: float, severity: str) -> None:
    storm = [alert(at * apart, f"Rule{at % 7}", PATH[at % 3], severity, pod=f"pod-{at}") for at in range(2000)]
    found = shown(Correlator(topology(), NOBODY), storm)
    assert list(found.values()) == [2000]
    assert None not in found


@pytest.mark.parametrize("apart", [0.02, 0.5])
def test_a_rule_that_fires_on_all_machines_at_once_is_one_incident(apart: float) -> None:
    storm = [
        Occurrence(f"{at}", f"{at}", at * apart, {"alertname": "HostDown", "instance": f"host{at}:9100"})
        for at in range(500)
    ]
    assert list(shown(Correlator(Topology()), storm).values()) == [500]


def test_machines_that_fail_hours_apart_are_incidents_of_their_own() -> None:
    alerts = [
        Occurrence(f"{at}", f"{at}", at * 7200.0, {"alertname": "HostDown", "instance": f"host{at}:9100"})
        for at in range(20)
    ]
    assert set(shown(Correlator(Topology()), alerts).values()) == {1}


def test_after_a_quiet_time_all_that_goes_off_within_seconds_is_one_incident() -> None:
    storm = [
        Occurrence(f"{at}", f"{at}", at * 0.02, {"alertname": f"Rule{at % 50}", "service": f"s{at}"})
        for at in range(500)
    ]
    assert list(shown(Correlator(Topology()), storm).values()) == [500]


def test_a_rule_that_flaps_on_two_replicas_is_not_kept_together_by_its_name_alone() -> None:
    alerts = [alert(at * 50.0, "HighErrorRate", "checkout", "warning", pod=f"checkout-{at % 2}") for at in range(60)]
    assert set(shown(Correlator(topology()), alerts)) == {None}


def test_the_newest_alert_of_a_storm_is_held_against_twelve_others_however_large_the_storm_is() -> None:
    storm = [alert(at * 0.01, f"Rule{at % 7}", PATH[at % 3], pod=f"pod-{at}") for at in range(300)]
    reason = placed(Correlator(topology(), NOBODY), *storm)[storm[-1].key].reason
    assert reason.endswith("; 12 of 299 other members agree")


def test_what_comes_after_an_incident_is_full_is_the_next_one_and_not_hundreds() -> None:
    """Twelve earlier alerts may all be of the full one, or each alone: then more are looked at."""
    dice = random.Random(7)
    names = [f"{letter}{number}x" for letter in "abcdef" for number in range(50)]
    calls = {(name, called) for at, name in enumerate(names[:-3]) for called in dice.sample(names[at + 1 :], 2)}
    known = Topology(services={name: Node(name) for name in names}, calls=frozenset(calls))
    storm = [
        alert(at * 0.006, f"Rule{dice.randrange(7)}", dice.choice(names), "critical", pod=f"pod-{at}")
        for at in range(3000)
    ]
    found = shown(Correlator(known, Knobs(largest=500)), storm)
    assert len(found) <= 8, found
