"""The watcher against the real Prometheus and Alertmanager: both must say the same."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from company_kit import Company, Receiver, binary, free_port, running, start_company, wait_for

from sysop.demo.company import notify, rules
from sysop.demo.company.alerts import Alert
from sysop.demo.company.rules import ALERT_RULES, RECORDINGS

RULES_FILE = Path(rules.__file__).with_name("rules.yml")

# Both see the same 8 to 20 requests a second through windows that end up to a second apart, that is 18 of 20 tenths of
# the same requests: rates and means differ by a tenth at most, ratios by the luck of some ten requests.
RELATIVE, ABSOLUTE = 0.15, 0.05

CHECKOUT = (("service", "checkout"),)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with start_company(tmp_path_factory.mktemp("company"), 1, "--whole") as started:
        slow = started.order("fault", kind="release", service="payments", fault="latency")
        assert started.deploy("payments", slow["version"]).returncode == 0
        assert started.order("checks", service="search", build="b-1")["passed"]
        yield started


@pytest.fixture(scope="module")
def prometheus(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES_FILE)],
        "scrape_configs": [{"job_name": "company", "file_sd_configs": [{"files": [company.info["targets"]]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [binary("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with running([*command, f"--web.listen-address=127.0.0.1:{port}"], folder, f"http://127.0.0.1:{port}") as url:
        yield url


def ask(url: str, path: str, **parameters: Any) -> httpx2.Response:
    return httpx2.post(f"{url}{path}", data={name: str(value) for name, value in parameters.items()}, trust_env=False)


def values(url: str, query: str, at: float) -> dict[tuple[tuple[str, str], ...], float]:
    data = ask(url, "/api/v1/query", query=query, time=at).json()["data"]
    assert data["resultType"] == "vector"
    assert all(item["value"][0] == pytest.approx(at, abs=0.001) for item in data["result"])
    return {tuple(sorted(item["metric"].items())): float(item["value"][1]) for item in data["result"]}


def alike(values: dict[Any, float]) -> Any:
    return pytest.approx(values, rel=RELATIVE, abs=ABSOLUTE)


def test_both_give_every_recorded_series_the_same_labels_and_values(company, prometheus):
    watcher = company.info["watcher"]["url"]

    def differences() -> list[str]:
        at = round(time.time() - 0.2, 3)
        found = []
        for name in RECORDINGS:
            ours, theirs = values(watcher, name, at), values(prometheus, name, at)
            # Memory that hardly grows has a slope that is all chance.
            same = ours.keys() == theirs.keys() if name.endswith("deriv30s") else ours == alike(theirs)
            if not ours or not same:
                found.append(f"{name}: watcher {ours}, Prometheus {theirs}")
        return found

    # Prometheus began later: its window has to fill first.
    wait_for(lambda: not differences(), 30, "both to agree")
    slow = values(watcher, 'service:own_latency_seconds:mean10s{service="payments"}', time.time())
    assert next(iter(slow.values())) > 0.4


@pytest.mark.parametrize(
    "matchers",
    [
        '{service="payments"}',
        "{service!='payments'}",
        '{service=~"pay.*|gate.*"}',
        '{service!~".*way"}',
        '{version=""}',
        '{service="basket"}',
        '{version!=""}',
        "{service=`payments`,}",
    ],
)
def test_both_select_the_same_series(company, prometheus, matchers):
    watcher, query = company.info["watcher"]["url"], f"service:requests:rate10s{matchers}"
    wait_for(lambda: len(values(prometheus, "service:requests:rate10s", time.time())) == 4, 20, "Prometheus to record")
    at = time.time()
    assert values(watcher, query, at).keys() == values(prometheus, query, at).keys()


def test_both_give_ranges_alike(company, prometheus):
    watcher, steps = company.info["watcher"]["url"], 4

    def ranges(url: str, end: float) -> dict[str, list[float]]:
        query = 'service:requests:rate10s{service=~"gateway|payments"}'
        data = ask(url, "/api/v1/query_range", query=query, start=end - steps + 1, end=end, step="1s").json()["data"]
        assert data["resultType"] == "matrix"
        return {item["metric"]["service"]: [at for at, _ in item["values"]] for item in data["result"]}

    def recorded_for_a_while() -> float | None:
        end = round(time.time(), 3)
        found = ranges(prometheus, end)
        return end if [len(points) for points in found.values()] == [steps, steps] else None

    end = wait_for(recorded_for_a_while, 20, "Prometheus to have recorded for a while")
    assert ranges(watcher, end) == ranges(prometheus, end)


def test_both_raise_the_same_alerts(company, prometheus):
    def alerts(url: str) -> list[Any]:
        found = httpx2.get(f"{url}/api/v1/alerts", trust_env=False).json()["data"]["alerts"]
        return sorted((sketch(item) for item in found if item["state"] == "firing"), key=str)

    expected = 3
    wait_for(lambda: len(alerts(prometheus)) == len(alerts(company.info["watcher"]["url"])) == expected, 30, "alerts")
    assert alerts(company.info["watcher"]["url"]) == alerts(prometheus)


def sketch(value: Any) -> Any:
    """Replace the numbers in an answer, which may differ a little, by the way they are written."""
    if isinstance(value, dict):
        return {name: sketch(item) for name, item in value.items()}
    return re.sub(r"\d+(\.\d+)?", lambda found: "N.N" if found[1] else "N", value)


def shape(answer: httpx2.Response) -> tuple[int, set[str], str, str]:
    body = answer.json()
    return answer.status_code, set(body), body["status"], body["errorType"]


@pytest.mark.parametrize(
    "query",
    ["", "service:error_ratio:rate10s{", "service:error_ratio:rate10s{service}", 'up{service=~"("}', "sum(", "a b"],
)
def test_both_refuse_a_broken_query_alike(company, prometheus, query):
    refused = [ask(url, "/api/v1/query", query=query) for url in (company.info["watcher"]["url"], prometheus)]
    assert shape(refused[0]) == shape(refused[1]) == (400, {"status", "errorType", "error"}, "error", "bad_data")
    assert all(answer.json()["error"].startswith('invalid parameter "query": ') for answer in refused)


RANGE = {"query": "service:requests:rate10s", "start": "100", "end": "200", "step": "1"}


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("query", {"query": "service:requests:rate10s", "time": "yesterday"}),
        ("query", {"query": ""}),
        ("query_range", {**RANGE, "start": ""}),
        ("query_range", {**RANGE, "end": "2026-11-23"}),
        ("query_range", {**RANGE, "end": "99"}),
        ("query_range", {**RANGE, "step": "0"}),
        ("query_range", {**RANGE, "step": "-1"}),
        ("query_range", {**RANGE, "step": "often"}),
        ("query_range", {**RANGE, "step": ""}),
        ("query_range", {**RANGE, "end": "99999"}),
    ],
    ids=str,
)
def test_both_refuse_a_wrong_parameter_with_the_same_words(company, prometheus, path, parameters):
    urls = (company.info["watcher"]["url"], prometheus)
    ours, theirs = (ask(url, f"/api/v1/{path}", **parameters) for url in urls)
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())
    assert ours.status_code == 400


@pytest.mark.parametrize(
    "query", ["up", "rate(http_requests_total[10s])", "sum(service:requests:rate10s)", "service:requests:rate10s > 1"]
)
def test_what_only_prometheus_can_answer_is_refused_by_the_watcher(company, prometheus, query):
    assert ask(prometheus, "/api/v1/query", query=query).status_code == 200
    assert shape(ask(company.info["watcher"]["url"], "/api/v1/query", query=query))[0] == 400


def test_a_webhook_is_what_the_real_alertmanager_sends(receiver: Receiver, tmp_path: Path):
    port, now = free_port(), round(time.time(), 3)
    url = f"http://127.0.0.1:{port}"
    config = {
        "route": {"receiver": "bot", "group_by": ["alertname", "service"], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "bot", "webhook_configs": [{"url": receiver.url, "send_resolved": True}]}],
    }
    (tmp_path / "am.yml").write_text(yaml.safe_dump(config))
    command = [binary("prometheus-alertmanager"), "--config.file=am.yml", "--storage.path=data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", f"--web.external-url={url}"]
    fired = Alert(ALERT_RULES[0], CHECKOUT, active_at=now - 4, value=0.4848, fired_at=now - 2)
    resolved = Alert(ALERT_RULES[0], CHECKOUT, active_at=now - 4, value=0.4848, fired_at=now - 2, resolved_at=now)
    with running(command, tmp_path, url):
        for alert in (fired, resolved):
            post(url, alert)
            status = "firing" if alert.firing else "resolved"
            (real,) = wait_for(lambda status=status: receiver.bodies(status), 10, f"the {status} webhook")
            assert notify.payload(alert, url) == real


def post(url: str, alert: Alert) -> None:
    (item,) = notify.payload(alert, url)["alerts"]
    given = {name: item[name] for name in ("labels", "annotations", "startsAt", "generatorURL")}
    if not alert.firing:
        given["endsAt"] = item["endsAt"]
    httpx2.post(f"{url}/api/v2/alerts", json=[given], trust_env=False).raise_for_status()
