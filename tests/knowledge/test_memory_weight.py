"""How much a memory counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.knowledge.memory.recall import HALF_LIFE_MS, weight
from sysop.store.ratings import Rated


@given(age=st.integers(0, 10**12), helpful=st.integers(0, 9), wrong=st.integers(0, 9))
def test_age_and_wrong_words_lower_the_weight_and_a_crowd_lifts_it_no_more_than_two_people_do(
    age: int, helpful: int, wrong: int
) -> None:
    plain = weight(age, Rated())
    assert weight(age + HALF_LIFE_MS, Rated()) == pytest.approx(plain / 2)
    assert weight(age, Rated(helpful, wrong)) == pytest.approx(plain * 1.25 ** min(helpful, 2) / 2**wrong)


def test_what_is_dated_ahead_of_the_clock_counts_as_new() -> None:
    assert weight(-5, Rated()) == 1.0
