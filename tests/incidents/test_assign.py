"""Which incident a group is: names stay while groups change."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sysop.incidents.assign import assign


def test_a_group_keeps_the_incident_that_holds_the_most_of_it() -> None:
    current = {"a": "inc-1", "b": "inc-1", "c": "inc-2"}
    assert assign({"g": ["a", "b", "c", "d"]}, current, set(), {"inc-1": 5, "inc-2": 1}) == {"g": "inc-1"}


def test_of_equals_the_earlier_incident_stays() -> None:
    current = {"a": "inc-1", "b": "inc-2"}
    assert assign({"g": ["a", "b"]}, current, set(), {"inc-1": 5, "inc-2": 1}) == {"g": "inc-2"}


def test_a_split_leaves_the_name_with_the_larger_part() -> None:
    current = dict.fromkeys("abcde", "inc-1")
    assert assign({"g": ["a", "b"], "h": ["c", "d", "e"]}, current, set(), {"inc-1": 1}) == {"g": None, "h": "inc-1"}


def test_a_group_without_an_incident_needs_a_new_one() -> None:
    assert assign({"g": ["a"]}, {}, set(), {}) == {"g": None}


def test_what_a_person_merged_stays_one_incident_whatever_groups_it_is_made_of() -> None:
    current = dict.fromkeys("abcde", "inc-1")
    groups = {"g": ["a", "b", "c"], "h": ["d", "e", "f"]}
    assert assign(groups, current, {"d", "e"}, {"inc-1": 1}) == {"g": "inc-1", "h": "inc-1"}


def test_one_alert_that_a_person_moved_does_not_take_its_group_along() -> None:
    current = {"a": "inc-1", "b": "inc-1", "c": "inc-2", "x": "inc-2"}
    groups = {"g": ["a", "b", "c"], "h": ["x"]}
    assert assign(groups, current, {"c"}, {"inc-1": 1, "inc-2": 2}) == {"g": "inc-1", "h": "inc-2"}


_KEYS = "abcdefgh"


@given(
    grouping=st.dictionaries(st.sampled_from(_KEYS), st.sampled_from("GHI"), min_size=1),
    current=st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(["inc-1", "inc-2", "inc-3"])),
    pinned=st.sets(st.sampled_from(_KEYS)),
)
def test_nothing_is_claimed_twice_and_a_second_look_changes_nothing(
    grouping: dict[str, str], current: dict[str, str], pinned: set[str]
) -> None:
    groups: dict[str, list[str]] = {}
    for key, group in sorted(grouping.items()):
        groups.setdefault(group, []).append(key)
    opened = {"inc-1": 1, "inc-2": 2, "inc-3": 3}
    chosen = assign(groups, current, pinned, opened)
    assert set(chosen) == set(groups)
    claimed = Counter(filter(None, chosen.values()))
    by_hand = {current[key] for key in pinned if key in current}
    assert all(number == 1 or incident in by_hand for incident, number in claimed.items())
    new = iter(["inc-7", "inc-8", "inc-9"])
    named = {group: incident or next(new) for group, incident in chosen.items()}
    after = {**current}
    after.update({key: named[group] for group, keys in groups.items() for key in keys if key not in pinned})
    again = assign(groups, after, pinned, {**opened, "inc-7": 7, "inc-8": 8, "inc-9": 9})
    unpinned = {group for group, keys in groups.items() if not pinned & set(keys)}
    assert {g: again[g] for g in unpinned if claimed[named[g]] <= 1} == {
        g: named[g] for g in unpinned if claimed[named[g]] <= 1
    }
