"""Watches against a real Prometheus, which reckons the history from its own language: no data are needed for that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "demo"))

from company_kit import binary, free_port, running

import bench
from sysop import app as composition
from sysop import host as plugin_host
from sysop.errors import ActionFailed
from sysop.model import Alert
from sysop.sections import MetricWatchSettings
from sysop.watches.metric_watch import MetricWatch
from sysop.watches.sources import Sources
from sysop_plugins import metrics

T0 = 1_799_971_200  # a midnight
MINUTE = 60
JUMP = f"vector(100) + 50 * (vector(time()) >= bool {T0 + 600}) * (vector(time()) < bool {T0 + 1200})"
DAY = (
    "100 + 40 * sin(vector(time()) * 2 * pi() / 86400)"
    f" - 30 * (vector(time()) >= bool {T0 + 600}) * (vector(time()) < bool {T0 + 1200})"
)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    command = [binary("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with running([*command, f"--web.listen-address=127.0.0.1:{port}"], folder, f"http://127.0.0.1:{port}") as url:
        yield url


@dataclass
class Told:
    open: dict[str, Alert] = field(default_factory=dict)
    all: list[Alert] = field(default_factory=list)


async def watched(folder: Path, url: str, minutes: int, **settings: Any) -> list[Alert]:
    """Return what a watch tells that looks for so many minutes from T0 on."""
    host = plugin_host.load({"metrics": {"url": url}}, points=[bench.Point("metrics", metrics)])  # type: ignore[arg-type]
    app = composition.build(bench.settings(folder, f"sqlite:///{folder / 'none.db'}"), host=host)
    watch = MetricWatchSettings.model_validate({"name": "Load", "service": "checkout", "calm_seconds": 120, **settings})
    live = MetricWatch(watch, partial(Sources(app.host, app.contexts).ask, "metrics"))
    told = Told()
    try:
        for now in range(T0, T0 + minutes * MINUTE, MINUTE):
            for alert in await live.look(now, told.open):
                told.all.append(alert)
                told.open[alert.fingerprint] = alert
                told.open = {key: one for key, one in told.open.items() if one.firing}
    finally:
        await app.close()
    return told.all


async def test_a_jump_is_found_at_its_second_and_ends_at_its_second(tmp_path, prometheus):
    opened, ended = await watched(tmp_path, prometheus, 40, query=JUMP)
    assert opened.starts_at == (T0 + 600) * 1000
    assert (ended.starts_at, ended.ends_at) == (opened.starts_at, (T0 + 1200) * 1000)
    assert opened.labels["service"] == "checkout"
    assert float(opened.annotations["value"]) == 150


async def test_a_dip_inside_of_an_ordinary_day_is_found_by_the_same_time_of_other_days(tmp_path, prometheus):
    opened, _ended = await watched(tmp_path, prometheus, 40, query=DAY, methods=("seasonal",), every_seconds=300)
    assert opened.starts_at == (T0 + 600) * 1000
    low, high = map(float, opened.annotations["expected"].split(" to "))
    assert float(opened.annotations["value"]) < low < 102.6 < high < 105
    assert await watched(tmp_path, prometheus, 40, query=DAY, every_seconds=300) == []  # an outlier it is not


async def test_a_query_that_is_none_is_answered_in_prometheus_own_words(tmp_path, prometheus):
    with pytest.raises(ActionFailed, match=r"bad_data: .*parse error"):
        await watched(tmp_path, prometheus, 1, query="sum(")
