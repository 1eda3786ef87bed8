"""Reads the samples of a watch's query, in as many pieces as it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace

from sysop.errors import InvalidCall
from sysop.extension import MetricQuery, MetricSeries
from sysop.sections import MetricWatchSettings
from sysop.watches import findings
from sysop.watches.grid import increases

MAX_SERIES = 100
MAX_POINTS = 1_000
"""Points of one series in one query: a hundred series stay far below what is read of an answer."""

Read = Callable[[MetricQuery], Awaitable[Sequence[MetricSeries]]]


def slot_of(watch: MetricWatchSettings, now: float) -> int:
    """Return the newest slot whose samples should have arrived by `now`, in seconds."""
    return int((now - watch.delay_seconds) // watch.every_seconds)


async def read_series(
    watch: MetricWatchSettings, read: Read, first: int, begin: int, end: int, keep: Container[str] = ()
) -> list[MetricSeries]:
    """Return every series that has samples from the slot `begin` to before `end`, with its history from `first` on.

    A series that has none there is gone, and is left out unless its fingerprint is one to `keep`: where pods come and
    go there are far more of them in a day than at once. Raises CallError.
    """
    whole: dict[str, MetricSeries] = {}
    if watch.counter:  # how much it grew up to the first sample takes the one before
        first, begin = first - 1, begin - 1
    for start, stop in _pieces(first, begin, end):
        for key, part in (await _piece(watch, read, start, stop)).items():
            if key in whole:
                whole[key] = replace(part, points=(*part.points, *whole[key].points))
            elif start >= begin or key in keep:
                whole[key] = part
        if len(whole) > MAX_SERIES:
            whole = _there_now(whole, keep)
    if not watch.counter:
        return list(whole.values())
    return [replace(one, points=increases(one.points)) for one in whole.values()]


def _there_now(whole: Mapping[str, MetricSeries], keep: Container[str]) -> dict[str, MetricSeries]:
    """Return the series that have the newest sample of all, and those to keep. Raises InvalidCall for too many."""
    newest = max(one.points[-1][0] for one in whole.values())
    there = {key: one for key, one in whole.items() if one.points[-1][0] == newest or key in keep}
    if len(there) > MAX_SERIES:
        raise InvalidCall(f"query: gives {len(there)} series, at most {MAX_SERIES} are watched; aggregate it")
    return there


def _pieces(first: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield what one query each can be asked for, newest first, such that none lies on both sides of `begin`."""
    for low, high in ((begin, end), (first, begin)):
        while high > low:
            yield max(low, high - MAX_POINTS), high
            high -= MAX_POINTS


async def _piece(watch: MetricWatchSettings, read: Read, start: int, stop: int) -> dict[str, MetricSeries]:
    first, last = start * watch.every_seconds, (stop - 1) * watch.every_seconds
    found: dict[str, MetricSeries] = {}
    for part in await read(MetricQuery(watch.query, first, last, watch.every_seconds)):
        key = findings.of_series(watch, part.labels)
        if key in found:
            raise InvalidCall(
                f"query: gives two series with the labels {_shown(part)}; ask for one of them, or for a sum"
            )
        found[key] = replace(part, points=[point for point in part.points if first <= point[0] <= last])
    return {key: part for key, part in found.items() if part.points}


def _shown(series: MetricSeries) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(series.labels.items()) if name != "__name__")
    return f"{{{labels[:200]}}}"
