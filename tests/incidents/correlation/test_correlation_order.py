"""The final grouping is a function of the set of occurrences, and memory has its bounds."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alert_streams import Company, deliveries
from hypothesis import given, settings
from hypothesis import strategies as st

from sysop.incidents.correlation import Correlator, Knobs, Occurrence, Topology

STREAMS = os.environ.get("SYSOP_TEST_ALERTS", "")
FLOORS = (("nezha-real", 0.45), ("storm-dev-1", 0.6), ("storm-dev-2", 0.5))


def final(topology: Topology, batches: Iterable[Sequence[Occurrence]], knobs: Knobs = Knobs()) -> dict[str, str | None]:  # noqa: B008
    """Feed batches, follow every change that is reported, and check it against what the engine says it holds."""
    correlator, shown = Correlator(topology, knobs), {}
    for batch in batches:
        for occurrence in batch:
            correlator.add(occurrence)
        shown.update({placement.key: placement.group for placement in correlator.flush()})
    shown.update({placement.key: placement.group for placement in correlator.flush(close=True)})
    for group in {group for group in shown.values() if group is not None}:
        assert {key for key, at in shown.items() if at == group} <= set(correlator.members(group))
    return shown


def one_by_one(occurrences: Iterable[Occurrence]) -> Iterable[Sequence[Occurrence]]:
    return ([occurrence] for occurrence in occurrences)


def disordered(seed: int, sent: list[Occurrence]) -> list[Sequence[Occurrence]]:
    """Return the same set shuffled, with repeats, delivered partly late, in batches of any size."""
    dice = random.Random(seed)
    sent = [occurrence for occurrence in sent for _ in range(dice.choice((1, 1, 2, 3)))]
    if seed % 2:
        dice.shuffle(sent)
    else:
        late = [(at + (dice.uniform(0, 200) if dice.random() < 0.3 else 0), at) for at in range(len(sent))]
        sent = [sent[at] for _, at in sorted(late)]
    batches = []
    while sent:
        size = dice.choice((1, 1, 2, 7, 40))
        batches.append(sent[:size])
        sent = sent[size:]
    return batches


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_repeated_and_late_deliveries_give_the_same_incidents(seed: int) -> None:
    company = Company(seed, clusters=("one", "two") if seed % 3 == 0 else ("one",))
    topology = Topology.from_json(company.topology)
    sent = [arrived for _, arrived in itertools.islice(deliveries(company.starts(0.02), seed), 500)]
    expected = final(topology, [sent])
    assert any(expected.values())
    assert final(topology, disordered(seed, sent)) == expected


_STARTS = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.sampled_from(("HighErrorRate", "HighLatency", "PodNotReady", "Watchdog")),
        st.integers(0, 7),
        st.sampled_from(("none", "info", "warning", "critical")),
    ),
    max_size=40,
)


def _occurrence(start: tuple[int, str, int, str]) -> Occurrence:
    """Return an alert on a service that is known (0, 3), unknown (1, 2, 4, 5), or on a machine (6, 7)."""
    t, rule, service, severity = start
    where = {"service_name": f"service{service}"} if service < 6 else {"node": f"machine-{service}"}
    labels = {"alertname": rule, "namespace": "space0", "severity": severity, **where}
    fingerprint = f"{rule}/{service}/{severity}"
    trouble = ("disk full", "network slow", "requests failing", "memory full")[t % 4]
    return Occurrence(f"{fingerprint}@{t}", fingerprint, float(t), labels, {"summary": f"{rule}: {trouble}"})


@settings(max_examples=150, deadline=None)
@given(starts=_STARTS, data=st.data())
def test_any_order_and_any_batching_of_any_set_gives_the_same_groups(
    starts: list[tuple[int, str, int, str]], data: st.DataObject
) -> None:
    occurrences = [_occurrence(start) for start in starts]
    topology = Topology.from_json(Company(1).topology)
    shuffled = data.draw(st.permutations(occurrences))
    cut = data.draw(st.integers(0, len(shuffled)))
    expected = final(topology, [occurrences])
    assert final(topology, [shuffled[:cut], *one_by_one(shuffled[cut:]), shuffled]) == expected


@settings(max_examples=60, deadline=None)
@given(starts=_STARTS, later=st.integers(1, 40))
def test_stepping_back_and_forward_leaves_no_trace(starts: list[tuple[int, str, int, str]], later: int) -> None:
    occurrences = sorted((_occurrence(start) for start in starts), key=lambda o: (o.starts_at, o.key))
    topology = Topology.from_json(Company(1).topology)
    straight, winding = Correlator(topology), Correlator(topology)
    for occurrence in occurrences:
        straight.add(occurrence)
    straight.flush(close=True)
    for occurrence in (*occurrences[later:], *occurrences[:later]):
        winding.add(occurrence)
        winding.flush(close=True)
    for occurrence in occurrences:
        assert winding.grounds(occurrence.key).parts == straight.grounds(occurrence.key).parts


def test_a_higher_bar_for_merging_leaves_more_incidents() -> None:
    def incidents(merge: float) -> int:
        found = 0
        for seed in (21, 22, 23, 24):
            company = Company(seed)
            sent = [start.occurrence for start in itertools.islice(company.starts(0.02), 300)]
            shown = final(Topology.from_json(company.topology), [sent], Knobs(merge=merge, alone_from="never"))
            found += len({group for group in shown.values() if group})
        return found

    assert incidents(0.5) < incidents(0.99)


def test_memory_is_bounded_however_long_the_stream() -> None:
    company, knobs = Company(3), Knobs(held=1000)
    correlator = Correlator(Topology.from_json(company.topology), knobs)
    arrived = [occurrence for _, occurrence in itertools.islice(deliveries(company.starts(0.05), 4), 12_000)]
    for at in range(0, len(arrived), 200):
        for occurrence in arrived[at : at + 200]:
            correlator.add(occurrence)
        correlator.flush()
    correlator.flush(close=True)
    remembered = {key for key in {o.key for o in arrived} if _is_known(correlator, key)}
    assert 500 <= len(remembered) <= 1500


def _is_known(correlator: Correlator, key: str) -> bool:
    try:
        correlator.grounds(key)
    except KeyError:
        return False
    return True


def test_a_burst_larger_than_the_memory_is_placed_and_the_engine_goes_on() -> None:
    company, knobs = Company(5), Knobs(held=1000)
    correlator = Correlator(Topology.from_json(company.topology), knobs)
    burst = [_occurrence((5, f"Rule{at}", at % 6, "warning")) for at in range(5000)]
    for occurrence in burst:
        correlator.add(occurrence)
    assert {placement.key for placement in correlator.flush()} == {occurrence.key for occurrence in burst}
    after = [_occurrence((4000 + at, "HighErrorRate", at % 2, "warning")) for at in range(2)]
    for occurrence in after:
        correlator.add(occurrence)
    assert {placement.key for placement in correlator.flush(close=True)} >= {occurrence.key for occurrence in after}


def pair_f1(truth: dict[str, str], shown: dict[str, str | None]) -> float:
    """Return pairwise F1 where noise, and what is held back, stands alone."""
    true = {key: value if value != "noise" else f"noise {key}" for key, value in truth.items()}
    found = {key: shown.get(key) or f"alone {key}" for key in truth}
    both, ours, theirs = (
        sum(n * (n - 1) // 2 for n in Counter(names).values())
        for names in (((true[k], found[k]) for k in truth), found.values(), true.values())
    )
    return 2 * both / (ours + theirs)


def test_incidents_of_a_generated_company_are_found_better_than_by_any_window() -> None:
    scores, windows = [], []
    for seed in (11, 12, 13):
        company = Company(seed)
        starts = list(itertools.islice(company.starts(0.01), 400))
        truth = {start.occurrence.key: start.truth for start in starts}
        topology = Topology.from_json(company.topology)
        scores.append(pair_f1(truth, final(topology, [[start.occurrence for start in starts]])))
        for length in (120, 300, 600):
            windows.append(pair_f1(truth, {s.occurrence.key: str(s.occurrence.starts_at // length) for s in starts}))
    assert min(scores) > max(windows)
    assert sum(scores) / len(scores) > 0.6


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _read(name: str) -> tuple[Topology, list[list[Occurrence]], dict[str, str]]:
    folder = Path(STREAMS) / name
    with gzip.open(folder / "deliveries.jsonl.gz", "rt", encoding="utf-8") as lines:
        bodies: list[dict[str, Any]] = [json.loads(line)["body"] for line in lines]
    batches = [
        [
            Occurrence(
                f"{a['fingerprint']}@{a['startsAt']}",
                a["fingerprint"],
                _seconds(a["startsAt"]),
                a["labels"],
                a["annotations"],
            )
            for a in body["alerts"]
        ]
        for body in bodies
    ]
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["alerts"]
    return Topology.from_json(json.loads((folder / "topology.json").read_text(encoding="utf-8"))), batches, truth


if STREAMS:  # they are no part of the project: a test of its own where their folder is named

    @pytest.mark.parametrize(("name", "floor"), FLOORS)
    def test_recorded_streams_keep_their_floor_in_any_order(name: str, floor: float) -> None:
        topology, batches, truth = _read(name)
        expected = final(topology, batches)
        assert pair_f1(truth, expected) >= floor
        sent = [occurrence for batch in batches for occurrence in batch]
        for seed in range(20):
            assert final(topology, disordered(seed, sent)) == expected
