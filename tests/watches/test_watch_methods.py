"""The methods that judge samples: pure, and honest about what they cannot know."""

from __future__ import annotations

import math
import random
from statistics import median as reference_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.sections import MetricWatchSettings
from sysop.watches.grid import Grid, increases, looks_like_counter
from sysop.watches.judgement import Judgement
from sysop.watches.methods import STRICTNESS, Methods
from sysop.watches.outlier import MIN_SAMPLES, Outlier
from sysop.watches.seasonal import Seasonal
from sysop.watches.shift import WINDOW, Shift, chance, independence, ranks, split
from sysop.watches.spread import median, sigma

SAMPLE = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, -1.0, 1e300, -1e300, 1e308, math.nan, math.inf, 5e-324]))


def watch(**changes: object) -> MetricWatchSettings:
    return MetricWatchSettings.model_validate({"name": "w", "query": "q", **changes})


def noise(samples: int, seed: int, alike: float = 0.0) -> list[float]:
    """Return noise around 100, each sample with a share of the one before."""
    random_, left, found = random.Random(seed), 0.0, []
    for _ in range(samples):
        left = alike * left + random_.gauss(0, 1)
        found.append(100 + left)
    return found


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_the_median_is_the_one_of_the_standard_library(values):
    assert median(values) == pytest.approx(reference_median(values), rel=1e-12, abs=1e-9)


def test_the_spread_of_a_worked_example():
    values = [1.0, 1, 2, 2, 4, 6, 9]  # median 2, deviations 1 1 0 0 2 4 7, their median 1
    assert sigma(values, 2.0) == pytest.approx(1.4826)


def test_the_spread_of_normal_noise_is_its_standard_deviation():
    values = noise(20_000, 1)
    assert sigma(values, median(values)) == pytest.approx(1.0, rel=0.03)


def test_a_few_wild_samples_change_the_spread_little():
    calm = noise(1000, 2)
    wild = [*calm, *[1e6] * 50]
    assert sigma(wild, median(wild)) < 1.2 * sigma(calm, median(calm))


def test_counts_that_are_mostly_zero_have_the_spread_of_those_that_are_not():
    assert sigma([0.0] * 90 + [1.0] * 10, 0.0) == pytest.approx(1 / 1.96)
    assert sigma([0.0] * 99 + [1.0], 0.0) == pytest.approx(1.2533 / 100)


def test_an_outlier_of_a_worked_example():
    values = [10.0, 11, 9, 10, 12, 8, 10, 11, 9, 10] * 3 + [20.0]  # median 10, MAD 1
    judged = Outlier(history=100, limit=6)(values, 30)
    assert judged.band is not None
    assert (judged.band.low, judged.band.middle, judged.band.high) == pytest.approx((1.1044, 10, 18.8956))
    assert judged.excess == pytest.approx(10 / (6 * 1.4826))


def test_a_departure_is_not_measured_by_itself_while_it_waits():
    values = [*[5.0] * 30, *[50.0] * 6]
    assert all(Outlier(100, 6, gap=5)(values, place).excess > 100 for place in range(30, 36))
    assert Outlier(100, 6)(values, 35).excess < 1


def test_a_value_below_is_a_departure_downwards():
    assert Outlier(100, 6)([*noise(50, 3), 0.0], 50).excess < -1


@pytest.mark.parametrize("level", [0.0, 5.0, -1e9, 1e-12], ids=str)
def test_a_constant_series_is_normal_until_it_moves(level):
    outlier = Outlier(100, 6)
    assert outlier([level] * 50, 49).excess == 0
    assert abs(outlier([*[level] * 50, level + abs(level) + 1], 50).excess) > 1


def test_a_constant_series_may_move_by_a_hundredth():
    outlier = Outlier(100, 6)
    assert abs(outlier([*[100.0] * 50, 101.0], 50).excess) < 1
    assert outlier([*[100.0] * 50, 102.0], 50).excess > 1


@pytest.mark.parametrize(
    "judge", [Outlier(1000, 4), Seasonal(20, 5, 4), Shift(1e-3, 1.0)], ids=["outlier", "seasonal", "shift"]
)
def test_too_few_samples_are_not_judged_and_the_reason_says_how_many_are_needed(judge):
    said = judge([1.0, 2.0, 3.0], 2)
    assert not said.judged
    assert said.excess == 0
    assert "not enough history" in said.reason
    assert "are needed" in said.reason


@pytest.mark.parametrize("missing", [math.nan, math.inf, -math.inf, 1e308], ids=str)
def test_a_missing_sample_is_not_judged_and_does_not_count_as_history(missing):
    values = noise(MIN_SAMPLES, 1)
    assert not Outlier(1000, 6)([*values, missing], MIN_SAMPLES).judged
    gaps = [one for value in values[1:] for one in (value, missing)]
    assert "19 samples" in Outlier(1000, 6)([*gaps, 100.0], len(gaps)).reason


@pytest.mark.parametrize("method", ["outlier", "seasonal", "shift"])
@given(values=st.lists(SAMPLE, min_size=1, max_size=150))
def test_whatever_the_samples_are_there_is_an_answer(method, values):
    judges = {"outlier": Outlier(100, 6), "seasonal": Seasonal(10, 5, 6), "shift": Shift(1e-3, 1.0)}
    said = judges[method](values, len(values) - 1)
    assert isinstance(said, Judgement)
    assert math.isfinite(said.excess)
    assert 0 <= said.since < len(values)
    if said.band is not None:
        assert said.band.low <= said.band.middle <= said.band.high


@pytest.mark.parametrize("method", ["outlier", "seasonal", "shift"])
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=60, max_size=90), later=st.lists(st.floats(-1e9, 1e9)))
def test_what_comes_later_changes_nothing(method, values, later):
    judge = Methods.of(watch(methods=(method,), every_seconds=3600, history_hours=72)).judges[0]
    assert judge(values, 59) == judge([*values[:60], *later], 59)


def test_the_same_time_of_other_days_is_what_counts():
    day = [100 * math.sin(place / 96 * 2 * math.pi) for place in range(96)]
    random_ = random.Random(4)
    values = [level + random_.gauss(0, 2) for _ in range(8) for level in day]
    seasonal, outlier = Seasonal(96, 7, 6), Outlier(7 * 96, 6)
    noon = 7 * 96 + 24  # the top of the day
    assert all(abs(seasonal(values, place).excess) < 1 for place in range(7 * 96, 8 * 96))
    values[noon] = 40.0  # an ordinary value at the wrong time
    assert seasonal(values, noon).excess < -1
    assert abs(outlier(values, noon).excess) < 1


def test_one_strange_day_does_not_change_what_is_expected():
    random_ = random.Random(5)
    values = [100 + random_.gauss(0, 2) for _ in range(8 * 50)]
    values[3 * 50 : 4 * 50] = [500.0] * 50
    assert Seasonal(50, 7, 6)(values, 399).band.high < 130
    assert Seasonal(50, 7, 6)([*values[:399], 130.0], 399).excess > 1


def test_a_week_of_holes_leaves_too_few_periods():
    values = noise(10 * 50, 6)
    for day in range(1, 8):
        values[day * 50 : (day + 1) * 50] = [math.nan] * 50
    said = Seasonal(50, 9, 6)(values, 9 * 50 + 20)
    assert said.reason == "not enough history: 2 periods have samples at this time, 3 are needed"


def test_ranks_of_equal_samples_are_shared():
    assert ranks([30.0, 10.0, 20.0, 20.0]) == [4, 1, 2.5, 2.5]


def test_the_split_of_a_worked_example():
    found = split([3.0, 1, 2, 13, 11, 12])  # U(3) = 2 * (1 + 2 + 3) - 3 * 7 = -9
    assert (found.at, found.statistic, found.climbs) == (3, 9, False)


def test_the_chance_of_a_worked_example():
    assert chance(9, 6) == pytest.approx(2 * math.exp(-6 * 81 / (216 + 36)))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_the_split_does_not_depend_on_the_scale(values):
    assert split(values) == split([value**3 for value in values]) or len(set(values)) != len({v**3 for v in values})


def test_alike_neighbours_count_for_less():
    centred = [value - 100 for value in noise(4000, 7, 0.8)]
    assert independence(centred) == pytest.approx((1 - 0.8) / (1 + 0.8), rel=0.25)
    assert independence([value - 100 for value in noise(4000, 7)]) > 0.9


@pytest.mark.parametrize("size", [2.0, -2.0])
def test_a_small_lasting_change_of_level_is_a_shift_and_starts_where_it_began(size):
    values = noise(200, 8)
    moved = [*values[:150], *(value + size for value in values[150:])]
    shift = Shift(1e-5, 1.5)
    assert all(shift(values, place).excess == 0 for place in range(30, 200))
    assert all(abs(Outlier(1000, 6)(moved, place).excess) < 1 for place in range(30, 200))
    first = next(shift(moved, place) for place in range(150, 200) if abs(shift(moved, place).excess) >= 1)
    assert math.copysign(1, first.excess) == math.copysign(1, size)
    assert abs(first.since - 150) <= 3


def test_a_steady_climb_is_no_shift():
    climbing = [value + place / 10 for place, value in enumerate(noise(300, 9))]
    assert all(abs(Shift(1e-5, 1.5)(climbing, place).excess) < 1 for place in range(30, 300))


def test_the_new_level_is_the_normal_one_once_the_window_holds_nothing_else():
    values = [*noise(100, 10), *(value + 5 for value in noise(2 * WINDOW, 11))]
    shift = Shift(1e-5, 1.5)
    assert abs(shift(values, 100 + WINDOW // 2).excess) > 1
    assert abs(shift(values, len(values) - 1).excess) < 1


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("method", ["outlier", "seasonal", "shift"])
def test_noise_that_means_nothing_gives_no_finding(method, alike):
    methods = Methods.of(watch(methods=(method,), every_seconds=900, periods=4))
    for seed in range(2):
        values = noise(4 * 96 + 15 + 500, seed, alike)
        departures = [methods.departure(methods.judge(values, place)) for place in range(4 * 96 + 15, len(values))]
        assert max(departures) < 1, seed


def test_a_higher_sensitivity_finds_smaller_departures():
    values = [*noise(100, 12), 105.0]
    limits = {name: abs(Outlier(1000, strict.limit)(values, 100).excess) for name, strict in STRICTNESS.items()}
    assert limits["low"] < limits["normal"] < limits["high"]


@pytest.mark.parametrize(
    ("direction", "value", "found"),
    [("up", 200.0, True), ("up", 0.0, False), ("down", 200.0, False), ("down", 0.0, True), ("both", 0.0, True)],
)
def test_only_departures_in_the_watched_direction_count(direction, value, found):
    methods = Methods.of(watch(direction=direction))
    judged = methods.judge([*noise(100, 13), value], 100)
    assert (methods.departure(judged) >= 1) is found


def test_a_change_smaller_than_the_least_that_matters_is_never_unusual():
    quiet = [0.001] * 100
    assert Methods.of(watch()).judge([*quiet, 0.01], 100).excess > 1
    assert Methods.of(watch(least_change=0.05)).judge([*quiet, 0.01], 100).excess < 1
    assert Methods.of(watch(least_change=0.05)).judge([*quiet, 0.06], 100).excess > 1


def test_of_several_methods_the_one_that_sees_most_speaks():
    methods = Methods.of(watch(methods=("seasonal", "outlier"), for_seconds=0))
    assert methods.judge([*noise(50, 14), 500.0], 50).method == "outlier"
    assert methods.judge([1.0, 2.0], 1).method == "seasonal"  # none can judge: the first says why


def test_a_counter_that_began_again_grows_from_nothing():
    points = [(0.0, 100.0), (60.0, 160.0), (120.0, 30.0), (180.0, math.nan), (240.0, 150.0)]
    assert increases(points) == [(60.0, 1.0), (120.0, 0.5), (240.0, 1.0)]


def test_a_series_that_only_grows_looks_like_a_counter():
    assert looks_like_counter([float(n) for n in range(50)])
    assert looks_like_counter([float(n) for n in range(1, 50)] + [float(n) for n in range(50)])
    assert not looks_like_counter(noise(50, 15))
    assert not looks_like_counter([1.0] * 50)


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(-10, 10)), max_size=80))
def test_a_grid_holds_the_newest_samples_each_at_its_time(points):
    grid = Grid(step=15, keep=20, first=0)
    for slot, value in points:
        grid.put([(slot * 15.0, value)])
    assert len(grid.values) <= 25
    latest = dict(points)
    held = {slot: grid.values[grid.place(slot)] for slot in grid.slots(0)}
    newest = max((slot for slot, _ in points), default=-1)
    assert grid.end == newest + 1
    for slot in range(max(0, newest - 15), newest + 1):
        assert slot in held
        assert (held[slot] == latest[slot]) if slot in latest and held[slot] == held[slot] else True
