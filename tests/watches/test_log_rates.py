"""Rates of templates: chance is no news, a change is, and a change of everything at once is told as one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.watches.logs.drifts import LASTS, MOST, Drifts
from sysop.watches.logs.rates import MIN_WINDOWS, WHOLE, Drift, Rates, departure, drift, steady, vanished

LEARNT = 60


def poisson(random_: random.Random, mean: float) -> int:
    """Return a count by chance (Knuth's product of uniforms, in pieces so that it does not underflow)."""
    found = 0
    while mean > 0:
        piece, product = min(mean, 500.0), 1.0
        mean -= piece
        while (product := product * random_.random()) > math.exp(-piece):
            found += 1
    return found


def stationary(seed: int, windows: int, means: dict[str, float]) -> Iterator[dict[str, int]]:
    random_ = random.Random(seed)
    for _ in range(windows):
        counts = {key: poisson(random_, mean) for key, mean in means.items()}
        yield {key: count for key, count in counts.items() if count}


def close(rates: Rates, window: dict[str, int], *, judged: bool = True, limit: float = 6.0) -> list[Drift]:
    return rates.close(window, limit, often=10, learnt=LEARNT, judged=judged)


MEANS = {"busy": 200.0, "steady": 30.0, "slow": 3.0, "rare": 0.3, "hardly": 0.02}


def test_the_scale_makes_chance_alike_for_large_and_small_counts():
    random_ = random.Random(1)
    for mean in (4.0, 40.0, 400.0):
        scaled = [steady(poisson(random_, mean)) for _ in range(3000)]
        middle = sum(scaled) / len(scaled)
        assert sum((one - middle) ** 2 for one in scaled) / len(scaled) == pytest.approx(1.0, rel=0.15)


def test_a_departure_of_a_worked_example():
    assert departure(100, [25] * 50, 6.0) == pytest.approx((2 * math.sqrt(100.375) - 2 * math.sqrt(25.375)) / 6)


def test_more_of_everything_is_no_drift_of_one_kind():
    assert drift(400, 3700, [100] * 50, [900] * 50, 6.0) == 0
    assert drift(400, 900, [100] * 50, [900] * 50, 6.0) > 1


def test_the_only_kind_of_a_log_may_drift():
    assert drift(400, 0, [100] * 50, [0] * 50, 6.0) > 1


@pytest.mark.parametrize(
    ("history", "gone"),
    [
        pytest.param([5] * 40 + [0] * 3, True, id="often, and now not three times"),
        pytest.param([5] * 40 + [0] * 2, False, id="not long enough"),
        pytest.param([1, 0] * 30 + [0] * 30, True, id="every second window, and now not for thirty"),
        pytest.param([1, 0] * 30 + [0] * 20, False, id="chance could keep so few away"),
        pytest.param(([500] + [0] * 19) * 5 + [0] * 19, False, id="a burst every twenty windows"),
        pytest.param([5] * 10 + [0] * 50, False, id="too short a past"),
        pytest.param([0] * 100, False, id="never seen"),
        pytest.param([5] * 40, False, id="here"),
    ],
)
def test_a_template_has_vanished_when_neither_chance_nor_its_past_explains_it(history, gone):
    assert vanished(history) is gone


@pytest.mark.parametrize("limit", [6.0, 8.0], ids=["normal", "low"])
def test_a_stationary_log_gives_no_findings(limit):
    told = 0
    for seed in range(10):
        rates, drifts = Rates(), Drifts(10)
        for number, window in enumerate(stationary(seed, LEARNT + 200, MEANS)):
            found = close(rates, window, limit=limit)
            told += len(drifts.turn(found, number * 60, number * 60 + 60).opened)
    assert told == 0


def planted(change: Callable[[int, dict[str, int]], None], windows: int = 40) -> list[tuple[int, Drift]]:
    """Return what is told after the learning, with the number of windows since the change began."""
    rates, drifts, told = Rates(), Drifts(10), []
    for number, window in enumerate(stationary(3, LEARNT + 60 + windows, MEANS)):
        since = number - LEARNT - 60
        if since >= 0:
            change(since, window)
        for _, one in drifts.turn(close(rates, window), number * 60, number * 60 + 60).opened:
            told.append((since, one))
    return told


def test_a_new_kind_that_comes_often_is_told_at_once():
    ((since, one),) = planted(lambda _, window: window.update(error=25))
    assert (since, one.key, one.kind, one.count) == (0, "error", "new", 25)


def test_a_new_kind_that_comes_now_and_then_is_told_once_it_adds_up():
    ((since, one),) = planted(lambda since, window: window.update(error=2))
    assert (since, one.key, one.kind, one.count) == (4, "error", "new", 10)


def test_a_new_kind_that_comes_once_is_no_news():
    assert planted(lambda since, window: window.update({f"odd{since}": 1})) == []


def test_a_kind_that_comes_more_often_is_told_when_it_lasts():
    ((since, one),) = planted(lambda _, window: window.update(steady=90))
    assert (since, one.key, one.kind, one.count) == (LASTS - 1, "steady", "more", 90)
    assert one.usual == pytest.approx(30, abs=3)


def test_a_kind_that_comes_more_often_once_is_no_news():
    assert planted(lambda since, window: window.update(steady=90) if since == 0 else None) == []


def test_a_kind_that_comes_less_often_is_told():
    ((_, one),) = planted(lambda _, window: window.update(busy=70))
    assert (one.key, one.kind) == ("busy", "fewer")


def test_a_kind_that_stops_is_told():
    ((since, one),) = planted(lambda _, window: window.pop("slow", None))
    assert (one.key, one.kind) == ("slow", "vanished")
    assert 4 <= since <= 12


def test_a_log_that_stops_is_told_as_one_thing():
    told = planted(lambda _, window: window.clear())
    assert [(one.key, one.kind) for _, one in told] == [(WHOLE, "fewer")]


def test_twice_of_everything_is_told_as_one_thing():
    told = planted(lambda _, window: window.update({key: count * 3 for key, count in window.items()}))
    assert [(one.key, one.kind) for _, one in told] == [(WHOLE, "more")]


def test_before_it_has_learnt_nothing_is_told():
    rates = Rates()
    for number in range(LEARNT):
        assert close(rates, {"steady": 30, f"new{number}": 100}) == []


def test_a_window_that_says_nothing_of_rates_is_left_out():
    rates = Rates()
    for window in stationary(5, LEARNT + 30, MEANS):
        close(rates, window)
    before = rates.recent("steady")
    assert close(rates, {"steady": 10_000}, judged=False) == []
    assert rates.recent("steady") == before


def test_a_new_kind_seen_while_nothing_was_judged_is_still_new():
    rates = Rates()
    for window in stationary(5, LEARNT + 30, MEANS):
        close(rates, window)
    close(rates, {"error": 50}, judged=False)
    assert [(one.key, one.kind) for one in close(rates, {"steady": 30, "busy": 200, "error": 50})] == [("error", "new")]


def test_memory_of_counts_is_bounded_and_forgotten_with_the_template():
    rates = Rates(kept=MIN_WINDOWS)
    for number in range(200):
        close(rates, {"a": 5, f"k{number}": 1})
        rates.forget([f"k{number}"])
    assert set(rates.counts) == {"a"}
    assert len(rates.recent("a")) == MIN_WINDOWS


def test_a_finding_ends_at_the_first_of_enough_calm_windows():
    drifts = Drifts(calm=3)
    one = Drift("k", "new", 20, 0.0, 20.0)
    assert [opened.start for opened, _ in drifts.turn([one], 0, 60).opened] == [0]
    assert [drifts.turn([], n * 60, n * 60 + 60).ended for n in (1, 2)] == [(), ()]
    ((ended, at),) = drifts.turn([], 180, 240).ended
    assert (ended.key, at) == ("k", 60)
    assert drifts.open == []


def test_of_many_changes_at_once_the_strongest_are_told_and_the_rest_counted():
    drifts = Drifts(calm=3)
    many = [Drift(f"k{n}", "new", 100 - n, 0.0, 100.0 - n) for n in range(12)]
    turn = drifts.turn(many, 0, 60)
    assert [drift.key for _, drift in turn.opened] == [f"k{n}" for n in range(MOST)]
    assert turn.left_out == 12 - MOST


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["new", "more", "fewer"])), max_size=3)))
def test_findings_of_a_template_open_and_end_in_turn(windows):
    drifts, open_now = Drifts(calm=2), set()
    for number, window in enumerate(windows):
        found = [Drift(key, kind, 10, 1.0, 2.0) for key, kind in dict(window).items()]
        turn = drifts.turn(found, number * 60, number * 60 + 60)
        for ended, at in turn.ended:
            open_now.remove(ended.key)
            assert ended.start <= at <= number * 60
        for opened, _ in turn.opened:
            assert opened.key not in open_now
            open_now.add(opened.key)
        assert {one.key for one in drifts.open} == open_now
