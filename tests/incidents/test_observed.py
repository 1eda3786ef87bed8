"""Dependencies that traces show: read from a real Prometheus, kept, forgotten, joined with what is declared."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "demo"))

from company_kit import binary, free_port, running

import bench
from sysop import app as composition
from sysop import host as plugin_host
from sysop.errors import ActionFailed
from sysop.extension import MetricSeries
from sysop.incidents.correlation import Topology
from sysop.incidents.observed import MAX_EDGES, Observed, pairs_of, question
from sysop.incidents.observing import EVERY_MS, Ask, Observing
from sysop.inventory import Inventory, Service
from sysop.watches.sources import Sources
from sysop_plugins import metrics

HOUR = 3_600_000


def edge(client: str, server: str, value: float = 1.0, kind: str = "") -> MetricSeries:
    labels = {"client": client, "server": server}
    return MetricSeries({**labels, "connection_type": kind} if kind else labels, [(1.0, value)])


# -- reading ----------------------------------------------------------------------------------------------------------


def test_every_series_is_an_edge_and_kinds_of_calls_are_one() -> None:
    found = pairs_of([edge("web", "cart"), edge("cart", "redis", 3, "database"), edge("web", "cart", 2, "messaging")])
    assert found == {("cart", "redis"), ("web", "cart")}


@pytest.mark.parametrize(
    "series",
    [
        edge("user", "web", 5, "virtual_node"),
        edge("cart", "cart", 5),
        edge("", "cart", 5),
        MetricSeries({"server": "cart"}, [(1.0, 5.0)]),
        MetricSeries({}, [(1.0, 5.0)]),
        MetricSeries({"client": "web", "server": "cart"}, []),
        edge("web", "cart", 0),
        edge("web", "cart", math.nan),
    ],
    ids=str,
)
def test_what_says_nothing_about_a_dependency_is_left_out(series: MetricSeries) -> None:
    assert pairs_of([series]) == frozenset()


def test_a_service_that_is_called_user_is_a_service_and_so_is_an_external_one_without_spans() -> None:
    found = pairs_of([edge("user", "mail"), edge("mail", "smtp.example", 1, "virtual_node")])
    assert found == {("mail", "smtp.example"), ("user", "mail")}


def test_too_many_edges_to_be_true_are_refused() -> None:
    with pytest.raises(ActionFailed, match="10001 edges, at most 10000 are read"):
        pairs_of([edge("web", str(number)) for number in range(MAX_EDGES + 1)])


# -- keeping ----------------------------------------------------------------------------------------------------------


def test_an_edge_is_kept_while_it_is_seen_and_forgotten_a_day_after() -> None:
    known = Observed().after([("web", "cart"), ("cart", "db")], HOUR)
    known = known.after([("web", "cart")], 20 * HOUR)
    assert known.seen == {("web", "cart"): 20 * HOUR, ("cart", "db"): HOUR}
    known = known.after([], 26 * HOUR)
    assert known.seen == {("web", "cart"): 20 * HOUR}
    assert known.after([], 45 * HOUR).seen == {}


pairs = st.frozensets(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=4)


@given(st.lists(st.tuples(pairs, st.integers(1, 30 * HOUR)), max_size=8))
def test_what_is_known_is_what_was_seen_within_a_day(asked: list[tuple[frozenset[tuple[str, str]], int]]) -> None:
    known, now, history = Observed(), 0, list[tuple[int, frozenset[tuple[str, str]]]]()
    for found, later in asked:
        now += later
        known = known.after(found, now)
        history.append((now, found))
    assert known.seen.keys() == {pair for at, found in history if now - at <= 24 * HOUR for pair in found}


def test_correlation_goes_by_the_inventory_and_traces_together() -> None:
    services = [Service("web", depends_on=("cart",)), Service("cart", environment="production")]
    inventory = Inventory({service.name: service for service in services})
    topology = Observed().after([("cart", "redis"), ("lb", "web")], HOUR).topology(inventory)
    assert topology.calls == {("web", "cart"), ("cart", "redis"), ("lb", "web")}
    assert topology.services.keys() == {"web", "cart", "redis", "lb"}
    assert Observed().topology(inventory) == Topology.from_inventory(inventory)


# -- asking -----------------------------------------------------------------------------------------------------------


class Traces:
    """What a collector writes about the calls it saw, as Prometheus reads it. It counts on as it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def text(self) -> str:
        self.reads += 1
        lines = [
            ('client="web",server="cart",connection_type=""', 5),
            ('client="web",server="cart",connection_type="messaging_system"', 1),
            ('client="cart",server="redis",connection_type="database"', 20),
            ('client="user",server="web",connection_type="virtual_node"', 30),
            ('client="old",server="cart",connection_type=""', 0),
        ]
        counted = (f"traces_service_graph_request_total{{{labels}}} {n * self.reads}" for labels, n in lines)
        return "\n".join(["# TYPE traces_service_graph_request_total counter", *counted, ""])


@contextmanager
def served(text: Any) -> Iterator[str]:
    """Serve what `text()` returns."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text().encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@asynccontextmanager
async def asking(folder: Path, url: str) -> AsyncIterator[Ask]:
    """Give what a whole Sysop asks by: its metrics plugin."""
    host = plugin_host.load({"metrics": {"url": url}}, points=[bench.Point("metrics", metrics)])  # type: ignore[arg-type]
    app = composition.build(bench.settings(folder, f"sqlite:///{folder / 'none.db'}"), host=host)
    yield partial(Sources(app.host, app.contexts).ask, "metrics")
    await app.close()


async def test_a_real_prometheus_that_scrapes_a_collector_gives_the_edges(tmp_path: Path) -> None:
    program, port, traces = binary("prometheus"), free_port(), Traces()
    with served(traces.text) as collector:
        scrape = {"job_name": "traces", "static_configs": [{"targets": [collector.removeprefix("http://")]}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with running(command, tmp_path, f"http://127.0.0.1:{port}") as url:
            async with asking(tmp_path, url) as ask:
                learnt = await until_learnt(ask)
    assert learnt.calls == {("web", "cart"), ("cart", "redis")}


async def until_learnt(ask: Ask) -> Topology:
    """Ask again and again, each time as if nothing had been asked, until two scrapes have shown the calls."""
    learnt: list[Topology] = []
    until = time.monotonic() + 30
    while not learnt and time.monotonic() < until:
        await asyncio.sleep(0.1)
        now = int(time.time() * 1000) + 1000
        await Observing(Inventory({}), ask, learnt.append, lambda now=now: now).tick()  # type: ignore[misc]
    return learnt[0]


async def test_something_else_at_the_address_is_said_and_nothing_is_learnt(tmp_path: Path, caplog: Any) -> None:
    learnt: list[Topology] = []
    with served(lambda: "<html>") as url:
        async with asking(tmp_path, url) as ask:
            await Observing(Inventory({}), ask, learnt.append, lambda: EVERY_MS).tick()
    assert "who calls whom cannot be learnt from traces" in caplog.text
    assert "is not JSON" in caplog.text
    assert learnt == []


def test_the_question_is_about_the_metric_that_collectors_write() -> None:
    assert question(600) == (
        "sum by (client, server, connection_type) (increase(traces_service_graph_request_total[600s])) > 0"
    )
