"""How incidents went: how soon somebody looked after them, how long they took, how many alerts each spared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection

from sysop.incidents.moves import SEVERITIES, rank
from sysop.incidents.words import owners
from sysop.inventory import Inventory
from sysop.store import past
from sysop.store.past import Span, TakenIn

By = Literal["severity", "service", "owner", "week"]
WAYS: Final[tuple[By, ...]] = get_args(By)
NOBODY: Final = "nobody"
NO_SERVICE: Final = "none named"


@dataclass(frozen=True, slots=True)
class Times:
    """Some durations in milliseconds. `p90` is the least of them that nine in ten do not exceed (nearest rank)."""

    count: int
    mean: float
    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of some incidents. Each duration is from when an incident was opened, or the first of those that
    were merged into it; None where there is none.

    `acknowledged` are those that somebody looked after, by the first who did; `unacknowledged` counts the others.
    `mitigated` are those whose alerts have all ended. One that was open twice counts until its last alert ended.
    """

    name: str
    incidents: int
    unresolved: int
    alerts: int
    unacknowledged: int
    acknowledged: Times | None
    mitigated: Times | None
    resolved: Times | None

    @property
    def alerts_each(self) -> float | None:
        """Return how many alerts an incident had in the mean."""
        return self.alerts / self.incidents if self.incidents else None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the incidents opened from `since` until before `until`, in milliseconds, and those of each group.

    An incident of two services is in both of their groups. `older` counts incidents that were too many to be read;
    `of_alerts` counts the incidents that alerts have opened, not people.
    """

    since: int
    until: int
    whole: Group
    by: By | None
    groups: tuple[Group, ...]
    taken_in: TakenIn
    of_alerts: int
    older: int = 0

    @property
    def noise_reduction(self) -> float | None:
        """Return which part of the alerts nobody had to look at one by one: 1 - incidents / alerts.

        None where fewer alerts started than incidents were opened: alerts from before the time opened those.
        """
        alerts = self.taken_in.alerts
        return 1 - self.of_alerts / alerts if alerts and alerts >= self.of_alerts else None


def figures(conn: Connection, inventory: Inventory, since: int, until: int, by: By | None = None) -> Figures:
    """Return the figures of a time."""
    spans, older = past.spans(conn, since, until)
    groups = _grouped(spans, _ways(inventory)[by]) if by else {}
    return Figures(
        since=since,
        until=until,
        whole=_group("all", spans),
        by=by,
        groups=tuple(_group(name, groups[name]) for name in _in_order(groups, by)),
        taken_in=past.taken_in(conn, since, until),
        of_alerts=sum(not span.by_hand for span in spans),
        older=older,
    )


def times(durations: Iterable[float]) -> Times | None:
    """Return what is to be said of durations, None where there are none."""
    ordered = sorted(durations)
    if not ordered:
        return None
    p90 = ordered[math.ceil(0.9 * len(ordered)) - 1]
    return Times(len(ordered), statistics.fmean(ordered), statistics.median(ordered), p90)


def figures_json(found: Figures) -> dict[str, Any]:
    """Return figures for machines: durations in seconds, times in milliseconds since the epoch."""
    taken = found.taken_in
    return {
        "since": found.since,
        "until": found.until,
        "whole": _group_json(found.whole),
        "by": found.by,
        "groups": [_group_json(group) for group in found.groups],
        "alerts": {"all": taken.alerts, "held": taken.held, "silenced": taken.silenced, "waiting": taken.waiting},
        "incidents_of_alerts": found.of_alerts,
        "noise_reduction": found.noise_reduction,
        "older": found.older,
    }


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "incidents": group.incidents,
        "unresolved": group.unresolved,
        "alerts": group.alerts,
        "alerts_each": group.alerts_each,
        "unacknowledged": group.unacknowledged,
        "acknowledged": _times_json(group.acknowledged),
        "mitigated": _times_json(group.mitigated),
        "resolved": _times_json(group.resolved),
    }


def _times_json(found: Times | None) -> dict[str, float] | None:
    if found is None:
        return None
    seconds = {"mean_s": found.mean / 1000, "median_s": found.median / 1000, "p90_s": found.p90 / 1000}
    return {"count": found.count, **seconds}


Names = Callable[[Span], Sequence[str]]


def _ways(inventory: Inventory) -> dict[By, Names]:
    return {
        "severity": lambda span: [span.severity],
        "service": lambda span: span.services or (NO_SERVICE,),
        "owner": lambda span: owners(inventory, span.services) or (NOBODY,),
        "week": lambda span: [week(span.opened_at)],
    }


def week(ms: int) -> str:
    """Return the ISO week of a time in UTC, such as `2026-W49`; it begins on Monday."""
    year, number, _ = datetime.fromtimestamp(ms / 1000, UTC).isocalendar()
    return f"{year}-W{number:02}"


def _grouped(spans: Iterable[Span], names: Names) -> dict[str, list[Span]]:
    groups: dict[str, list[Span]] = {}
    for span in spans:
        for name in names(span):
            groups.setdefault(name, []).append(span)
    return groups


def _in_order(groups: dict[str, list[Span]], by: By | None) -> list[str]:
    """Return the worst severity first, weeks as they were, and of all else the one with the most incidents first."""
    if by == "severity":
        return sorted(groups, key=lambda name: (-rank(name), name not in SEVERITIES, name))
    if by == "week":
        return sorted(groups)
    return sorted(groups, key=lambda name: (-len(groups[name]), name))


def _group(name: str, spans: Sequence[Span]) -> Group:
    return Group(
        name=name,
        incidents=len(spans),
        unresolved=sum(span.resolved_at is None for span in spans),
        alerts=sum(span.alerts for span in spans),
        unacknowledged=sum(span.acknowledged_at is None for span in spans),
        acknowledged=times(span.acknowledged_at - span.began_at for span in spans if span.acknowledged_at is not None),
        mitigated=times(span.mitigated_at - span.began_at for span in spans if span.mitigated_at is not None),
        resolved=times(span.resolved_at - span.began_at for span in spans if span.resolved_at is not None),
    )
