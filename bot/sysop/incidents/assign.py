"""Which incident a group of alerts is, so that incidents keep their names while correlation thinks again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def assign(
    groups: Mapping[str, Sequence[K]],
    current: Mapping[K, str],
    pinned: Collection[K],
    opened: Mapping[str, int],
) -> dict[str, str | None]:
    """Return the incident of each group, None where a new one must be opened.

    `current` says where members are now, `pinned` which a person put there, `opened` when each incident was opened.
    A group is the incident that holds the most of it, the earliest of equals, and an incident is one group at most.
    Only what a person put together holds several: a group most of whose members there are pinned follows them.
    """
    chosen: dict[str, str | None] = dict.fromkeys(groups)
    taken: set[str] = set()
    for _, _, incident, group, by_hand in sorted(_claims(groups, current, pinned, opened)):
        if chosen[group] is None and (by_hand or incident not in taken):
            chosen[group] = incident
            if not by_hand:
                taken.add(incident)
    return chosen


def _claims(
    groups: Mapping[str, Sequence[K]], current: Mapping[K, str], pinned: Collection[K], opened: Mapping[str, int]
) -> list[tuple[int, int, str, str, bool]]:
    found = []
    for group, members in groups.items():
        here = Counter(current[key] for key in members if key in current)
        by_hand = Counter(current[key] for key in members if key in current and key in pinned)
        found += [
            (-count, opened.get(incident, 0), incident, group, 2 * by_hand[incident] > count)
            for incident, count in here.items()
        ]
    return found
