"""How alike a past incident is to another, and how much it counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.knowledge.document import Document
from sysop.knowledge.memory.lesson import Lesson
from sysop.knowledge.memory.likeness import likeness
from sysop.knowledge.memory.recall import HALF_LIFE_MS, Memory, weight
from sysop.store.ratings import Rated

NAMES = st.sets(st.sampled_from("abcdef"))


def memory(alerts: tuple[str, ...] = (), services: tuple[str, ...] = (), environments: tuple[str, ...] = ()) -> Memory:
    document = Document("incident/i", "incident/i", "", "", (), alerts, services, environments, kind="incident", at=0)
    return Memory(document, 0, None, None, 1.0, 0, Lesson(0, "", None, 0, quiet=True))


@pytest.mark.parametrize(
    ("alerts", "services", "expected"),
    [
        ({"A", "B"}, {"web", "api"}, 1.0),
        ({"A"}, {"web"}, 0.75),
        ({"A"}, {"web", "api"}, 0.85),
        ({"A", "B"}, {"db"}, 0.6),
        ({"A", "B"}, set(), 0.6),
        ({"C"}, {"web", "api"}, 0.4),
        (set(), {"web", "api"}, 0.4),
        ({"C"}, {"db"}, 0.0),
        (set(), set(), 0.0),
    ],
    ids=[
        "the same",
        "half of both",
        "half of the alerts",
        "on another service",
        "we name no service",
        "other alerts",
        "no alerts",
        "nothing in common",
        "nothing is known",
    ],
)
def test_the_same_alerts_on_the_same_services_are_the_likest(
    alerts: set[str], services: set[str], expected: float
) -> None:
    assert likeness(memory(("A", "B"), ("web", "api")), alerts, services) == pytest.approx(expected)


def test_where_neither_names_a_service_the_alerts_decide_alone() -> None:
    assert likeness(memory(("A",)), {"A"}, set()) == 1.0
    assert likeness(memory(("A",)), {"B"}, set()) == 0.0


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (("production",), "production", 1.0),
        (("production",), "staging", 0.7),
        (("production",), None, 1.0),
        ((), "x", 1.0),
    ],
)
def test_another_environment_counts_less(theirs: tuple[str, ...], ours: str | None, expected: float) -> None:
    assert likeness(memory(("A",), ("web",), theirs), {"A"}, {"web"}, ours) == pytest.approx(expected)


@given(alerts=NAMES, services=NAMES, theirs=NAMES, there=NAMES)
def test_likeness_lies_between_none_and_the_same_and_only_twins_reach_that(
    alerts: set[str], services: set[str], theirs: set[str], there: set[str]
) -> None:
    one = memory(tuple(sorted(theirs)), tuple(sorted(there)))
    found = likeness(one, alerts, services)
    assert 0.0 <= found <= 1.0
    assert (found > 0.0) == bool(alerts & theirs or services & there)
    twins = bool(alerts) and (alerts, services) == (theirs, there)
    assert (found == pytest.approx(1.0)) == twins
    if not alerts & theirs:
        assert found <= 0.4


@given(age=st.integers(0, 10**12), helpful=st.integers(0, 9), wrong=st.integers(0, 9))
def test_age_and_wrong_words_lower_the_weight_and_a_crowd_lifts_it_no_more_than_two_people_do(
    age: int, helpful: int, wrong: int
) -> None:
    plain = weight(age, Rated())
    assert weight(age + HALF_LIFE_MS, Rated()) == pytest.approx(plain / 2)
    assert weight(age, Rated(helpful, wrong)) == pytest.approx(plain * 1.25 ** min(helpful, 2) / 2**wrong)


def test_what_is_dated_ahead_of_the_clock_counts_as_new() -> None:
    assert weight(-5, Rated()) == 1.0
