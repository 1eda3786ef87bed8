"""Dependencies that traces show: read from a real Prometheus, kept, forgotten, set beside what is declared."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "demo"))

from company_kit import binary, free_port, running

from sysop.errors import ActionFailed
from sysop.gate.http import HttpClient, PluginHttp
from sysop.incidents.correlation import Topology
from sysop.incidents.observed import Edge, Observed, Seen, edges, look, question
from sysop.inventory import Inventory, Service

HOUR = 3_600_000


def answer(*series: tuple[dict[str, str], str]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [1_700_000_000.0, value]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def edge(client: str, server: str, kind: str = "") -> dict[str, str]:
    labels = {"client": client, "server": server}
    return {**labels, "connection_type": kind} if kind else labels


# -- reading ----------------------------------------------------------------------------------------------------------


def test_every_series_is_an_edge_and_kinds_of_calls_are_added_up() -> None:
    body = answer(
        (edge("web", "cart"), "12.5"),
        (edge("cart", "redis", "database"), "3"),
        (edge("web", "cart", "messaging_system"), "2"),
    )
    assert edges(body) == (Edge("cart", "redis", 3.0), Edge("web", "cart", 14.5))


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        (edge("user", "web", "virtual_node"), "5"),
        (edge("cart", "cart"), "5"),
        (edge("", "cart"), "5"),
        ({"server": "cart"}, "5"),
        ({}, "5"),
        (edge("web", "cart"), "0"),
        (edge("web", "cart"), "NaN"),
        (edge("web", "cart"), "+Inf"),
    ],
    ids=str,
)
def test_what_says_nothing_about_a_dependency_is_left_out(labels: dict[str, str], value: str) -> None:
    assert edges(answer((labels, value))) == ()


def test_a_service_that_is_called_user_is_a_service_and_so_is_an_external_one_without_spans() -> None:
    body = answer((edge("user", "mail"), "1"), (edge("mail", "smtp.example", "virtual_node"), "1"))
    assert [(found.caller, found.callee) for found in edges(body)] == [("mail", "smtp.example"), ("user", "mail")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "data: is not the answer to an instant query"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "data: is not the answer"),
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, "bad_data: parse error"),
        (answer((edge("a", "b"), "many")), "data.result[0].value: 'many' is not a number"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{}]}}, "data.result[0]: has no metric"),
        (answer(({"client": 3}, "1")), "data.result[0].metric.client: is not text"),  # type: ignore[dict-item]
        (answer(*[(edge("a", str(n)), "1") for n in range(10_001)]), "10001 edges, at most 10000"),
    ],
)
def test_an_answer_that_prometheus_would_not_give_names_the_field(body: Any, says: str) -> None:
    with pytest.raises(ValueError, match=r"^\w") as wrong:
        edges(body)
    assert says in str(wrong.value)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4) | st.sampled_from(["success", "vector"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "data", "resultType", "result", "metric", "value", "client", "server"]), inner
        )
    ),
    max_leaves=12,
)


def found_or_told(body: Any) -> tuple[Edge, ...] | str:
    try:
        return edges(body)
    except ValueError as wrong:
        return str(wrong)


@given(values)
def test_whatever_the_answer_is_there_are_edges_or_one_error(body: Any) -> None:
    found = found_or_told(body)
    assert isinstance(found, tuple) or found


# -- keeping ----------------------------------------------------------------------------------------------------------


def test_an_edge_is_kept_while_it_is_seen_and_forgotten_a_day_after() -> None:
    known = Observed().after([Edge("web", "cart", 5), Edge("cart", "db", 9)], HOUR)
    known = known.after([Edge("web", "cart", 7)], 20 * HOUR)
    assert known.edges == {("web", "cart"): Seen(7, 20 * HOUR), ("cart", "db"): Seen(9, HOUR)}
    known = known.after([], 26 * HOUR)
    assert known.edges == {("web", "cart"): Seen(7, 20 * HOUR)}
    assert known.after([], 45 * HOUR).edges == {}


def test_what_is_declared_stays_and_what_is_only_seen_says_so() -> None:
    services = [Service("web", depends_on=("cart", "standby")), Service("cart"), Service("standby")]
    inventory = Inventory({service.name: service for service in services})
    known = Observed().after([Edge("web", "cart", 7.4), Edge("cart", "redis", 90)], HOUR)
    assert [(d.caller, d.callee, d.declared, d.words) for d in known.beside(inventory)] == [
        ("cart", "redis", False, "seen in traces, 90 calls"),
        ("web", "cart", True, "declared in the inventory; seen in traces, 7 calls"),
        ("web", "standby", True, "declared in the inventory"),
    ]


def test_correlation_goes_by_the_inventory_and_traces_together() -> None:
    services = [Service("web", depends_on=("cart",)), Service("cart", environment="production")]
    inventory = Inventory({service.name: service for service in services})
    topology = Observed().after([Edge("cart", "redis", 90), Edge("lb", "web", 3)], HOUR).topology(inventory)
    assert topology.calls == {("web", "cart"), ("cart", "redis"), ("lb", "web")}
    assert topology.services.keys() == {"web", "cart", "redis", "lb"}
    assert Observed().topology(inventory) == Topology.from_inventory(inventory)


# -- asking -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def http() -> AsyncIterator[PluginHttp]:
    pool = HttpClient()
    yield PluginHttp(pool, ["127.0.0.1"], changes=False)
    await pool.close()


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
def served(answer: Any) -> Iterator[str]:
    """Serve what `answer(path, headers)` returns as (status, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_real_prometheus_that_scrapes_a_collector_gives_the_edges(http: PluginHttp, tmp_path: Path) -> None:
    program, port, traces = binary("prometheus"), free_port(), Traces()
    with served(lambda path, headers: (200, traces.text())) as collector:
        scrape = {"job_name": "traces", "static_configs": [{"targets": [collector.removeprefix("http://")]}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with running(command, tmp_path, f"http://127.0.0.1:{port}") as url:
            known, until = Observed(), time.monotonic() + 30
            while len(known.edges) < 2 and time.monotonic() < until:
                await asyncio.sleep(0.1)
                known = await look(http, url, known, int(time.time() * 1000))
            with pytest.raises(ActionFailed, match=r"dependencies from traces: bad_data"):
                await look(http, url, known, int(time.time() * 1000), window_s=-1)
    assert known.edges.keys() == {("web", "cart"), ("cart", "redis")}
    assert known.edges["cart", "redis"].calls > known.edges["web", "cart"].calls > 0


async def test_the_token_is_sent_and_a_refusal_says_so(http: PluginHttp) -> None:
    def answers(path: str, headers: Any) -> tuple[int, str]:
        if headers["Authorization"] != "Bearer right":
            return 401, "no"
        return 200, json.dumps(answer((edge("a", "b"), "1")))

    with served(answers) as url:
        assert (await look(http, url, Observed(), 7, token="right")).edges == {("a", "b"): Seen(1.0, 7)}
        with pytest.raises(ActionFailed, match="answered 401; it wants a token"):
            await look(http, url, Observed(), 7)


@pytest.mark.parametrize("status", [200, 500])
async def test_something_else_at_the_address_is_one_failure(http: PluginHttp, status: int) -> None:
    with served(lambda path, headers: (status, "<html>")) as url, pytest.raises(ActionFailed, match="is not JSON"):
        await look(http, url, Observed(), 7)


def test_the_question_is_about_the_metric_that_collectors_write() -> None:
    assert question(600) == (
        "sum by (client, server, connection_type) (increase(traces_service_graph_request_total[600s])) > 0"
    )
