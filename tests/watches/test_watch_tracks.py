"""A finding opens when a departure lasts and ends when it has been calm for a while."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.watches.chart import Mark, rows, sparkline, thin
from sysop.watches.track import Change, Rule, Track, step

RULE = Rule(lasts=2, calm=3, gone=5)


def walk(departures: list[float | None], rule: Rule = RULE, track: Track | None = None) -> list[Change]:
    track, changes = track or Track(), []
    for slot, departure in enumerate(departures):
        track, change = step(track, slot, departure, slot, rule)
        changes += [change] if change else []
    return changes


def test_a_departure_that_lasts_opens_at_its_first_sample():
    assert walk([0, 2, 2, 2]) == [Change(True, 1)]


def test_a_departure_that_is_over_before_opens_nothing():
    assert walk([0, 2, 2, 0, 2, 2, 0]) == []


def test_without_a_wait_one_sample_is_enough():
    assert walk([0, 2], Rule(0, 3, 5)) == [Change(True, 1)]


def test_it_ends_at_the_first_calm_sample_once_calm_has_lasted():
    assert walk([2, 2, 2, 0, 0, 0, 0]) == [Change(True, 0), Change(False, 3)]


def test_a_value_on_the_edge_does_not_flap():
    assert walk([2, 2, 2, *[0.9, 1.1, 0.8] * 10]) == [Change(True, 0)]


def test_a_departure_in_the_calm_starts_the_calm_anew():
    assert walk([2, 2, 2, 0, 0, 2, 0, 0, 0, 0]) == [Change(True, 0), Change(False, 6)]


def test_missing_samples_neither_open_nor_calm():
    assert walk([None, 2, None, 2, None]) == [Change(True, 1)]
    assert walk([2, 2, 2, 0, None, None, 0, 0]) == [Change(True, 0), Change(False, 3)]


def test_the_finding_of_a_series_that_fell_silent_ends_after_its_last_sample():
    assert walk([2, 2, 2, None, None, None, None, None]) == [Change(True, 0), Change(False, 3)]


def test_one_that_was_open_before_can_end():
    assert walk([0, 0, 0, 0], track=Track(opened=True)) == [Change(False, 0)]
    assert walk([None] * 6, track=Track(opened=True)) == [Change(False, 1)]


def test_a_start_that_is_known_to_be_earlier_is_the_start():
    track, change = step(Track(), 10, 2.0, 4, Rule(0, 3, 5))
    assert change == Change(True, 4)
    assert track.opened


@given(st.lists(st.one_of(st.none(), st.floats(0, 3)), max_size=60), st.integers(0, 4), st.integers(0, 4))
def test_findings_open_and_end_in_turn_and_in_order(departures, lasts, calm):
    changes = walk(departures, Rule(lasts, calm, max(calm, 1)))
    assert [change.opened for change in changes] == [n % 2 == 0 for n in range(len(changes))]
    slots = [change.slot for change in changes]
    assert slots == sorted(slots)


def test_a_sparkline_goes_from_the_least_to_the_largest_with_gaps():
    assert sparkline([0.0, 1.0, math.nan, 7.0]) == "▁▂·█"
    assert sparkline([5.0, 5.0]) == "▅▅"
    assert sparkline([]) == ""


@given(st.lists(st.floats(), max_size=300), st.integers(1, 60))
def test_a_sparkline_fits_whatever_the_values_are(values, width):
    assert len(sparkline(values, width)) == min(len(values), width)


def test_a_peak_survives_being_drawn_small():
    values = [1.0] * 500
    values[321] = 9.0
    assert "█" in sparkline(values, 20)
    marks = [Mark(value, 0.5, 1.5, value > 1.5) for value in values]
    assert any(mark.found and mark.value == 9.0 for mark in thin(marks, 20))


def test_a_chart_shows_values_the_band_and_findings():
    marks = [Mark(1.0, 0.0, 2.0, False)] * 5 + [Mark(8.0, 0.0, 2.0, True), Mark(math.nan, math.nan, math.nan, False)]
    drawn = rows(marks, height=9)
    assert drawn[0].endswith("●")
    assert drawn[0].startswith("8 │")
    assert drawn[-1] == "  │░░░░░░".replace("  │", drawn[-1].split("│")[0] + "│")
    assert sum(line.count("•") for line in drawn) == 5


def test_a_chart_of_nothing_has_no_lines():
    assert rows([Mark(math.nan, math.nan, math.nan, False)]) == []


@given(st.lists(st.tuples(st.floats(), st.floats(), st.floats(), st.booleans()), min_size=1, max_size=30))
def test_whatever_is_drawn_fits(marks):
    drawn = rows([Mark(*mark) for mark in marks])
    assert len(drawn) in (0, 12)
    assert all(len(line.split("│")[1]) <= len(marks) for line in drawn)


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324])
def test_extreme_values_can_be_drawn(value):
    assert rows([Mark(value, -value, value, False), Mark(0.0, 0.0, 0.0, True)])
    assert len(sparkline([value, -value, 0.0])) == 3
