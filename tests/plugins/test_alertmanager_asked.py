"""Asking Prometheus and Alertmanager for alerts, over HTTP, with answers in the shape of their APIs."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sysop.api import ActionFailed, Alert, Inventory, PluginContext, Pulled
from sysop.gate.http import HttpClient, PluginHttp, hosts_in
from sysop_plugins.alertmanager import parse, register_alert_sources
from sysop_plugins.alertmanager.labels import fingerprint
from sysop_plugins.alertmanager.settings import Settings

LABELS = {"alertname": "ShopErrorBudgetBurn", "service": "shop", "severity": "critical"}


@dataclass
class Monitor:
    """A server that answers what was asked exactly as expected, and nothing else."""

    url: str
    pages: dict[str, tuple[int, Any]] = field(default_factory=dict)
    tokens: list[str | None] = field(default_factory=list)

    def answer(self, target: str) -> tuple[int, bytes]:
        status, body = self.pages.get(target, (404, {"error": "not found"}))
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(parts.query)))
            made.tokens.append(self.headers.get("Authorization"))
            status, raw = made.answer(f"{parts.path}?{query}" if query else parts.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        made = Monitor(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
        thread.start()
        yield made
        listener.shutdown()
        thread.join()


@pytest.fixture
async def pool() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.close()


async def ask(monitor: Monitor, pool: HttpClient, folder: Path, **place: Any) -> Pulled:
    settings = Settings.model_validate({"pull": [{"url": f"{monitor.url}/", **place}]})
    (source,) = register_alert_sources(settings)
    (pull,) = source.pulls
    http = PluginHttp(pool, set(hosts_in(settings)), changes=False)
    context = PluginContext("alertmanager", settings, folder, Inventory(), http)
    return await pull.look(context, {"monitor-token": "secret"}.__getitem__)


def listed(state: str = "active", **labels: str) -> dict[str, Any]:
    return {
        "annotations": {"summary": "shop error ratio is 53.09%"},
        "endsAt": "2026-11-23T15:56:22.189Z",
        "fingerprint": fingerprint({**LABELS, **labels}),
        "receivers": [{"name": "bot"}],
        "startsAt": "2026-11-23T15:52:22.189Z",
        "status": {"inhibitedBy": [], "silencedBy": [], "state": state},
        "updatedAt": "2026-11-23T15:52:22.192Z",
        "generatorURL": "http://prometheus.example:19090/graph?g0.expr=x&g0.tab=1",
        "labels": {**LABELS, **labels},
    }


def group(*rules: dict[str, Any], interval: float = 1) -> dict[str, Any]:
    return {"name": "shop", "file": "rules.yml", "interval": interval, "limit": 0, "rules": list(rules)}


def rule(*alerts: dict[str, Any], duration: float = 0) -> dict[str, Any]:
    return {
        "state": "firing",
        "name": "ShopErrorBudgetBurn",
        "query": "shop:error_ratio > 0.1",
        "duration": duration,
        "labels": {"severity": "critical"},
        "annotations": {},
        "alerts": list(alerts),
        "health": "ok",
        "type": "alerting",
    }


def active(state: str = "firing", at: str = "2026-11-23T15:52:20.189123456Z", **labels: str) -> dict[str, Any]:
    return {
        "labels": {**LABELS, **labels},
        "annotations": {"summary": "shop error ratio is 53.09%"},
        "state": state,
        "activeAt": at,
        "value": "5.309e-01",
    }


def rules(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"groups": list(groups)}}


RULES = "/api/v1/rules?type=alert"


def test_the_fingerprint_is_the_one_a_real_alertmanager_sent() -> None:
    assert fingerprint(LABELS) == "fb2d25190aed3753"
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"name": "garden", "städte": "köln"}) != fingerprint({"name": "garden", "stadte": "koln"})


def test_the_fingerprint_does_not_depend_on_the_order_of_labels() -> None:
    assert fingerprint(dict(reversed(LABELS.items()))) == fingerprint(LABELS)


async def test_alertmanager_is_asked_for_what_fires(monitor: Monitor, pool: HttpClient, tmp_path: Path) -> None:
    monitor.pages["/api/v2/alerts"] = (200, [listed()])
    seen = await ask(monitor, pool, tmp_path)
    assert seen == Pulled(
        (
            Alert(
                source="alertmanager",
                fingerprint="fb2d25190aed3753",
                starts_at=1795449142189,
                ends_at=None,
                labels=LABELS,
                annotations={"summary": "shop error ratio is 53.09%"},
                url="http://prometheus.example:19090/graph?g0.expr=x&g0.tab=1",
            ),
        )
    )
    assert monitor.tokens == [None]


@pytest.mark.parametrize("state", ["suppressed", "unprocessed"])
async def test_what_is_silenced_in_alertmanager_is_no_news_and_has_not_ended(
    monitor: Monitor, pool: HttpClient, tmp_path: Path, state: str
) -> None:
    monitor.pages["/api/v2/alerts"] = (200, [listed(state)])
    assert await ask(monitor, pool, tmp_path) == Pulled((), frozenset({("fb2d25190aed3753", 1795449142189)}))


async def test_prometheus_is_asked_for_its_rules_and_gives_what_its_alertmanager_would_send(
    monitor: Monitor, pool: HttpClient, tmp_path: Path
) -> None:
    monitor.pages[RULES] = (200, rules(group(rule(active(), duration=2)), group(rule(active("pending", service="b")))))
    (alert,) = (await ask(monitor, pool, tmp_path, kind="prometheus")).firing
    monitor.pages["/api/v2/alerts"] = (200, [listed()])
    (sent,) = (await ask(monitor, pool, tmp_path)).firing
    assert (alert.source, alert.fingerprint, alert.starts_at) == (sent.source, sent.fingerprint, sent.starts_at)
    assert alert.labels == sent.labels
    assert alert.url == f"{monitor.url}/alerts"


@pytest.mark.parametrize(
    ("duration", "interval", "waited"),
    [
        (0, 15, 0),
        (2, 1, 2000),
        (10, 15, 15_000),
        (15, 15, 15_000),
        (20, 15, 30_000),
        (0.3, 0.1, 300),
        (60, 0.5, 60_000),
    ],
)
async def test_an_alert_fires_at_the_evaluation_at_which_it_was_pending_long_enough(
    monitor: Monitor, pool: HttpClient, tmp_path: Path, duration: float, interval: float, waited: int
) -> None:
    monitor.pages[RULES] = (200, rules(group(rule(active(), duration=duration), interval=interval)))
    (alert,) = (await ask(monitor, pool, tmp_path, kind="prometheus")).firing
    assert alert.starts_at == 1795449140189 + waited


async def test_external_labels_are_part_of_the_fingerprint_and_an_alerts_own_label_wins(
    monitor: Monitor, pool: HttpClient, tmp_path: Path
) -> None:
    monitor.pages[RULES] = (200, rules(group(rule(active()))))
    outside = {"cluster": "eu", "service": "any"}
    (alert,) = (await ask(monitor, pool, tmp_path, kind="prometheus", external_labels=outside)).firing
    assert alert.labels == {**LABELS, "cluster": "eu"}
    assert alert.fingerprint == fingerprint({**LABELS, "cluster": "eu"})


async def test_a_rule_that_records_is_passed_over(monitor: Monitor, pool: HttpClient, tmp_path: Path) -> None:
    recording = {"name": "shop:error_ratio", "query": "x", "health": "ok", "type": "recording"}
    monitor.pages[RULES] = (200, rules(group(recording, rule(active()))))
    assert len((await ask(monitor, pool, tmp_path, kind="prometheus")).firing) == 1


@pytest.mark.parametrize("kind", ["alertmanager", "prometheus"])
async def test_the_token_is_sent_where_one_is_named(
    monitor: Monitor, pool: HttpClient, tmp_path: Path, kind: str
) -> None:
    monitor.pages = {"/api/v2/alerts": (200, []), RULES: (200, rules())}
    assert await ask(monitor, pool, tmp_path, kind=kind, token_secret="monitor-token") == Pulled(())
    assert monitor.tokens == ["Bearer secret"]


@pytest.mark.parametrize(
    ("page", "error", "says"),
    [
        ((401, {}), ActionFailed, "401; see token_secret"),
        ((403, {}), ActionFailed, "403; see token_secret"),
        ((404, {}), ActionFailed, "answered 404"),
        ((302, {}), ActionFailed, "answered 302"),
        ((200, b"<html>"), ActionFailed, "not JSON"),
        ((200, {"status": "error"}), ValueError, "alerts: "),
        ((200, [{"labels": {}}]), ValueError, r"alerts\[0\]\.startsAt"),
        ((200, [listed("new")]), ValueError, r"alerts\[0\]\.status\.state"),
        ((200, [listed()] * 10_001), ValueError, "at most 10000"),
    ],
)
async def test_an_answer_that_is_not_alertmanagers_is_an_error_and_not_an_empty_list(
    monitor: Monitor, pool: HttpClient, tmp_path: Path, page: Any, error: type[Exception], says: str
) -> None:
    monitor.pages["/api/v2/alerts"] = page
    with pytest.raises(error, match=says):
        await ask(monitor, pool, tmp_path)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"status": "error", "error": "x"}, "status: "),
        (rules({"rules": []}), r"data\.groups\[0\]\.interval"),
        (rules(group(rule(active(at="today")))), r"alerts\[0\]\.activeAt"),
        (rules(group(rule(), interval=0)), r"interval: "),
    ],
)
async def test_an_answer_that_is_not_prometheus_is_an_error_and_not_an_empty_list(
    monitor: Monitor, pool: HttpClient, tmp_path: Path, body: Any, says: str
) -> None:
    monitor.pages[RULES] = (200, body)
    with pytest.raises(ValueError, match=says):
        await ask(monitor, pool, tmp_path, kind="prometheus")


async def test_more_alerts_than_are_read_are_an_error(monitor: Monitor, pool: HttpClient, tmp_path: Path) -> None:
    monitor.pages[RULES] = (200, rules(group(rule(*[active()] * 10_001))))
    with pytest.raises(ActionFailed, match="10001 firing alerts"):
        await ask(monitor, pool, tmp_path, kind="prometheus")


@pytest.mark.parametrize(
    "place",
    [
        {"url": "alertmanager:9093"},
        {"url": "http://a", "every": 0.5},
        {"url": "http://a", "kind": "zabbix"},
        {"uri": "a"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(place: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Settings.model_validate({"pull": [place]})


def test_webhooks_are_taken_beside() -> None:
    (source,) = register_alert_sources(Settings())
    assert (source.parse, source.pulls) == (parse, ())
