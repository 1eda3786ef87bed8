"""What the engine does with alerts, in sentences."""

from __future__ import annotations

import pytest
from shop import CHAIN, NOBODY, OTHERS, alert, chain, groups, placed, topology

from sysop.incidents.correlation import Correlator, Knobs, Occurrence, Topology
from sysop.inventory import Inventory, Service


def test_a_fault_that_climbs_a_chain_of_calls_is_one_incident() -> None:
    alerts = chain()
    found = placed(Correlator(topology(), NOBODY), *alerts)
    assert len(set(groups(found, alerts))) == 1
    assert groups(found, alerts)[0] is not None


def test_the_reason_names_the_call_the_gap_and_who_agrees() -> None:
    alerts = chain()
    found = placed(Correlator(topology(), NOBODY), *alerts)
    reason = found[alerts[2].key].reason
    assert reason.startswith("checkout calls payments; 25 s after HighErrorRate on payments; ")
    assert reason.endswith(" other members agree")


def test_the_parts_of_a_reason_are_ordered_by_weight_and_name_the_other_alert() -> None:
    alerts = chain()
    found = placed(Correlator(topology(), NOBODY), *alerts)
    links = [part for part in found[alerts[3].key].why if part.kind == "topology"]
    assert [part.weight for part in links] == sorted((part.weight for part in links), reverse=True)
    assert links[0].other == alerts[2].key
    assert all(0 < part.weight < 1 for part in links)


def test_callers_of_one_broken_service_form_one_incident() -> None:
    callers = OTHERS[:5]
    correlator = Correlator(topology([(name, "database") for name in callers]), NOBODY)
    alerts = [alert(0, "TooManyConnections", "database"), alert(15, "PodNotReady", "database")]
    alerts += [alert(20 + 10 * at, "HighErrorRate", name) for at, name in enumerate(callers)]
    assert len(set(groups(placed(correlator, *alerts), alerts))) == 1


def test_alerts_far_apart_in_time_are_held_back() -> None:
    alerts = [alert(4000.0 * at, "HighErrorRate", name) for at, name in enumerate(CHAIN)]
    found = placed(Correlator(topology(), NOBODY), *alerts)
    assert groups(found, alerts) == [None] * 4
    assert found[alerts[0].key].reason == "held back: nothing else fits it yet"
    assert found[alerts[0].key].why[0].kind == "alone"


def test_severity_none_is_never_evidence_and_never_shown() -> None:
    watchdog = alert(10, "Watchdog", severity="none")
    found = placed(Correlator(topology(), Knobs(alone_from="none")), *chain(), watchdog)
    assert found[watchdog.key].group is None
    assert found[watchdog.key].reason == "held back: by its own severity, none, it is no problem"
    assert found[watchdog.key].why[0].kind == "noise"


@pytest.mark.parametrize(
    ("severity", "alone_from", "shown"),
    [
        ("critical", "error", True),
        ("page", "error", True),
        ("error", "error", True),
        ("warning", "error", False),
        ("warning", "warning", True),
        ("error", "critical", False),
        ("page", "never", False),
        ("CRIT", "error", True),
        ("", "error", True),
        ("urgently", "critical", True),
        ("", "never", False),
    ],
)
def test_a_lone_symptom_is_an_incident_from_the_chosen_severity_on(severity: str, alone_from: str, shown: bool) -> None:
    lone = alert(0, "HighErrorRate", "front", severity)
    found = placed(Correlator(topology(), Knobs(alone_from=alone_from)), lone)
    assert (found[lone.key].group is not None) is shown


def test_a_lone_critical_alert_says_why_it_is_shown() -> None:
    lone = alert(0, "HighErrorRate", "front", "critical")
    found = placed(Correlator(topology()), lone)
    said = "an incident of its own: nothing else fits it, but it is critical and not flapping"
    assert found[lone.key].reason == said


def test_replicas_of_one_service_with_one_rule_are_one_symptom_and_held_back() -> None:
    alerts = [alert(at, "PodNotReady", "front", pod=f"front-7d9f-{at}") for at in range(3)]
    found = placed(Correlator(topology(), NOBODY), *alerts)
    assert groups(found, alerts) == [None] * 3
    assert "one symptom, PodNotReady on front" in found[alerts[0].key].reason


def test_a_fingerprint_that_fires_again_and_again_with_nothing_around_is_flapping() -> None:
    alerts = [alert(at * 1000.0, "HighLatency", "front", "critical") for at in range(4)]
    found = placed(Correlator(topology()), *alerts)
    assert [group is not None for group in groups(found, alerts)] == [True, True, False, False]
    assert found[alerts[2].key].reason == "held back: flapping: it fired 3 times within an hour and nothing came of it"
    assert "flapping" in [part.kind for part in found[alerts[3].key].why]


def test_an_hour_of_quiet_ends_the_flapping() -> None:
    alerts = [alert(at * 1000.0, "HighLatency", "front", "critical") for at in range(4)]
    again = alert(3000 + 3601.0, "HighLatency", "front", "critical")
    assert placed(Correlator(topology()), *alerts, again)[again.key].group is not None


def test_two_incidents_at_once_in_two_clusters_stay_two() -> None:
    one, two = chain(0, cluster="one"), chain(5, cluster="two")
    found = placed(Correlator(topology(), NOBODY), *one, *two)
    assert len(set(groups(found, one))) == len(set(groups(found, two))) == 1
    assert groups(found, one)[0] != groups(found, two)[0]


def test_two_environments_stay_apart_even_for_one_service() -> None:
    inventory = Inventory({name: Service(name) for name in ("front", "back")})
    correlator = Correlator(Topology.from_inventory(inventory), NOBODY)
    alerts = [alert(t, "HighLatency", "front", environment=env) for t, env in ((0, "production"), (1, "staging"))]
    alerts.append(alert(2, "HighErrorRate", "front", environment="production"))
    production, staging, other = groups(placed(correlator, *alerts), alerts)
    assert production == other
    assert production is not None
    assert staging is None


def test_an_alert_without_an_environment_counts_to_that_of_its_service() -> None:
    inventory = Inventory({"front": Service("front", depends_on=("back",)), "back": Service("back")})
    correlator = Correlator(Topology.from_inventory(inventory), NOBODY)
    alerts = [alert(0, "HighErrorRate", "back"), alert(9, "HighErrorRate", "front", environment="production")]
    assert len(set(groups(placed(correlator, *alerts), alerts)) - {None}) == 1


def test_late_evidence_joins_two_lone_symptoms() -> None:
    first, last = alert(0, "TooManyConnections", "database"), alert(300, "HighErrorRate", "front")
    correlator = Correlator(topology(), NOBODY)
    before = placed(correlator, first, last)
    assert groups(before, [first, last]) == [None, None]
    late = [alert(40, "HighErrorRate", "payments"), alert(150, "HighLatency", "checkout")]
    late += [alert(160, "HighErrorRate", "checkout"), alert(290, "HighLatency", "front")]
    found = placed(correlator, *late)
    assert len({found[one.key].group for one in (first, *late, last)}) == 1


def test_late_evidence_that_such_meetings_are_usual_splits_an_incident_and_says_so() -> None:
    pair = [alert(9000, "HighErrorRate", OTHERS[0]), alert(9020, "HighLatency", OTHERS[1])]
    correlator = Correlator(topology(), NOBODY)
    before = groups(placed(correlator, *pair), pair)
    assert before[0] == before[1] is not None
    usual = [alert(1800.0 + 45 * at, f"Rule{at % 7}", OTHERS[at * 5 % 16]) for at in range(150)]
    after = placed(correlator, *usual)
    assert groups(after, pair) == [None, None]
    assert after[pair[0].key].reason.startswith("no longer in the group it began: held back: ")
    assert after[pair[1].key].reason.startswith("no longer in the group of HighErrorRate on other0: held back: ")


def test_two_incidents_merge_when_late_evidence_ties_them_together_and_say_so() -> None:
    one = [alert(0, "TooManyConnections", "database"), alert(5, "PodNotReady", "database")]
    two = [alert(180, "HighErrorRate", "front"), alert(185, "HighLatency", "front")]
    correlator = Correlator(topology(), NOBODY)
    before = groups(placed(correlator, *one, *two), [*one, *two])
    assert None not in before
    assert len(set(before)) == 2
    late = [
        alert(85 + 5 * at, name, "payments") for at, name in enumerate(("HighErrorRate", "HighLatency", "NoRequests"))
    ]
    late += [
        alert(92, "HighLatency", "database"),
        alert(170, "HighLatency", "checkout"),
        alert(175, "NoRequests", "checkout"),
    ]
    after = placed(correlator, *late)
    assert groups(after, two) == [before[0]] * 2
    assert after[two[0].key].reason.startswith(
        "merged with the group of HighErrorRate on front: both are about front; "
    )


def test_a_resend_or_a_resolved_notice_changes_nothing() -> None:
    correlator = Correlator(topology(), NOBODY)
    placed(correlator, *chain())
    assert placed(correlator, *chain(), *chain()) == {}


def test_only_placements_that_changed_are_returned() -> None:
    correlator = Correlator(topology(), NOBODY)
    alerts = chain()
    assert set(placed(correlator, *alerts[:2])) == {a.key for a in alerts[:2]}
    assert set(placed(correlator, *alerts[2:])) == {a.key for a in alerts[2:]}


def test_an_alert_without_any_label_is_held_back() -> None:
    bare = Occurrence("bare@0", "bare", 0.0, {})
    found = placed(Correlator(Topology(), NOBODY), bare)
    assert found["bare@0"].group is None
    assert found["bare@0"].reason
