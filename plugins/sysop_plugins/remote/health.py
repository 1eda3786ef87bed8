"""Whether a service is well after a change: readings over a window, against a bound and against before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sysop.api import CallError, Context, Verification
from sysop_plugins.remote.queries import SAMPLES, HealthQuery

_MOST_POINTS = 5000
"""Fewer than servers refuse for being too many; a longer time is read with longer steps."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Times:
    """When a change began and when it was made, in milliseconds since the epoch; `event` is what made it, in words."""

    began: int
    ended: int
    event: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reading may be: below `below`, and no more than `most`. `note` says what could not be compared."""

    below: float | None
    most: float | None
    note: str = ""

    def well(self, value: float) -> bool:
        """Tell whether a reading is well."""
        return (self.below is None or value < self.below) and (self.most is None or value <= self.most)

    @property
    def told(self) -> str:
        """Return the limits in words."""
        parts = [f"bound {self.below:g}"] if self.below is not None else []
        parts += [f"at most {self.most:.4g} against before"] if self.most is not None else []
        return ", ".join([*parts, *([self.note] if self.note else [])])


async def judge_all(ctx: Context, queries: Sequence[HealthQuery], times: Times) -> Verification:
    """Pass when every query is well; fail when one of them has not been for as long as it may take."""
    told = [(health, *await _judge(ctx, health, times)) for health in queries]
    ill = [(health, detail) for health, well, detail in told if not well]
    if not ill:
        return Verification("passed", "; ".join(detail for _, _, detail in told))
    age = ctx.now() - times.ended
    late = [(health, detail) for health, detail in ill if age >= health.within_seconds * 1000]
    if not late:
        return Verification("pending", "; ".join(detail for _, detail in ill))
    longest = max(health.within_seconds for health, _ in late)
    details = "; ".join(detail for _, detail in late)
    return Verification("failed", f"not well within {longest} s after {times.event}: {details}")


async def _judge(ctx: Context, health: HealthQuery, times: Times) -> tuple[bool, str]:
    """Tell whether the last readings since the change was made are all well, and what they were."""
    if ctx.now() - times.ended < health.every_seconds * (health.readings - 1) * 1000:
        return False, f"{health.query}: too little time has passed since {times.event}"
    try:
        limits = await _limits(ctx, health, times)
        if limits is None:
            return False, f"{health.query}: there are no {SAMPLES} readings from before the change to compare with"
        span = health.every_seconds * health.readings
        points = await _points(ctx, health.query, span, health.every_seconds)
    except CallError as failed:
        return False, f"the health query could not be read: {failed}"
    after = [value for at, value in points if at >= times.ended][-health.readings :]
    return _all_well(health, limits, after)


async def _limits(ctx: Context, health: HealthQuery, times: Times) -> Limits | None:
    """Return what readings may be, None where nothing is known of before and nothing else bounds them."""
    if health.worse_than_before is None:
        return Limits(health.below, None)
    begin = times.began - health.before_seconds * 1000
    span = math.ceil((ctx.now() - begin) / 1000)
    step = max(health.every_seconds, math.ceil(span / _MOST_POINTS))
    points = await _points(ctx, health.query, span, step)
    before = [value for at, value in points if begin <= at < times.began and value is not None]
    if len(before) >= SAMPLES:
        return Limits(health.below, max(health.floor, health.worse_than_before * median(before)))
    if health.below is None:
        return None
    return Limits(health.below, None, "nothing is known of before")


async def _points(ctx: Context, query: str, seconds: int, step: int) -> list[tuple[int, float | None]]:
    """Return the readings of the last seconds with their times in milliseconds. Raises CallError unless one series."""
    found: Mapping[str, Any] = await ctx.read(
        "metrics.range", query=query, minutes=max(1, math.ceil(seconds / 60)), step_seconds=step
    )
    if len(found["series"]) != 1:
        raise CallError(f"{query} gives {len(found['series'])} series, one is needed")
    return [(round(point["at"] * 1000), point["value"]) for point in found["series"][0]["points"]]


def _all_well(health: HealthQuery, limits: Limits, values: Sequence[float | None]) -> tuple[bool, str]:
    worst = max((v for v in values if v is not None), default=None)
    shown = ", ".join("none" if v is None else f"{v:.4g}" for v in values[-_SHOWN:]) or "none"
    over = f" of {len(values)}, worst {worst:.4g}" if worst is not None and len(values) > _SHOWN else ""
    well = len(values) == health.readings and all(v is not None and limits.well(v) for v in values)
    return well, f"{health.query}: last readings {shown}{over}, {limits.told}"
