"""A metric watch against a source that answers as Prometheus does: what it reads, finds, ends and survives."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sysop.errors import ActionFailed, InvalidCall
from sysop.extension import MetricQuery, MetricSeries
from sysop.model import Alert
from sysop.sections import MetricWatchSettings
from sysop.watches.metric_watch import MetricWatch
from sysop.watches.reading import MAX_POINTS, MAX_SERIES, read_series
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
                self.firing.pop(alert.fingerprint, None)  # another process may have said so, too


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
    recent, past, *later = shop.source.asked
    assert recent.end - past.start >= 3 * 3600
    assert recent.start == past.end + MINUTE
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
    asked = sorted(shop.source.asked, key=lambda query: query.start)
    assert [query.start for query in asked[1:]] == [query.end + MINUTE for query in asked[:-1]]


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


def lives(start: int, end: int) -> Value:
    return lambda at: calm(at) if start <= at < end else None


async def test_series_that_were_there_earlier_in_the_day_do_not_count_as_too_many():
    shop = live({f"{n}": lives(T0 - 7200 + n * 30, T0 - 6600 + n * 30) for n in range(110)}, history_hours=2)
    shop.source.series["now"] = jump(T0 + 10 * MINUTE)
    (opened,) = await shop.until(T0 + 15 * MINUTE)
    assert opened.labels["pod"] == "now"


async def test_a_restart_among_series_that_live_for_a_minute_does_not_blind_the_watch():
    jobs = {f"job-{n}": lives(T0 - 3600 + n * 30, T0 - 3510 + n * 30) for n in range(200)}
    shop = live({**jobs, "now": jump(T0 + 10 * MINUTE)}, history_hours=2)
    (opened,) = await shop.until(T0 + 15 * MINUTE)
    assert opened.labels["pod"] == "now"


async def test_series_that_come_and_go_do_not_pile_up_and_the_oldest_are_forgotten_first():
    pods = {f"{n}": lives(T0 + n * 30, T0 + n * 30 + 600) for n in range(300)}
    shop = live({"old": calm, **pods}, history_hours=24)
    assert await shop.until(T0 + 160 * MINUTE) == []
    held = [series.labels["pod"] for series in shop.watch._series.values()]
    assert len(held) == MAX_SERIES
    assert {"old", "299"} <= set(held)
    assert "100" not in held


async def test_two_series_that_differ_in_their_name_only_are_refused():
    shop = live({"a": calm})
    honest = shop.source.read

    async def two(query: MetricQuery) -> Sequence[MetricSeries]:
        (one,) = await honest(query)
        return [one, MetricSeries({**one.labels, "__name__": "other"}, one.points)]

    shop.watch = MetricWatch(shop.settings, two)
    with pytest.raises(InvalidCall, match=r"two series with the labels \{pod=a, service=shop\}; ask for one of them"):
        await shop.look()


async def test_a_finding_that_another_process_has_told_of_is_not_told_again_and_ends():
    series = {"a": jump(T0 + 10 * MINUTE, T0 + 20 * MINUTE)}
    earlier = {"a": jump(T0 + 9 * MINUTE, T0 + 20 * MINUTE)}  # a sample came late, and only one process has seen it
    here, there = live(series), live(earlier)
    there.firing = here.firing
    for minute in range(1, 40):
        for one in (there, here):
            await one.until(T0 + minute * MINUTE)
    assert [(a.starts_at, a.ends_at) for a in there.told] == [
        ((T0 + 9 * MINUTE) * 1000, None),
        ((T0 + 9 * MINUTE) * 1000, (T0 + 20 * MINUTE) * 1000),
    ]
    assert {alert.starts_at for alert in here.told} == {there.told[0].starts_at}
    assert here.firing == {}


async def test_judging_a_long_history_lets_others_have_their_turn():
    shop = live({"a": calm}, every_seconds=5, history_hours=1)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await shop.look()
    beside.cancel()
    assert turns >= 3600 // 5, "one for each sample at least"


@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25"], ids=["spring", "autumn"])
async def test_a_watch_that_knows_the_time_zone_is_calm_when_the_clocks_change(change):
    berlin = ZoneInfo("Europe/Berlin")
    midnight = int(datetime.fromisoformat(change).replace(tzinfo=berlin).timestamp())

    def by_the_clock(at: int) -> float:
        local = datetime.fromtimestamp(at, berlin)
        hour = local.hour + local.minute / 60
        return 100 - 60 * math.cos(hour / 24 * 2 * math.pi) + random.Random(at).gauss(0, 0.5)

    told = {}
    for zone in ("UTC", "Europe/Berlin"):
        shop = live({"a": by_the_clock}, methods=("seasonal",), every_seconds=900, periods=5, timezone=zone)
        shop.now = midnight
        told[zone] = await shop.until(midnight + 3 * 86_400, every=900)
    assert told["Europe/Berlin"] == []
    assert told["UTC"], "the rhythm is an hour off, which is what the zone is for"


@pytest.mark.parametrize("delay", [0, 600])
async def test_samples_that_arrive_late_are_judged_once_they_are_there(delay):
    shop = live({"a": jump(T0 + 10 * MINUTE, T0 + 20 * MINUTE)}, delay_seconds=delay)
    honest = shop.source.read

    async def late(query: MetricQuery) -> Sequence[MetricSeries]:
        there = [replace(one, points=[p for p in one.points if p[0] <= shop.now - 600]) for one in await honest(query)]
        return [one for one in there if one.points]

    shop.watch = MetricWatch(shop.settings, late)
    told = await shop.until(T0 + 60 * MINUTE)
    starts = [(alert.starts_at, alert.ends_at) for alert in told]
    start, end = (T0 + 10 * MINUTE) * 1000, (T0 + 20 * MINUTE) * 1000
    assert starts == ([(start, None), (start, end)] if delay else [])


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
    (read,) = await read_series(shop.settings, shop.source.read, first, begin, end)
    past = rehearse(shop.settings, read, first, begin, end)
    assert [(f.start * 1000, f.end and f.end * 1000) for f in past.found] == [
        (told[0].starts_at, told[1].ends_at),
    ]
    assert past.judged == 121
    assert sum(mark.found for mark in past.marks) == 15


async def test_a_rehearsal_says_what_was_not_judged_and_why():
    shop = live({"a": lambda at: calm(at) if at >= T0 else None})
    begin, end = T0 // MINUTE, T0 // MINUTE + 60
    (read,) = await read_series(shop.settings, shop.source.read, begin - 120, begin, end)
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
        ({"timezone": "Berlin"}, "'Berlin' is not a time zone"),
    ],
    ids=["a step that does not fit", "too much history", "no method", "a name that is none", "a zone that is none"],
)
def test_settings_that_make_no_sense_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        MetricWatchSettings.model_validate({"name": "w", "query": "q", **changes})
