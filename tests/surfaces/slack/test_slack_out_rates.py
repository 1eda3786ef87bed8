"""Budgets on an injected clock: never more than Slack promises, a burst where it is documented, 429 a method."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.surfaces.slack.outbox import rates
from sysop.surfaces.slack.outbox.rates import Lane, Pass, Rates


@dataclass
class Time:
    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def made(budget: Rates, time: Time, lane: Lane, seconds: float, step: float = 0.05) -> list[float]:
    """Ask without a pause for a while and return when calls were made."""
    times, end = [], time.now + seconds
    while time.now < end:
        while budget.take(lane) == 0.0:
            times.append(time.now)
        time.now += step
    return times


def most_in_a_minute(times: list[float]) -> int:
    return max(sum(start <= at < start + 60 for at in times) for start in times)


@pytest.mark.parametrize(
    ("method", "promised"),
    [(rates.START, 20), (rates.STOP, 20), (rates.UPDATE, 50), (rates.REPLIES, 50), (rates.APPEND, 100)],
)
def test_no_minute_holds_more_than_slack_promises_and_most_of_it_is_used(method: str, promised: int) -> None:
    time = Time()
    times = made(Rates(time, time.sleep), time, Lane("T1", method), 200)
    assert most_in_a_minute(times) <= promised
    assert len(times) >= promised * 200 / 60 * 0.75


def test_a_channel_takes_a_small_burst_and_then_one_post_a_second() -> None:
    time = Time()
    budget = Rates(time, time.sleep)
    times = made(budget, time, Lane("T1", rates.POST, "C1"), 20)
    assert sum(at == 1000.0 for at in times) == rates.CHANNEL_BURST
    assert len(times) == pytest.approx(rates.CHANNEL_BURST + 20, abs=1)
    assert budget.wait(Lane("T1", rates.POST, "C2")) == 0.0, "another channel does not wait"


def test_what_slack_holds_back_waits_and_everything_else_goes_on() -> None:
    time = Time()
    budget = Rates(time, time.sleep)
    budget.hold("T1", rates.UPDATE, 30)
    assert budget.take(Lane("T1", rates.UPDATE)) == pytest.approx(30)
    assert budget.take(Lane("T1", rates.POST, "C1")) == 0.0
    assert budget.take(Lane("T2", rates.UPDATE)) == 0.0
    time.now += 30
    assert budget.take(Lane("T1", rates.UPDATE)) == 0.0


async def test_whoever_waits_for_a_turn_hears_of_a_hold_that_comes_meanwhile() -> None:
    time = Time()
    budget = Rates(time, time.sleep)
    lane = Lane("T1", rates.START)
    while budget.take(lane) == 0.0:
        pass
    budget.hold("T1", rates.START, 100)
    await budget.turn(lane)
    assert sum(time.slept) == pytest.approx(100)


async def test_a_pass_is_used_for_what_it_was_paid_for_and_given_back_otherwise() -> None:
    time = Time()
    budget = Rates(time, time.sleep)
    lane = Lane("T1", rates.POST, "C1")
    for _ in range(rates.CHANNEL_BURST):
        assert budget.take(lane) == 0.0
    assert budget.wait(lane) > 0
    paid = Pass(budget, lane)
    await paid.use(Lane("T1", rates.UPDATE))
    assert budget.wait(lane) > 0
    paid.close()
    paid.close()
    assert budget.wait(lane) == 0.0


async def test_what_an_urgent_row_waits_for_is_not_taken_by_one_that_was_there_before() -> None:
    time = Time()
    budget = Rates(time, time.sleep)
    lane = Lane("T1", rates.POST, "C1")
    while budget.take(lane) == 0.0:
        pass
    budget.want([lane])
    time.now += 1
    assert budget.take(lane) > 0.0
    assert budget.take(Lane("T1", rates.POST, "C2")) == 0.0
    await Pass(budget, urgent=True).use(lane)
    assert time.slept == [], "the call was kept"
    budget.want([])
    await Pass(budget).use(lane)
    assert sum(time.slept) == pytest.approx(1)


@given(st.lists(st.tuples(st.sampled_from(["take", "wait", "back", "hold"]), st.floats(0, 5)), max_size=60))
def test_whatever_happens_a_budget_never_grows_beyond_its_burst(steps: list[tuple[str, float]]) -> None:
    time = Time()
    budget = Rates(time, time.sleep)
    lane = Lane("T1", rates.START)
    taken = back = 0
    for kind, seconds in steps:
        if kind == "take":
            taken += budget.take(lane) == 0.0
        elif kind == "wait":
            time.now += seconds
        elif kind == "back" and back < taken:
            back += 1
            budget.give_back(lane)
        elif kind == "hold":
            budget.hold("T1", rates.START, seconds)
    time.now += 10
    burst = 0
    while budget.take(lane) == 0.0:
        burst += 1
    assert burst <= 4
    assert taken - back <= 4 + (time.now - 1000) * 16 / 60 + 1
