"""Two groupings of the same alerts, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.incidents.comparing import Change, compare


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({"a": "12345"}, {"x": "123", "y": "45"}, Change("split", ("a",), ("x", "y"), 0, 0)),
        ({"a": "123", "b": "45"}, {"x": "12345"}, Change("merged", ("a", "b"), ("x",), 0, 0)),
        ({"a": "123", "b": "45"}, {"x": "12", "y": "345"}, Change("regrouped", ("a", "b"), ("x", "y"), 0, 0)),
        ({"a": "12"}, {"a": "123"}, Change("grown", ("a",), ("a",), 1, 0)),
        ({"a": "123"}, {"a": "12"}, Change("shrunk", ("a",), ("a",), 0, 1)),
        ({"a": "123"}, {"a": "124"}, Change("changed", ("a",), ("a",), 1, 1)),
        ({"a": "12"}, {}, Change("held back", ("a",), (), 0, 2)),
        ({}, {"a": "12"}, Change("shown", (), ("a",), 2, 0)),
    ],
)
def test_each_kind_of_change_is_called_by_its_name(
    before: Mapping[str, str], after: Mapping[str, str], change: Change
) -> None:
    found = compare(before, after)
    assert (found.changes, found.same) == ((change,), 0)


def test_an_incident_with_another_id_and_the_same_alerts_is_the_same() -> None:
    found = compare({"a": "12", "b": "34"}, {"x": "43", "y": "12"})
    assert (found.same, found.changes, found.pairs_both) == (2, (), 2)
    assert (found.pairs_before, found.pairs_after) == (0, 0)


def test_the_change_that_most_alerts_are_part_of_comes_first() -> None:
    found = compare({"a": "12", "b": "3456789"}, {"x": "3456", "y": "789"})
    assert [change.kind for change in found.changes] == ["split", "held back"]


def groupings() -> st.SearchStrategy[dict[str, set[int]]]:
    """Draw a grouping of some of twelve alerts."""

    def grouped(places: list[int]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for alert, place in enumerate(places):
            if place:
                found.setdefault(f"g{place}", set()).add(alert)
        return found

    return st.lists(st.integers(0, 4), min_size=12, max_size=12).map(grouped)


def pairs(groups: dict[str, set[int]]) -> set[tuple[int, ...]]:
    return {pair for members in groups.values() for pair in combinations(sorted(members), 2)}


@given(groupings(), groupings())
def test_pairs_are_counted_as_if_every_one_was_looked_at(
    before: dict[str, set[int]], after: dict[str, set[int]]
) -> None:
    found = compare(texts(before), texts(after))
    was, now = pairs(before), pairs(after)
    assert found.pairs_both == len(was & now)
    assert (found.pairs_before, found.pairs_after) == (len(was - now), len(now - was))


@given(groupings(), groupings())
def test_every_incident_of_both_sides_is_in_one_change_or_the_same(
    before: dict[str, set[int]], after: dict[str, set[int]]
) -> None:
    found = compare(texts(before), texts(after))
    olds = [id for change in found.changes for id in change.before]
    news = [id for change in found.changes for id in change.after]
    assert (len(olds) + found.same, len(news) + found.same) == (len(before), len(after))
    assert (len(set(olds)), len(set(news))) == (len(olds), len(news))


@given(groupings())
def test_a_grouping_compared_with_itself_has_no_change(groups: dict[str, set[int]]) -> None:
    found = compare(texts(groups), texts(groups))
    assert (found.changes, found.same) == ((), len(groups))


def texts(groups: dict[str, set[int]]) -> dict[str, set[str]]:
    return {incident: set(map(str, members)) for incident, members in groups.items()}
