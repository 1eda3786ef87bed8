"""What differs between two groupings of the same alerts: incidents split, merged, grown, shrunk, held back, shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["split", "merged", "regrouped", "grown", "shrunk", "changed", "held back", "shown"]
Groups = Mapping[str, Collection[str]]
"""Members by incident; an alert is in one incident at most."""
_KINDS: Final[Mapping[tuple[bool, bool], Kind]] = {
    (True, False): "grown",
    (False, True): "shrunk",
    (True, True): "changed",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Incidents of both sides that share alerts and are not alike.

    `gained` counts their alerts that were held back before, `lost` those that are held back now.
    """

    kind: Kind
    before: tuple[str, ...]
    after: tuple[str, ...]
    gained: int
    lost: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two groupings side by side. Pairs are pairs of alerts in one incident."""

    same: int
    changes: tuple[Change, ...]
    pairs_both: int
    pairs_before: int
    pairs_after: int


def compare(before: Groups, after: Groups) -> Comparison:
    """Return what differs, the largest changes first. The cost grows with the number of alerts, not of pairs."""
    was, now = _incident_of(before), _incident_of(after)
    shared = Counter((was[alert], now[alert]) for alert in was.keys() & now.keys())
    changes, same = [], 0
    for olds, news in _clusters(before, after, shared):
        change = _change(olds, news, before, after)
        if change is None:
            same += 1
        else:
            changes.append(change)
    changes.sort(key=lambda change: (-_size(change, before, after), change.before, change.after))
    both = _pairs(shared.values())
    return Comparison(
        same=same,
        changes=tuple(changes),
        pairs_both=both,
        pairs_before=_pairs(map(len, before.values())) - both,
        pairs_after=_pairs(map(len, after.values())) - both,
    )


def _incident_of(groups: Groups) -> dict[str, str]:
    return {alert: incident for incident, members in groups.items() for alert in members}


def _pairs(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)


def _size(change: Change, before: Groups, after: Groups) -> int:
    return sum(len(before[id]) for id in change.before) + sum(len(after[id]) for id in change.after)


def _clusters(
    before: Groups, after: Groups, shared: Iterable[tuple[str, str]]
) -> Iterable[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the incidents of both sides that hang together by shared alerts, every incident once."""
    next_to: dict[tuple[int, str], list[tuple[int, str]]] = {
        (side, id): [] for side, groups in enumerate((before, after)) for id in groups
    }
    for old, new in shared:
        next_to[0, old].append((1, new))
        next_to[1, new].append((0, old))
    left = dict.fromkeys(next_to)
    while left:
        cluster, edge = [], [left.popitem()[0]]
        while edge:
            one = edge.pop()
            cluster.append(one)
            fresh = [other for other in next_to[one] if other in left]
            for other in fresh:
                del left[other]
            edge += fresh
        yield _side(cluster, 0), _side(cluster, 1)


def _side(cluster: Iterable[tuple[int, str]], wanted: int) -> tuple[str, ...]:
    return tuple(sorted(id for side, id in cluster if side == wanted))


def _change(olds: tuple[str, ...], news: tuple[str, ...], before: Groups, after: Groups) -> Change | None:
    """Return what happened to some incidents, None where one became its like."""
    was = {alert for id in olds for alert in before[id]}
    now = {alert for id in news for alert in after[id]}
    if len(olds) == len(news) == 1:
        if was == now:
            return None
        kind = _KINDS[bool(now - was), bool(was - now)]
    else:
        kind = _among_several(len(olds), len(news))
    return Change(kind, olds, news, len(now - was), len(was - now))


def _among_several(olds: int, news: int) -> Kind:
    if not news:
        return "held back"
    if not olds:
        return "shown"
    if olds == 1:
        return "split"
    return "merged" if news == 1 else "regrouped"
