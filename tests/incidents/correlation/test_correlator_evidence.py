"""What counts as evidence, where an incident began, and what bounds the engine has."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from shop import CHAIN, NOBODY, OTHERS, alert, chain, groups, placed, topology

from sysop.incidents.correlation import Correction, Correlator, Knobs, Occurrence, Topology


def test_without_any_topology_alerts_about_one_host_belong_together() -> None:
    labels = {"instance": "10.0.0.7:9100"}
    alerts = [
        Occurrence(f"{n}@{t}", n, t, {"alertname": n, **labels}) for n, t in (("DiskFull", 0.0), ("LoadHigh", 9.0))
    ]
    elsewhere = Occurrence("x@4", "x", 4.0, {"alertname": "ClockSkewed", "instance": "10.0.0.8:9100"})
    found = placed(Correlator(Topology(), NOBODY), *alerts, elsewhere)
    assert groups(found, alerts)[0] == groups(found, alerts)[1] is not None
    assert found[alerts[1].key].reason.startswith("both are about 10.0.0.7; 9 s after DiskFull on 10.0.0.7")
    assert found["x@4"].group is None


def test_a_shared_change_speaks_for_a_common_cause() -> None:
    def belief(other: str) -> float:
        pair = [
            alert(0, "HighErrorRate", OTHERS[0], commit="4f1c2aa"),
            alert(60, "HighLatency", OTHERS[1], commit=other),
        ]
        found = placed(Correlator(topology(), Knobs(join=0.05, alone_from="never")), *pair)
        return max((part.weight for part in found[pair[1].key].why if part.other == pair[0].key), default=0.0)

    assert belief("4f1c2aa") > belief("9b07d10") > 0


def test_a_persons_merge_raises_the_belief_in_later_pairs_only() -> None:
    symptoms = ("HighErrorRate", OTHERS[0]), ("HighLatency", OTHERS[1])

    def together(said: Sequence[Correction], t: float) -> bool:
        pair = [alert(t, *symptoms[0]), alert(t + 250, *symptoms[1])]
        found = groups(placed(Correlator(topology(), NOBODY, said), *pair), pair)
        return found[0] == found[1] is not None

    merged = [Correction(1000.0, *symptoms, together=True)] * 2
    assert not together([], 2000)
    assert together(merged, 2000)
    assert not together(merged, 500)


def test_a_persons_split_keeps_later_pairs_apart_and_is_named_as_a_reason() -> None:
    alerts = chain(5000)[:2]
    said = [Correction(10.0, ("HighErrorRate", "payments"), ("TooManyConnections", "database"), together=False)] * 2
    assert None not in groups(placed(Correlator(topology(), NOBODY), *alerts), alerts)
    assert groups(placed(Correlator(topology(), NOBODY, said), *alerts), alerts) == [None, None]
    one_merge = [Correction(10.0, ("HighErrorRate", "payments"), ("TooManyConnections", "database"), together=True)]
    found = placed(Correlator(topology(), NOBODY, one_merge), *alerts)
    learnt = [part for part in found[alerts[1].key].why if part.kind == "learnt"]
    assert [part.words for part in learnt] == ["people merged such alerts before: odds times 8"]


def test_a_correction_names_symptoms_as_the_engine_does() -> None:
    correlator = Correlator(topology(), NOBODY)
    placed(correlator, *chain())
    assert correlator.symptom(chain()[0].key) == ("TooManyConnections", "database")
    with pytest.raises(KeyError):
        correlator.symptom("nobody")


def test_members_come_in_order_of_start() -> None:
    alerts = chain()
    correlator = Correlator(topology(), NOBODY)
    found = placed(correlator, *reversed(alerts))
    group = found[alerts[0].key].group
    assert group is not None
    assert correlator.members(group) == tuple(a.key for a in alerts)
    assert correlator.members("no such group") == ()


def test_the_origin_is_the_earliest_service_that_the_others_call() -> None:
    alerts = chain()
    correlator = Correlator(topology(), NOBODY)
    group = placed(correlator, *alerts)[alerts[0].key].group
    assert group is not None
    first, *others = correlator.origins(group)
    assert (first.service, first.key) == ("database", alerts[0].key)
    assert first.words == "TooManyConnections was the first; payments calls it"
    assert all(first.weight > other.weight for other in others)


def test_the_origin_is_undetermined_when_nothing_stands_out() -> None:
    alerts = [alert(0, "HighErrorRate", OTHERS[0]), alert(0, "HighErrorRate", OTHERS[1])]
    correlator = Correlator(topology(), NOBODY)
    group = placed(correlator, *alerts)[alerts[0].key].group
    assert group is not None
    assert correlator.origins(group) == ()


def test_a_start_far_in_the_future_is_an_incident_of_its_own_and_nothing_is_forgotten() -> None:
    correlator = Correlator(topology())
    absurd = alert(1e12, "HighErrorRate", "front", "critical")
    correlator.add(absurd, now=5.0)
    alerts = chain()
    found = placed(correlator, *alerts)
    assert len(set(groups(found, alerts))) == 1
    assert found[absurd.key].reason.startswith("an incident of its own: its start lies in the future")
    assert found[absurd.key].why[0].kind == "future"


def test_an_alert_whose_start_has_come_is_compared_like_any_other() -> None:
    alerts = chain(1000)
    correlator = Correlator(topology(), NOBODY)
    correlator.add(alerts[0], now=10.0)
    assert [p.group for p in correlator.flush()] == [None]
    for one in alerts:
        correlator.add(one, now=1100.0)
    found = {p.key: p.group for p in correlator.flush(close=True)}
    assert len({found[one.key] for one in alerts}) == 1


@pytest.mark.parametrize("start", [math.nan, math.inf, -math.inf])
def test_a_start_that_is_no_number_is_refused(start: float) -> None:
    with pytest.raises(ValueError, match="starts_at must be a finite number of seconds"):
        Correlator(Topology()).add(Occurrence("k", "f", start, {}))


def test_an_alert_older_than_all_that_is_remembered_is_an_incident_of_its_own() -> None:
    knobs = Knobs(held=1000)
    correlator = Correlator(topology(), knobs)
    placed(correlator, *(alert(10_000.0 + 60 * at, f"Rule{at}", "front") for at in range(1500)))
    old = alert(1.0, "HighErrorRate", "front", "critical")
    found = placed(correlator, old)
    assert found[old.key].group is not None
    assert "it started before the oldest of the 750 alerts remembered" in found[old.key].reason
    assert placed(correlator, old) == {}


def test_thousands_in_one_second_are_placed_and_no_group_outgrows_its_limit() -> None:
    correlator = Correlator(topology(), Knobs(largest=200))
    alerts = [alert(0.0, f"Rule{at % 50}", OTHERS[at % 16], pod=f"pod-{at}") for at in range(4000)]
    found = placed(correlator, *alerts)
    assert set(found) == {a.key for a in alerts}
    sizes = [len(correlator.members(group)) for group in {p.group for p in found.values()} if group]
    assert max(sizes) <= 200


def test_a_full_group_takes_no_more() -> None:
    def largest(limit: int) -> int:
        correlator = Correlator(topology(), Knobs(largest=limit))
        found = placed(correlator, *(alert(at, f"Rule{at}", "front") for at in range(40)))
        return max(len(correlator.members(group)) for group in {p.group for p in found.values()} if group)

    assert largest(500) > 12
    assert largest(12) == 12


def test_the_better_third_of_a_group_decides_and_at_least_three() -> None:
    alerts = [
        *chain(),
        alert(75, "HighLatency", "front"),
        alert(80, "HighLatency", "checkout"),
        alert(900, "Odd", "database"),
    ]
    why = placed(Correlator(topology(), NOBODY), *alerts)[alerts[5].key].why
    links = [part.weight for part in why if part.other]
    best = links[:3]
    assert len(links) > len(best)
    mean = next(part for part in why if part.words.startswith("mean belief"))
    assert mean.weight == pytest.approx(sum(best) / 3, abs=0.002)


def test_a_late_alert_a_few_steps_back_is_placed_at_once_and_a_far_one_when_there_is_time() -> None:
    correlator = Correlator(topology(), NOBODY)
    placed(correlator, *(alert(100.0 + 50 * at, f"Rule{at}", OTHERS[at % 16]) for at in range(1500)))
    near, far = alert(74_990, "HighErrorRate", "front"), alert(1, "HighErrorRate", "front")
    correlator.add(near)
    assert [placement.key for placement in correlator.flush()] == [near.key]
    correlator.add(far)
    assert correlator.flush() == []
    assert correlator.grounds(far.key).sentence.startswith("waits for its turn: it came late")
    assert far.key in [placement.key for placement in correlator.flush(close=True)]


def _unrelated(count: int, apart: float) -> list[Occurrence]:
    names = (*CHAIN, *OTHERS)
    return [alert(at * apart, f"Rule{at * 7 % 11}", names[at * 13 % 20], pod=f"p{at}") for at in range(count)]


def test_a_dense_stream_of_unrelated_alerts_is_seen_through_within_minutes() -> None:
    alerts = _unrelated(6000, 0.5)
    shown = groups(placed(Correlator(topology(), NOBODY), *alerts), alerts)
    assert sum(group is not None for group in shown) < 800
    assert not any(shown[1000:])


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("join", 1.0, "join must lie between 0 and 1"),
        ("merge", 0.0, "merge must lie between 0 and 1"),
        ("memory_s", -1.0, "memory_s must be a number above 0"),
        ("slow_s", math.nan, "slow_s must be a number above 0"),
        ("alone_from", "loud", "alone_from must be one of none, info, warning, error, critical, page or never"),
        ("held", 10, "held must be at least 1000"),
    ],
)
def test_a_knob_out_of_range_is_named(knob: str, value: float | str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Knobs(**{knob: value})  # type: ignore[arg-type]
