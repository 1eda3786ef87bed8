"""Rows of bars over time: every count is seen, and they fit the terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sysop.cli.chart import Chart, bars, span

DAY = 1_791_244_800.0  # 2026-10-06 00:00 UTC


def drawn(chart: Chart, width: int) -> list[str]:
    screen = io.StringIO()
    Console(width=width, file=screen, force_terminal=False).print(chart)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_bars_stand_in_relation_to_the_largest_and_one_is_always_seen() -> None:
    assert bars([0, 1, 50, 100]) == "·▁▄█"
    assert bars([0, 0]) == "··"
    assert bars([1, 1]) == "██"


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=80))
def test_only_nothing_is_drawn_as_nothing(counts: list[int]) -> None:
    assert [bar == "·" for bar in bars(counts)] == [count == 0 for count in counts]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2.0 h"), (172_800, "2.0 days"), (86_400 * 20, "20.0 days")],
)
def test_a_span_has_the_unit_that_fits_it(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_times_are_where_they_belong_and_those_outside_at_the_edge() -> None:
    chart = Chart({"alerts": [DAY, DAY + 1799, DAY + 3600, DAY - 99, DAY + 9999]}, DAY, DAY + 3600)
    first, axis = drawn(chart, 56)
    name, row, top = first.split(maxsplit=2)
    assert (name, len(row), top) == ("alerts", 20, "at most 2 in 3 min")
    assert [place for place, bar in enumerate(row) if bar != "·"] == [0, 9, 19]
    assert axis.split() == ["2026-10-06", "00:00", "UTC"] or axis.split() == ["2026-10-06", "00:00", "01:00", "UTC"]


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80, 100, 200])
def test_it_fits_the_terminal(width: int) -> None:
    times = [DAY + 60.0 * minute for minute in range(0, 4000, 7)]
    lines = drawn(Chart({"alerts": times, "incidents": times[::9]}, DAY, times[-1]), width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)


def test_one_moment_is_no_span_and_no_mistake() -> None:
    first, axis = drawn(Chart({"alerts": [DAY]}, DAY, DAY), 100)
    assert first.split()[1].count("█") == 1
    assert axis.split()[0] == "2026-10-06"
