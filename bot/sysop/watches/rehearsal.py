"""What a watch would have said of the past: the live watch's own methods over samples of the user's own history."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sysop.extension import MetricSeries
from sysop.sections import MetricWatchSettings
from sysop.watches.chart import Mark
from sysop.watches.findings import SHOWN, told
from sysop.watches.grid import Grid, looks_like_counter
from sysop.watches.methods import Methods
from sysop.watches.series import Seen, Series


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of the past, in seconds since the epoch; `end` is None where it has not ended. `words` annotate it."""

    start: int
    end: int | None
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One series: a mark for each sample, the findings, how many samples were judged and why the others were not.

    `begin` and `end` are the times of the first mark and of the last one, in seconds since the epoch.
    """

    labels: Mapping[str, str]
    begin: int
    end: int
    marks: tuple[Mark, ...]
    found: tuple[Found, ...]
    judged: int
    not_judged: Mapping[str, int]
    counter: bool


def rehearse(watch: MetricWatchSettings, read: MetricSeries, first: int, begin: int, end: int) -> Rehearsal:
    """Judge a series from one slot to before another; samples from `first` on are its history."""
    methods = Methods.of(watch)
    series = Series(read.labels, methods, Grid(watch.every_seconds, end - first + 1, first))
    series.put(read.points)
    series.grid.fill(end)
    seen = list(series.walk(begin))
    values = series.grid.values
    spans = _spans(seen)
    marks = [_mark(one, values[one.place], spans, first + one.place) for one in seen]  # this grid is never trimmed
    found = [_found(watch, one, values, spans) for one in seen if one.change and one.change.opened]
    reasons = [one.judgement.reason.partition(":")[0] for one in seen if not one.judgement.judged]
    return Rehearsal(
        labels=read.labels,
        begin=begin * watch.every_seconds,
        end=(end - 1) * watch.every_seconds,
        marks=tuple(marks),
        found=tuple(found),
        judged=len(seen) - len(reasons),
        not_judged={reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
        counter=not watch.counter and looks_like_counter(values),
    )


def _spans(seen: Sequence[Seen]) -> list[tuple[int, int | None]]:
    """Return the first slot of each finding and the one after its last, None for one that goes on."""
    spans: list[tuple[int, int | None]] = []
    for change in (one.change for one in seen if one.change):
        if change.opened:
            spans.append((change.slot, None))
        else:
            spans[-1] = (spans[-1][0], change.slot)
    return spans


def _mark(seen: Seen, value: float, spans: Sequence[tuple[int, int | None]], slot: int) -> Mark:
    band = seen.judgement.band
    inside = any(start <= slot and (stop is None or slot < stop) for start, stop in spans)
    low, high = (band.low, band.high) if band else (math.nan, math.nan)
    return Mark(value, low, high, inside)


def _found(
    watch: MetricWatchSettings, seen: Seen, values: Sequence[float], spans: Sequence[tuple[int, int | None]]
) -> Found:
    assert seen.change is not None
    start, stop = next(span for span in spans if span[0] == seen.change.slot)
    step = watch.every_seconds
    words = told(watch, seen.judgement, values[seen.place], values[max(0, seen.place + 1 - SHOWN) : seen.place + 1])
    return Found(start * step, None if stop is None else stop * step, words)
