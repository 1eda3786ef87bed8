"""A metric watch against a source that answers as Prometheus does: what it reads, finds, ends and survives."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from sysop.errors import ActionFailed, InvalidCall
from sysop.extension import MetricQuery, MetricSeries
from sysop.model import Alert
from sysop.sections import MetricWatchSettings
from sysop.watches.metric_watch import MAX_POINTS, MetricWatch, read_series
from sysop.watches.rehearsal import rehearse

T0 = 1_800_000_000
MINUTE = 60
Value = Callable[[int], float | None]


def calm(at: int) -> float:
    return 100 + random.Random(at).gauss(0, 1)


def jump(start: int, end: int = 2**40) -> Value:
    return lambda at: calm(at) + (50 if start <= at < end else 0)


@dataclass
class Source:
    """Series as functions of time. `down` refuses to answer."""

    series: dict[str, Value] = field(default_factory=dict)
    asked: list[MetricQuery] = field(default_factory=list)
    down: bool = False

    async def read(self, query: MetricQuery) -> Sequence[MetricSeries]:
        if self.down:
            raise ActionFailed("the server is down for a test")
        self.asked.append(query)
        times = range(query.start, query.end + 1, query.step)
        found = []
        for pod, value in self.series.items():
            points = [(float(at), v) for at in times if (v := value(at)) is not None]
            if points:
                found.append(MetricSeries({"__name__": "load", "pod": pod, "service": "shop"}, points))
        return found


@dataclass
class Live:
    """A watch over time. What fires is remembered as the database would."""

    source: Source
    settings: MetricWatchSettings
    firing: dict[str, Alert] = field(default_factory=dict)
    told: list[Alert] = field(default_factory=list)
    now: int = T0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.watch = MetricWatch(self.settings, self.source.read)

    async def until(self, end: int, every: int = MINUTE) -> list[Alert]:
        """Look again and again; return what was told meanwhile."""
        before = len(self.told)
        while self.now < end:
            self.now += every
            await self.look()
        return self.told[before:]

    async def look(self) -> None:
        for alert in await self.watch.look(self.now + 0.5, self.firing):
            self.told.append(alert)
            if alert.firing:
                self.firing[alert.fingerprint] = alert
            else:
                del self.firing[alert.fingerprint]


def live(series: Mapping[str, Value], **changes: object) -> Live:
    values = {"name": "Load", "query": "load", "history_hours": 2, "for_seconds": 120, "calm_seconds": 180, **changes}
    return Live(Source(dict(series)), MetricWatchSettings.model_validate(values))


async def test_a_jump_opens_one_finding_at_its_first_sample_and_ends_at_the_first_calm_one():
    start, end = T0 + 10 * MINUTE, T0 + 20 * MINUTE
    shop = live({"a": jump(start, end), "b": calm}, severity="error", labels={"team": "web"})
    opened, ended = await shop.until(T0 + 40 * MINUTE)
    assert (opened.starts_at, opened.ends_at) == (start * 1000, None)
    assert (ended.starts_at, ended.ends_at) == (start * 1000, end * 1000)
    assert ended.fingerprint == opened.fingerprint
    assert opened.source == "watch"
    assert dict(opened.labels) == {
        "alertname": "Load",
        "watch": "Load",
        "severity": "error",
        "team": "web",
        "pod": "a",
        "service": "shop",
    }


async def test_it_is_told_once_the_departure_has_lasted():
    shop = live({"a": jump(T0 + 10 * MINUTE)})
    assert await shop.until(T0 + 11 * MINUTE) == []
    assert len(await shop.until(T0 + 12 * MINUTE)) == 1


async def test_the_words_tell_what_was_seen_and_what_was_expected():
    shop = live({"a": jump(T0 + 10 * MINUTE)})
    (opened,) = await shop.until(T0 + 15 * MINUTE)
    words = opened.annotations
    low, high = map(float, words["expected"].split(" to "))
    assert low < 100 < high < float(words["value"])
    assert words["method"] == "outlier"
    assert words["query"] == "load"
    assert words["chart"].endswith("█")
    assert len(words["chart"]) == 40
    assert words["summary"].startswith("Load: 1")
    assert words["expected"] in words["summary"]


async def test_the_configured_service_wins_over_the_label_of_the_series():
    shop = live({"a": jump(T0)}, service="checkout")
    (opened,) = await shop.until(T0 + 5 * MINUTE)
    assert opened.labels["service"] == "checkout"


async def test_after_the_first_look_only_new_samples_are_read():
    shop = live({"a": calm})
    await shop.until(T0 + 30 * MINUTE)
    first, *later = shop.source.asked
    assert first.end - first.start >= 2 * 3600
    assert all(query.start == query.end for query in later)
    assert len(later) == 29
    assert all(query.start % MINUTE == 0 for query in shop.source.asked)


async def test_a_look_too_early_reads_nothing():
    shop = live({"a": calm})
    await shop.until(T0 + MINUTE)
    count = len(shop.source.asked)
    await shop.look()
    assert len(shop.source.asked) == count


async def test_no_query_asks_for_more_points_than_a_server_gives():
    shop = live({"a": calm}, methods=("seasonal",), periods=7)
    await shop.until(T0 + MINUTE)
    assert len(shop.source.asked) > 7
    assert all((query.end - query.start) // query.step < MAX_POINTS for query in shop.source.asked)
    begins = [query.start for query in shop.source.asked[1:]]
    assert begins == [query.end + MINUTE for query in shop.source.asked[:-1]]


async def test_what_a_source_did_not_answer_is_read_the_next_time():
    shop = live({"a": jump(T0 + 10 * MINUTE)})
    await shop.until(T0 + 5 * MINUTE)
    shop.source.down = True
    for shop.now in range(T0 + 6 * MINUTE, T0 + 30 * MINUTE, MINUTE):
        with pytest.raises(ActionFailed):
            await shop.look()
    shop.source.down = False
    (opened,) = await shop.until(T0 + 31 * MINUTE)
    assert opened.starts_at == (T0 + 10 * MINUTE) * 1000


@pytest.mark.parametrize("minutes", [11, 12, 15, 19, 21, 25, 35], ids=str)
async def test_a_restart_at_any_moment_changes_nothing(minutes):
    series = {"a": jump(T0 + 10 * MINUTE, T0 + 20 * MINUTE), "b": jump(T0 + 11 * MINUTE)}
    steady, restarted = live(series), live(series)
    whole = await steady.until(T0 + 60 * MINUTE)
    await restarted.until(T0 + minutes * MINUTE)
    restarted.restart()
    await restarted.until(T0 + 60 * MINUTE)
    assert [(a.fingerprint, a.starts_at, a.ends_at) for a in restarted.told] == [
        (a.fingerprint, a.starts_at, a.ends_at) for a in whole
    ]


async def test_a_finding_that_ended_while_nobody_looked_ends_where_it_did():
    shop = live({"a": jump(T0 + 10 * MINUTE, T0 + 40 * MINUTE)})
    await shop.until(T0 + 15 * MINUTE)
    shop.restart()
    shop.now = T0 + 55 * MINUTE
    (ended,) = await shop.until(T0 + 56 * MINUTE)
    assert ended.ends_at == (T0 + 40 * MINUTE) * 1000


async def test_what_came_and_went_before_the_first_look_is_not_told():
    shop = live({"a": jump(T0 - 40 * MINUTE, T0 - 20 * MINUTE)})
    assert await shop.until(T0 + 10 * MINUTE) == []


async def test_what_goes_on_at_the_first_look_has_its_true_start():
    shop = live({"a": jump(T0 - 20 * MINUTE)})
    (opened,) = await shop.until(T0 + 2 * MINUTE)
    assert opened.starts_at == (T0 - 20 * MINUTE) * 1000


async def test_a_series_that_falls_silent_ends_its_finding_after_an_hour():
    def dies(at: int) -> float | None:
        return jump(T0 + 10 * MINUTE)(at) if at < T0 + 20 * MINUTE else None

    shop = live({"a": dies, "b": calm})
    _opened, ended = await shop.until(T0 + 120 * MINUTE)
    assert ended.ends_at == (T0 + 20 * MINUTE) * 1000
    assert shop.now - ended.ends_at // 1000 >= 3600


async def test_a_finding_whose_series_is_forgotten_ends():
    shop = live({"a": jump(T0 + 10 * MINUTE), "b": calm})
    await shop.until(T0 + 15 * MINUTE)
    del shop.source.series["a"]
    shop.restart()
    shop.now = T0 + 600 * MINUTE
    (ended,) = await shop.until(T0 + 601 * MINUTE)
    assert not ended.firing
    assert shop.firing == {}


async def test_new_series_learn_first():
    shop = live({"a": calm})
    await shop.until(T0 + 10 * MINUTE)
    shop.source.series["new"] = lambda at: 5.0 if at >= T0 + 10 * MINUTE else None
    assert await shop.until(T0 + 40 * MINUTE) == []
    shop.source.series["new"] = lambda at: 50.0 if at >= T0 + 40 * MINUTE else 5.0
    (opened,) = await shop.until(T0 + 45 * MINUTE)
    assert opened.labels["pod"] == "new"


async def test_holes_and_values_that_are_none_are_no_findings():
    def holes(at: int) -> float | None:
        return None if at // MINUTE % 3 == 0 else math.nan if at // MINUTE % 7 == 0 else calm(at)

    shop = live({"a": holes})
    assert await shop.until(T0 + 60 * MINUTE) == []


async def test_a_counter_is_watched_by_its_growth_and_may_begin_again():
    def counter(at: int) -> float:
        since = at - T0 + 4 * 3600  # begins again every two hours
        return float(since % 7200) * 3 + (2_000 * max(0, at - T0 - 600) if at < T0 + 1800 else 0)

    shop = live({"a": counter}, counter=True, direction="up", calm_seconds=60)
    opened, ended = await shop.until(T0 + 60 * MINUTE)
    assert float(opened.annotations["value"]) == pytest.approx(2003)
    assert opened.starts_at == (T0 + 11 * MINUTE) * 1000
    assert not ended.firing


async def test_too_many_series_are_refused_with_what_to_do():
    shop = live({str(n): calm for n in range(101)}, history_hours=1)
    with pytest.raises(InvalidCall, match="gives 101 series, at most 100 are watched; aggregate it"):
        await shop.until(T0 + MINUTE)


async def test_samples_nobody_asked_for_are_left_out():
    shop = live({"a": calm})
    honest = shop.source.read

    async def wild(query: MetricQuery) -> Sequence[MetricSeries]:
        return [MetricSeries(one.labels, [*one.points, (1e18, 5.0), (-1e18, 5.0)]) for one in await honest(query)]

    shop.watch = MetricWatch(shop.settings, wild)
    assert await shop.until(T0 + 10 * MINUTE) == []


async def test_memory_stays_bounded():
    shop = live({"a": calm}, history_hours=1, every_seconds=60)
    await shop.until(T0 + 600 * MINUTE)
    (series,) = shop.watch._series.values()
    assert len(series.grid.values) < 300


async def test_a_series_that_is_long_gone_is_forgotten():
    shop = live({"a": lambda at: calm(at) if at < T0 else None, "b": calm}, history_hours=1)
    await shop.until(T0 + 10 * MINUTE)
    assert len(shop.watch._series) == 2
    await shop.until(T0 + 90 * MINUTE)
    assert len(shop.watch._series) == 1


async def test_a_rehearsal_finds_what_the_live_watch_finds():
    series = {"a": jump(T0 + 30 * MINUTE, T0 + 45 * MINUTE)}
    shop = live(series, methods=("outlier", "shift"))
    told = await shop.until(T0 + 120 * MINUTE)
    begin, end = T0 // MINUTE, T0 // MINUTE + 121
    first = begin - 120
    (read,) = await read_series(shop.settings, shop.source.read, first, end)
    past = rehearse(shop.settings, read, first, begin, end)
    assert [(f.start * 1000, f.end and f.end * 1000) for f in past.found] == [
        (told[0].starts_at, told[1].ends_at),
    ]
    assert past.judged == 121
    assert sum(mark.found for mark in past.marks) == 15


async def test_a_rehearsal_says_what_was_not_judged_and_why():
    shop = live({"a": lambda at: calm(at) if at >= T0 else None})
    begin, end = T0 // MINUTE, T0 // MINUTE + 60
    (read,) = await read_series(shop.settings, shop.source.read, begin - 120, end)
    past = rehearse(shop.settings, read, begin - 120, begin, end)
    assert past.not_judged == {"not enough history": 22}  # 20 samples, and the two that may be part of a departure
    assert not past.counter


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"methods": ("seasonal",), "every_seconds": 70}, "70 s do not divide a day"),
        ({"history_hours": 2000, "every_seconds": 60}, "more than 50,000 samples; use every_seconds: 180"),
        ({"methods": ()}, "methods"),
        ({"name": "a/b"}, "name"),
    ],
    ids=["a step that does not fit", "too much history", "no method", "a name that is none"],
)
def test_settings_that_make_no_sense_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        MetricWatchSettings.model_validate({"name": "w", "query": "q", **changes})
