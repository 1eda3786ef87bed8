"""Watches in a whole Sysop: a real HTTP source, a real log file, rows in both databases."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prom import Prom

import bench
from sysop import app as composition
from sysop import host as plugin_host
from sysop.api import ActionFailed, MetricQuery, MetricSource, hookimpl
from sysop.app import App
from sysop.errors import SettingsError, StoreUnavailable
from sysop.model import Alert
from sysop.sections import WatchSettings
from sysop.store import alerts as rows
from sysop.watches.kept import firing
from sysop.watches.sources import Sources
from sysop.watches.watches import Watches
from sysop_plugins import metrics

T0 = 1_800_000_000


def calm(at: float) -> float:
    return 100 + random.Random(int(at)).gauss(0, 1)


class Broken:
    """A plugin whose metric sources fail in a way of their own, or never answer."""

    @hookimpl
    def register_metric_sources(self) -> list[MetricSource]:
        async def read(ctx: Any, secret: Any, query: MetricQuery) -> list[Any]:
            raise KeyError("oops")

        async def wait(ctx: Any, secret: Any, query: MetricQuery) -> list[Any]:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

        return [MetricSource("broken", read), MetricSource("stuck", wait)]


def build(folder: Path, url: str, prom: Prom, watches: dict[str, Any], **changes: Any) -> App:
    points = [bench.Point("metrics", metrics), bench.Point("broken", Broken())]
    section = {"url": prom.url, "token_secret": "prom"} if prom.token else {"url": prom.url}
    host = plugin_host.load({"metrics": section}, points=points)  # type: ignore[arg-type]
    settings = bench.settings(folder, url, watches=watches, **changes)
    return composition.build(settings, host=host)


@dataclass
class Site:
    app: App
    now: float = T0
    refuse: bool = False
    taken: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        app = self.app
        ask = Sources(app.host, app.contexts).ask
        read = partial(app.store.read, firing)
        self.watches = Watches(
            app.settings.watches, ask, read, self.take, app.settings.state, lambda: self.now, app.secrets.known
        )

    async def take(self, alerts: Any) -> None:
        if self.refuse:
            raise StoreUnavailable("full for a test")
        self.taken += alerts
        await self.app.lifecycle.take(alerts)

    async def tick(self, seconds: float = 60) -> None:
        self.now += seconds
        for tick in self.watches.ticks:
            await tick()

    async def stored(self) -> list[Alert]:
        return [one.alert for one in await self.app.store.read(rows.listed)]


WATCHES = {"metrics": [{"name": "Load", "query": "load", "history_hours": 1, "calm_seconds": 120, "severity": "error"}]}


@pytest.fixture
async def site(tmp_path: Path, url: str, prom: Prom) -> AsyncIterator[Site]:
    prom.gives("load", lambda at: calm(at) + (50 if T0 + 300 <= at < T0 + 900 else 0), service="checkout")
    app = build(tmp_path, url, prom, WATCHES)
    made = Site(app)
    yield made
    made.watches.close()
    await app.close()


async def test_a_departure_of_a_metric_becomes_an_alert_that_ends(site):
    for _ in range(10):
        await site.tick()
    (alert,) = await site.stored()
    assert (alert.source, alert.starts_at, alert.ends_at) == ("watch", (T0 + 300) * 1000, None)
    assert alert.labels["service"] == "checkout"
    assert alert.labels["severity"] == "error"
    for _ in range(10):
        await site.tick()
    (alert,) = await site.stored()
    assert alert.ends_at == (T0 + 900) * 1000


async def test_a_new_process_goes_on_with_the_finding_that_is_open(site):
    for _ in range(10):
        await site.tick()
    site.start()
    for _ in range(10):
        await site.tick()
    (alert,) = await site.stored()
    assert alert.ends_at == (T0 + 900) * 1000


async def test_two_processes_on_one_database_have_one_alert(site, prom):
    other = Site(site.app)
    for minute in range(30):
        prom.down = minute in (6, 7)  # one of the two does not get an answer, and catches up later
        await site.tick()
        prom.down = minute in (5, 16)
        await other.tick()
        if minute == 8:
            other.start()
    (alert,) = await site.stored()
    assert (alert.starts_at, alert.ends_at) == ((T0 + 300) * 1000, (T0 + 900) * 1000)
    assert site.taken
    assert other.taken
    other.watches.close()


async def test_what_could_not_be_stored_is_handed_in_again(site):
    site.refuse = True
    for _ in range(10):
        try:
            await site.tick()
        except StoreUnavailable:
            continue
    assert await site.stored() == []
    site.refuse = False
    await site.tick(1)
    assert len(await site.stored()) == 1
    await site.tick(1)
    assert len(site.taken) == 1


async def test_nothing_is_asked_between_two_looks(site, prom):
    await site.tick()
    count = len(prom.asked)
    for _ in range(20):
        await site.tick(1)
    assert len(prom.asked) == count


async def test_a_clock_that_is_set_back_does_not_stop_the_looks(tmp_path, url, prom):
    prom.gives("load", calm)
    app = build(tmp_path, url, prom, WATCHES)
    site = Site(app)
    await site.tick()
    for _ in range(3):
        count = len(prom.asked)
        await site.tick(-7200)
        assert len(prom.asked) > count
    count = len(prom.asked)
    await site.tick(-30)
    await site.tick(30)
    assert len(prom.asked) == count
    await app.close()


async def test_an_outage_of_the_source_is_said_once_and_its_end_too(site, prom, caplog):
    await site.tick()
    prom.down = True
    with caplog.at_level(logging.INFO, logger="sysop.watches"):
        for _ in range(3):
            await site.tick()
        prom.down = False
        await site.tick()
    said = [record.getMessage() for record in caplog.records]
    assert said == ["the watch Load cannot look: metrics: unavailable: down for a test", "the watch Load looks again"]


async def test_findings_of_a_watch_that_is_no_more_end(site):
    for _ in range(10):
        await site.tick()
    site.watches = Watches(
        WatchSettings(), None, partial(site.app.store.read, firing), site.take, Path("unused"), lambda: site.now
    )
    await site.tick(5)
    (alert,) = await site.stored()
    assert alert.ends_at == int(site.now * 1000)
    await site.tick(5)
    assert len(site.taken) == 2


async def test_the_token_is_the_read_scoped_one(tmp_path, url, prom):
    (tmp_path / "token").write_text("s3cret-token")
    prom.token = "s3cret-token"
    prom.gives("load", calm)
    app = build(tmp_path, url, prom, WATCHES, secrets={"prom": {"read": f"file:{tmp_path / 'token'}"}})
    found = await Sources(app.host, app.contexts).ask("metrics", MetricQuery("load", T0, T0 + 60, 60))
    assert len(found[0].points) == 2
    await app.close()


async def test_a_missing_token_is_said_with_the_setting_to_add(tmp_path, url, prom, caplog):
    prom.token = "s3cret-token"
    app = build(tmp_path, url, prom, WATCHES)
    site = Site(app)
    with caplog.at_level(logging.WARNING, logger="sysop.watches"):
        await site.tick()
    assert "secrets.prom.read is not set" in caplog.text
    await app.close()


async def test_a_source_that_breaks_does_not_stop_the_other_watches(tmp_path, url, prom, caplog):
    prom.gives("load", lambda at: calm(at) + (50 if at >= T0 + 60 else 0))
    more = [{"name": "Bad", "query": "q", "source": "broken"}, *WATCHES["metrics"]]
    app = build(tmp_path, url, prom, {"metrics": more})
    site = Site(app)
    with caplog.at_level(logging.WARNING, logger="sysop.watches"):
        for _ in range(5):
            await site.tick()
    assert [record.getMessage() for record in caplog.records] == ["the watch Bad cannot look: broken: KeyError: 'oops'"]
    assert len(await site.stored()) == 1
    await app.close()


async def test_a_query_without_an_answer_holds_up_no_other_watch(tmp_path, url, prom):
    prom.gives("load", lambda at: calm(at) + (50 if at >= T0 + 60 else 0))
    more = [{"name": f"Stuck{n}", "query": "q", "source": "stuck"} for n in range(10)]
    app = build(tmp_path, url, prom, {"metrics": [*more, *WATCHES["metrics"]]})
    site = Site(app)
    begun = [asyncio.create_task(tick()) for tick in site.watches.ticks[:-1]]
    load = site.watches.ticks[-1]
    for site.now in range(T0, T0 + 600, 60):
        await load()
    (alert,) = await site.stored()
    assert alert.labels["alertname"] == "Load"
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
    await app.close()


async def test_a_wrong_query_is_said_with_the_servers_own_words(tmp_path, url, prom):
    app = build(tmp_path, url, prom, WATCHES)
    with pytest.raises(ActionFailed, match="bad_data: unknown"):
        await Sources(app.host, app.contexts).ask("metrics", MetricQuery("sum(", T0, T0 + 60, 60))
    await app.close()


async def test_a_source_that_no_plugin_offers_is_refused_with_the_nearest(tmp_path, prom):
    wrong = {"metrics": [{"name": "Load", "query": "q", "source": "metric"}]}
    app = build(tmp_path, f"sqlite:///{tmp_path / 'none.db'}", prom, wrong)
    with pytest.raises(SettingsError, match=r"Load: source: there is no metric source 'metric'.*metrics"):
        Sources(app.host, app.contexts).check(app.settings.watches)
    await app.close()


async def test_a_planted_error_in_a_log_becomes_an_alert_on_both_databases(tmp_path, url, prom):
    log = tmp_path / "app.log"
    log.touch()
    watch = {"name": "App", "files": [str(log)], "learn_windows": 20, "host": "web-1", "service": "checkout"}
    app = build(tmp_path, url, prom, {"logs": [watch]})
    site = Site(app)
    random_ = random.Random(1)
    for window in range(40):
        with log.open("a") as file:
            for _ in range(random_.randrange(15, 25)):
                file.write(f"INFO handled order {random_.randrange(1000)}\n")
            if window >= 35:
                file.write("ERROR cannot reach the payment provider\n" * 6)
        await site.tick()
        if window == 30:  # a restart in between
            site.watches.close()
            site.start()
    (alert,) = await site.stored()
    assert (alert.labels["alertname"], alert.labels["service"], alert.labels["host"]) == (
        "App-new",
        "checkout",
        "web-1",
    )
    assert alert.annotations["example"] == "ERROR cannot reach the payment provider"
    site.watches.close()
    await app.close()


async def test_a_state_folder_that_cannot_be_written_does_not_stop_the_watch(tmp_path, url, prom, caplog):
    log = tmp_path / "app.log"
    log.touch()
    (tmp_path / "watches").write_text("a file where the folder should be")
    app = build(tmp_path, url, prom, {"logs": [{"name": "App", "files": [str(log)]}]})
    site = Site(app)
    with caplog.at_level(logging.WARNING, logger="sysop.watches"):
        for _ in range(4):
            await site.tick()
    assert "cannot write its state" in caplog.text
    site.watches.close()
    await app.close()


@pytest.mark.parametrize(
    "section", [{"metrics": [{"name": "a", "query": "q"}], "logs": [{"name": "a", "files": ["x"]}]}]
)
def test_two_watches_of_one_name_are_refused(section):
    with pytest.raises(ValueError, match="two watches are called a"):
        WatchSettings.model_validate(section)
