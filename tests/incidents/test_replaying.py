"""Replays: the same final incidents whatever the network did, on the clock of the recording."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable
from datetime import date, timedelta

import pytest

import recordings
from recordings import Delivery, Fired, call, iso
from sysop.incidents import recorded
from sysop.incidents.correlation import Knobs, Topology
from sysop.incidents.replaying import Decision, Replay, Replayed

COMPANY = Topology.from_json(recordings.TOPOLOGY)


def replay(deliveries: Iterable[Delivery], knobs: Knobs | None = None) -> tuple[Replayed, list[Decision]]:
    run, decided = Replay(COMPANY, knobs or Knobs()), []
    for delivery in recorded.read(io.BytesIO(recordings.lines(deliveries))):
        decided += run.take(delivery)
    decided += run.end()
    return run.result(), decided


def shape(found: Replayed) -> list[object]:
    return [(one.id, one.title, one.severity, one.alerts, one.began, one.last) for one in found.incidents]


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_repeated_late_and_cut_deliveries_end_in_the_same_incidents(seed: int) -> None:
    deliveries = recordings.recording(seed)
    found, _ = replay(deliveries)
    other, _ = replay(recordings.disturbed(deliveries, seed))
    assert len(found.incidents) > 2
    assert shape(other) == shape(found)
    assert (other.held, other.occurrences) == (found.held, found.occurrences)


def test_the_recording_is_not_all_one_incident_and_alerts_of_one_fault_are_together() -> None:
    found, _ = replay(recordings.recording(3))
    largest = max(found.incidents, key=lambda one: len(one.alerts))
    assert 4 <= len(largest.alerts) < found.occurrences / 3
    assert largest.last - largest.began < 300
    assert sum(found.held.values()) + sum(len(one.alerts) for one in found.incidents) == found.occurrences


def test_every_occurrence_has_a_line_and_the_last_ones_are_the_result() -> None:
    deliveries = recordings.recording(4)
    found, decided = replay(deliveries)
    last: dict[str, str | None] = {}
    for decision in decided:
        line = json.loads(decision.as_line())
        assert line.keys() == {"alert", "incident", "at"}
        last[line["alert"]] = line["incident"]
    mentioned = {f"{a['fingerprint']}@{a['startsAt']}" for one in deliveries for a in one["body"]["alerts"]}
    assert last.keys() == mentioned
    groups = {alert: id for id, alerts in found.groups.items() for alert in alerts}
    assert {alert: groups.get(alert) for alert in mentioned} == last


def test_no_decision_is_made_before_the_alert_is_there_nor_after_the_recording_ends() -> None:
    deliveries = recordings.recording(5)
    arrival: dict[str, str] = {}
    for one in deliveries:
        for sent in one["body"]["alerts"]:
            arrival.setdefault(f"{sent['fingerprint']}@{sent['startsAt']}", one["received_at"])
    found, decided = replay(deliveries)
    assert all(arrival[d.placement.key] <= d.at <= found.until for d in decided)
    assert (found.since, found.until) == (deliveries[0]["received_at"], deliveries[-1]["received_at"])


def test_the_clock_does_not_run_backwards_where_lines_are_out_of_order() -> None:
    deliveries = recordings.disturbed(recordings.recording(6), 6)
    found, decided = replay(deliveries)
    times = [d.at for d in decided]
    assert times == sorted(times)
    assert found.until == max(one["received_at"] for one in deliveries)


def test_repeats_and_resolved_notices_are_counted_and_decide_nothing() -> None:
    one = Fired("HighErrorRate", "cart", 10.0, 70.0, "critical")
    deliveries = [
        call(12, [one.sent(resolved=True)]),
        call(14, [one.sent(resolved=False), one.sent(resolved=False)]),
        call(99, [one.sent(resolved=True)]),
    ]
    found, decided = replay(deliveries)
    assert (found.deliveries, found.occurrences, found.repeats) == (3, 1, 3)
    assert [(d.placement.key, d.at) for d in decided] == [(one.key, iso(12))]


def test_an_incident_is_named_after_its_probable_origin_or_its_loudest_alert() -> None:
    alerts = [
        Fired(rule, s, 100 + 20 * n, 900, "warning") for n, s in enumerate(("db", "ledger")) for rule in ("A", "B")
    ]
    found, _ = replay([call(one.at + 1, [one.sent(resolved=False)]) for one in alerts])
    (incident,) = found.incidents
    names = {one.key: f"{one.rule} on {one.service}" for one in alerts}
    expected = names[incident.origins[0].key] if incident.origins else "A on db"
    assert (incident.title, incident.severity, len(incident.alerts)) == (expected, "warning", 4)


def test_knobs_change_the_outcome() -> None:
    deliveries = recordings.recording(8)
    usual, _ = replay(deliveries)
    strict, _ = replay(deliveries, Knobs(join=0.9, merge=0.95, alone_from="never"))
    assert sum(strict.held.values()) > sum(usual.held.values())


def test_an_empty_recording_has_an_empty_result() -> None:
    found, decided = replay([])
    assert (found.occurrences, found.incidents, found.held, found.since, decided) == (0, (), {}, "", [])


def test_more_alerts_than_the_engine_remembers_and_all_of_them_late_still_have_a_line_each() -> None:
    luck, deliveries = random.Random(9), [one for day in range(60) for one in later(recordings.recording(day), day)]
    late = [one for _, one in sorted(enumerate(deliveries), key=lambda item: item[0] + luck.uniform(0, 1500))]
    found, decided = replay(late, Knobs(held=1000))
    assert found.occurrences > 4000
    assert len({d.placement.key for d in decided}) == found.occurrences
    assert sum(found.held.values()) + sum(len(one.alerts) for one in found.incidents) == found.occurrences
    assert "undecided" not in found.held


def later(deliveries: Iterable[Delivery], days: int) -> list[Delivery]:
    """Return deliveries of another day."""
    told = json.dumps(list(deliveries)).replace("2026-10-06T", f"{date(2026, 10, 6) + timedelta(days=days)}T")
    return json.loads(told)
