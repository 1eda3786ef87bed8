"""`sysop watches`: what Sysop watches by itself, and what a watch would have said of the past."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import click

from sysop.app import App
from sysop.cli import Group, show
from sysop.cli.common import command, emit, json_option, listed, opened, out
from sysop.cli.watches_show import log_lines, metric_lines
from sysop.errors import InvalidRequest, SettingsError
from sysop.inventory import nearest
from sysop.model import Alert
from sysop.sections import LogWatchSettings, MetricWatchSettings, WatchSettings
from sysop.watches.findings import WATCH_LABEL
from sysop.watches.kept import firing
from sysop.watches.logs.survey import Survey, survey
from sysop.watches.methods import Methods
from sysop.watches.reading import read_series, slot_of
from sysop.watches.rehearsal import Rehearsal, rehearse
from sysop.watches.sight import sights
from sysop.watches.sources import Sources

_UNITS = {"m": 60, "h": 3600, "d": 86_400}
MAX_SINCE = 90 * 86_400


class Since(click.ParamType[int]):
    """A time such as 6h, in seconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        found = re.fullmatch(r"(\d{1,6})([mhd])", str(value))
        seconds = int(found[1]) * _UNITS[found[2]] if found else 0
        if not 0 < seconds <= MAX_SINCE:
            self.fail(f"{value!r} is no time; write one such as 90m, 6h or 7d, at most 90d", param, ctx)
        return seconds


@click.group(cls=Group)
def watches() -> None:
    """Show what Sysop watches by itself, and try a watch on the past."""


@watches.command("list")
@json_option
@command
async def list_watches(as_json: bool) -> None:
    """List the watches of the settings, whether each can look from here, and how many findings of it are open."""
    async with opened(check=False) as app:
        found = await listed(app, firing)
        settings = app.settings.watches
        seen = await sights(settings, Sources(app.host, app.contexts), app.settings.state, time.time())
    rows = [*(_metric_row(one, found) for one in settings.metrics), *(_log_row(one, found) for one in settings.logs)]
    rows = [{**row, "ok": sight.ok, "state": sight.words} for row, sight in zip(rows, seen, strict=True)]
    if as_json:
        emit(rows)
    elif not rows:
        out().print("no watches; add some under `watches` in sysop.yaml")
    else:
        columns = ("name", "kind", "what", "how", "service", "severity", "open", "state")
        lines = ([show.one_line(str(row[column]), 70) for column in columns] for row in rows)
        out().print(show.table(*columns, rows=lines, whole=("how",), drop=("severity", "service", "how", "what")))


def _metric_row(watch: MetricWatchSettings, found: Sequence[Alert]) -> dict[str, object]:
    how = f"{', '.join(watch.methods)}; {watch.sensitivity}, every {watch.every_seconds} s"
    return {"name": watch.name, "kind": "metric", "what": watch.query, "how": how, **_shared(watch, found)}


def _log_row(watch: LogWatchSettings, found: Sequence[Alert]) -> dict[str, object]:
    how = f"template rates; {watch.sensitivity}, every {watch.every_seconds} s"
    return {"name": watch.name, "kind": "log", "what": ", ".join(watch.files), "how": how, **_shared(watch, found)}


def _shared(watch: MetricWatchSettings | LogWatchSettings, found: Sequence[Alert]) -> dict[str, object]:
    mine = sum(alert.labels.get(WATCH_LABEL) == watch.name for alert in found)
    return {"service": watch.service or "", "severity": watch.severity, "open": mine}


@watches.command("test")
@click.argument("name")
@click.option("--since", type=Since(), default="6h", show_default=True, help="How far back, such as 90m, 6h or 7d.")
@click.option("--series", type=click.IntRange(1), default=3, show_default=True, help="How many series to draw.")
@json_option
@command
async def test_watch(name: str, since: int, series: int, as_json: bool) -> None:
    """Show what a watch would have said of the past. Nothing is stored and nobody is told.

    A metric watch is drawn: a dot for each value, a band of what was normal, and findings marked. Of a log watch the
    kinds of lines are shown that its files hold now.
    """
    async with opened(check=False) as app:
        watch = _named(app.settings.watches, name)
        if isinstance(watch, LogWatchSettings):
            _show_survey(watch, survey(watch), as_json)
            return
        past = await _past(app, watch, since)
    if as_json:
        emit([_json(one) for one in past])
        return
    for part in metric_lines(watch, past, since, series):
        out().print(part, soft_wrap=True)


def _named(settings: WatchSettings, name: str) -> MetricWatchSettings | LogWatchSettings:
    known: dict[str, MetricWatchSettings | LogWatchSettings] = {one.name: one for one in settings.metrics}
    known.update({one.name: one for one in settings.logs})
    if name not in known:
        raise InvalidRequest(f"there is no watch {name!r}{nearest(name, known)}; see: sysop watches list")
    return known[name]


async def _past(app: App, watch: MetricWatchSettings, since: int) -> list[Rehearsal]:
    """Return what the watch would have said of each series, those with the most findings first."""
    sources = Sources(app.host, app.contexts)
    sources.check(WatchSettings(metrics=(watch,)))
    end = slot_of(watch, time.time()) + 1
    begin = end - max(1, since // watch.every_seconds)
    first = begin - Methods.of(watch).history
    read = await read_series(watch, partial(sources.ask, watch.source), first, begin, end)
    if not read:
        raise SettingsError(f"watches.metrics: {watch.name}: query: gives no series in this time; try it in Prometheus")
    past = [rehearse(watch, one, first, begin, end) for one in read]
    return sorted(past, key=lambda one: (-len(one.found), sorted(one.labels.items())))


def _json(past: Rehearsal) -> dict[str, object]:
    return {
        "labels": dict(past.labels),
        "judged": past.judged,
        "not_judged": dict(past.not_judged),
        "looks_like_a_counter": past.counter,
        "findings": [{"starts_at": f.start, "ends_at": f.end, **f.words} for f in past.found],
    }


def _show_survey(watch: LogWatchSettings, found: Survey, as_json: bool) -> None:
    if as_json:
        emit(asdict(found))
        return
    for part in log_lines(watch, found):
        out().print(part, soft_wrap=True)
