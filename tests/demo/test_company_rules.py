"""Rates, rules, queries and payloads, without processes of the company."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from company_kit import binary

from sysop.demo.company import notify, rules, series
from sysop.demo.company.alerts import Alert, Alerts, FalseAlarm
from sysop.demo.company.promapi import Api, Evaluation, History, decimal, scientific
from sysop.demo.company.rules import ALERT_RULES, RECORDINGS, Pick, Recording
from sysop.demo.company.wire import Request, Response

RULES_FILE = Path(rules.__file__).with_name("rules.yml")

COUNTERS = {
    "steady": [5.0 * second for second in range(30)],
    "restarted": [100.0 + 3 * second for second in range(16)] + [2.0 * second for second in range(14)],
    "restarted_twice": [7.0, 9, 1, 4, 8, 0, 3, 9, 20, 21, 5, 9, 11, 30, 2, 2, 8],
    "begins_inside": [None] * 9 + [3.0, 5, 9, 14, 20, 26, 33],
    "begins_far_from_zero": [None] * 9 + [9000.0, 9005, 9009, 9014, 9020, 9026, 9033],
    "ends_inside": [4.0 * second for second in range(12)],
    "with_gaps": [0.0, None, 6, 9, None, None, 15, 19, 24, None, 30, 33, 37],
    "flat": [8.0] * 20,
    "one_sample": [None] * 10 + [4.0],
}
EVALUATED_AT = (10.5, 12.25, 15.9)


def rate_of(values: list[float | None], at: float) -> float | None:
    points = [
        (float(second), value)
        for second, value in enumerate(values)
        if value is not None and at - series.WINDOW_SECONDS < second <= at
    ]
    return series.extrapolated_rate(points, at - series.WINDOW_SECONDS, at)


def test_rates_are_those_of_the_real_prometheus(tmp_path):
    tests = [
        {
            "expr": f"rate({name}[10s])",
            "eval_time": f"{int(at)}s{round(at % 1 * 1000)}ms",
            "exp_samples": [] if (rate := rate_of(values, at)) is None else [{"labels": "{}", "value": rate}],
        }
        for name, values in COUNTERS.items()
        for at in EVALUATED_AT
    ]
    written = [
        {"series": name, "values": " ".join("_" if value is None else f"{value:g}" for value in values)}
        for name, values in COUNTERS.items()
    ]
    group = {"interval": "1s", "input_series": written, "promql_expr_test": tests}
    (tmp_path / "rates.yml").write_text(yaml.safe_dump({"evaluation_interval": "1s", "tests": [group]}))
    done = subprocess.run(
        [binary("promtool"), "test", "rules", "rates.yml"], capture_output=True, text=True, cwd=tmp_path, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_company_imports_nothing_of_sysop_but_itself():
    for path in Path(rules.__file__).parent.glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (sysop\S*)", path.read_text(), re.MULTILINE)
        allowed = ("sysop.demo.company", *(["sysop.testing.kubernetes"] if path.stem == "kubernetes" else []))
        assert all(name.startswith(allowed) for name in imported), path


def test_slopes_and_increases_are_those_of_the_real_prometheus(tmp_path):
    folds = (series.Fold("deriv", 30.0), series.Fold("increase", 60.0))
    written, tests = [], []
    for name, values in COUNTERS.items():
        counters = series.Counters({name: folds})
        written.append({"series": name, "values": " ".join("_" if v is None else f"{v:g}" for v in values)})
        for second, value in enumerate(values):
            if value is not None:
                counters.add(float(second), f"{name}{{}} {value}")
        for sample in counters.samples(31.5):
            expected = [{"labels": "{}", "value": sample.value}]
            expression = f"{sample.fold.function}({name}[{sample.fold.seconds:g}s])"
            tests.append({"expr": expression, "eval_time": "31s500ms", "exp_samples": expected})
    assert len(tests) > len(COUNTERS)
    group = {"interval": "1s", "input_series": written, "promql_expr_test": tests}
    (tmp_path / "folds.yml").write_text(yaml.safe_dump({"evaluation_interval": "1s", "tests": [group]}))
    done = subprocess.run(
        [binary("promtool"), "test", "rules", "folds.yml"], capture_output=True, text=True, cwd=tmp_path, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_target_that_is_gone_has_no_latest_value_but_its_rate_fades():
    counters = series.Counters({"replicas_ready": (series.LAST,)})
    for second in (0.0, 1.0, 2.0):
        counters.add(second, f'replicas_ready{{service="a"}} 1\nasked_total{{service="a"}} {second}', "here:1")
    counters.lose("here:1")
    assert [sample.metric for sample in counters.samples(2.5)] == ["asked_total"]


def test_the_rule_file_and_the_watcher_hold_the_same_rules():
    (group,) = yaml.safe_load(RULES_FILE.read_text())["groups"]
    written = {rule["record"]: rule["expr"] for rule in group["rules"] if "record" in rule}
    assert written == {rule.name: promql(rule) for rule in RECORDINGS.values()}
    alerts = [rule for rule in group["rules"] if "alert" in rule]
    assert alerts == [
        {
            "alert": rule.name,
            "expr": rule.expression,
            "for": f"{rule.hold_seconds:g}s",
            "labels": {"severity": rule.severity},
            "annotations": {"summary": rule.summary, "description": rule.description},
        }
        for rule in ALERT_RULES
    ]


def promql(rule: Recording) -> str:
    def total(pick: Pick) -> str:
        codes = {"": "", "5": '{code=~"5.."}', "500": '{code="500"}'}[pick.code]
        fold, series_name = pick.fold, f"{pick.metric}{codes}"
        folded = series_name if fold == series.LAST else f"{fold.function}({series_name}[{fold.seconds:g}s])"
        folded += f" and {series_name}" if fold.function == "deriv" else ""
        return f"{rule.aggregate} by ({', '.join(rule.by)}) ({folded})"

    return total(rule.over) if rule.under is None else f"{total(rule.over)} / ({total(rule.under)} > 0)"


def scrapes(seconds: int, **codes: int) -> series.Counters:
    counters = series.Counters()
    for second in range(seconds):
        lines = [
            f'http_requests_total{{service="checkout",version="1.4.2",code="{code[1:]}"}} {second * each}'
            for code, each in codes.items()
        ]
        counters.add(float(second), "\n".join(lines))
    return counters


def test_a_ratio_is_zero_while_nothing_fails_and_absent_while_nothing_is_asked():
    fine = rules.record(scrapes(11, c200=10, c500=0, c502=0).samples(10.5))
    labels = (("service", "checkout"),)
    assert fine["service:error_ratio:rate10s"] == {labels: 0.0}
    assert fine["service:own_error_ratio:rate10s"] == {labels: 0.0}
    silent = rules.record(scrapes(11, c200=0, c500=0, c502=0).samples(10.5))
    assert silent["service:error_ratio:rate10s"] == {}
    assert silent["service:requests:rate10s"] == {labels: 0.0}


def test_only_code_500_is_a_services_own_fault():
    recorded = rules.record(scrapes(11, c200=5, c500=2, c502=3).samples(10.5))
    labels = (("service", "checkout"),)
    assert recorded["service:error_ratio:rate10s"][labels] == pytest.approx(0.5)
    assert recorded["service:own_error_ratio:rate10s"][labels] == pytest.approx(0.2)
    versioned = recorded["version:own_error_ratio:rate10s"]
    assert versioned == {(("service", "checkout"), ("version", "1.4.2")): pytest.approx(0.2)}


def test_counters_forget_what_no_window_needs():
    counters = scrapes(5, c200=1)
    assert list(counters.samples(60.0)) == []
    assert counters._points == {}


# -- queries ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def api() -> Api:
    history = History()
    services = {(("service", name),): 0.25 for name in ("gateway", "checkout", "payments")}
    empty = {name: {} for name in RECORDINGS}
    for second in range(100, 110):
        history.add(Evaluation(float(second), {**empty, "service:error_ratio:rate10s": services}))
    history.add(Evaluation(110.0, empty))
    return Api(history, Alerts(), lambda: True)


async def get(api: Api, path: str, **values: str) -> Response:
    return await api.handle(Request("GET", path, values, b""))


async def matched(api: Api, query: str, time: str = "105") -> set[str]:
    answer = await get(api, "/api/v1/query", query=query, time=time)
    assert answer.status == 200, answer.body
    return {item["metric"]["service"] for item in json.loads(answer.body)["data"]["result"]}


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ("", {"gateway", "checkout", "payments"}),
        ("{}", {"gateway", "checkout", "payments"}),
        ('{service="checkout"}', {"checkout"}),
        ("{service='checkout',}", {"checkout"}),
        ("{ service = `checkout` }", {"checkout"}),
        ('{service!="checkout"}', {"gateway", "payments"}),
        ('{service=~"check.*|pay.*"}', {"checkout", "payments"}),
        ('{service=~"check"}', set()),
        ('{service!~".*out"}', {"gateway", "payments"}),
        ('{service=~".*a.*",service!="gateway"}', {"payments"}),
        ('{version=""}', {"gateway", "checkout", "payments"}),
        ('{service="a\\"b"}', set()),
    ],
)
async def test_a_recorded_series_is_selected_by_its_labels(api, matchers, expected):
    assert await matched(api, f"service:error_ratio:rate10s{matchers}") == expected


async def test_a_query_looks_at_the_moment_it_names(api):
    series_name = "service:error_ratio:rate10s"
    assert await matched(api, series_name, time="1970-01-01T00:01:45Z")
    assert await matched(api, series_name, time="99.9") == set()
    assert await matched(api, series_name, time="110") == set(), "a series that ended is gone at once"


async def test_a_range_has_one_point_a_step(api):
    query = 'service:error_ratio:rate10s{service="checkout"}'
    answer = await get(api, "/api/v1/query_range", query=query, start="98", end="120", step="2s")
    (found,) = json.loads(answer.body)["data"]["result"]
    assert found["metric"] == {"__name__": "service:error_ratio:rate10s", "service": "checkout"}
    assert found["values"] == [[at, "0.25"] for at in (100, 102, 104, 106, 108)]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "rate(http_requests_total[10s])",
        "sum(service:error_ratio:rate10s)",
        "service:error_ratio:rate10s > 0.1",
        "service:error_ratio:rate10s[1m]",
        "service:error_ratio:rate10s offset 5s",
        "http_requests_total",
        "service:error_ratio:rate10s{",
        "service:error_ratio:rate10s{service}",
        'service:error_ratio:rate10s{service="checkout"',
        'service:error_ratio:rate10s{,service="checkout"}',
        'service:error_ratio:rate10s{service="checkout",,}',
        'service:error_ratio:rate10s{service=~"("}',
        'service:error_ratio:rate10s{service="\\q"}',
        '{__name__="service:error_ratio:rate10s"}',
        "1",
    ],
)
async def test_any_other_query_is_bad_data(api, query):
    answer = await get(api, "/api/v1/query", query=query)
    body = json.loads(answer.body)
    assert answer.status == 400
    assert body.keys() == {"status", "errorType", "error"}
    assert (body["status"], body["errorType"]) == ("error", "bad_data")
    assert body["error"].startswith('invalid parameter "query": ')


async def test_a_hostile_expression_is_answered_at_once(api):
    assert await matched(api, 'service:error_ratio:rate10s{service=~"((((.*)*)*)*)*!"}') == set()


async def test_unknown_paths_and_methods_are_refused(api):
    assert (await get(api, "/api/v1/rules")).status == 404
    assert (await api.handle(Request("DELETE", "/api/v1/query", {}, b""))).status == 405


@pytest.mark.parametrize(
    ("value", "in_results", "in_alerts"),
    [
        (0.0, "0", "0e+00"),
        (1.0, "1", "1e+00"),
        (20.0, "20", "2e+01"),
        (0.4848, "0.4848", "4.848e-01"),
        (0.00001, "0.00001", "1e-05"),
        (1234567.25, "1234567.25", "1.23456725e+06"),
    ],
)
def test_numbers_are_written_like_prometheus_writes_them(value, in_results, in_alerts):
    assert (decimal(value), scientific(value)) == (in_results, in_alerts)


# -- alerts and webhooks ----------------------------------------------------------------------------------------------

RATIO, LATENCY = ALERT_RULES[:2]


def recorded(**ratios: float) -> dict[str, dict[rules.Labels, float]]:
    values = {(("service", service),): ratio for service, ratio in ratios.items()}
    return {**{name: {} for name in RECORDINGS}, RATIO.series: values}


def test_an_alert_fires_after_its_hold_and_resolves_with_its_last_firing_value():
    alerts = Alerts()
    assert alerts.evaluate(100.0, recorded(checkout=0.2)) == []
    assert alerts.evaluate(101.0, recorded(checkout=0.3)) == []
    assert [alert.firing for alert in alerts.active] == [False]
    (fired,) = alerts.evaluate(102.0, recorded(checkout=0.5, payments=0.05))
    assert (fired.active_at, fired.fired_at, fired.resolved_at) == (100.0, 102.0, None)
    (over,) = alerts.evaluate(103.0, recorded(checkout=0.1))
    assert over == replace(fired, resolved_at=103.0)
    assert alerts.active == []


def test_an_alert_that_never_held_is_never_told():
    alerts = Alerts()
    alerts.evaluate(100.0, recorded(checkout=0.2))
    assert alerts.evaluate(101.0, recorded(checkout=0.0)) == []
    assert alerts.evaluate(102.0, recorded(checkout=0.2)) == []


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "cbf29ce484222325"),
        ({"alertname": "ShopErrorBudgetBurn", "service": "shop", "severity": "critical"}, "fb2d25190aed3753"),
    ],
)
def test_a_fingerprint_is_the_one_a_real_alertmanager_gave(labels, expected):
    assert notify.fingerprint(labels) == expected


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (1700000000.0, "2023-11-14T22:13:20Z"),
        (1700000000.19, "2023-11-14T22:13:20.19Z"),
        (1700000000.189, "2023-11-14T22:13:20.189Z"),
        (1700000000.9996, "2023-11-14T22:13:21Z"),
    ],
)
def test_times_are_written_like_go_writes_them(at, written):
    assert notify.timestamp(at) == written


def test_an_alert_below_a_threshold_tells_its_members_apart_by_every_label():
    alerts, rule = Alerts(), next(rule for rule in ALERT_RULES if rule.name == "PipelineFailed")
    members = {
        (("build", build), ("pipeline", "checks"), ("service", "search")): result
        for build, result in (("b-1", 0.0), ("b-2", 1.0))
    }
    (fired,) = alerts.evaluate(100.0, {**{name: {} for name in RECORDINGS}, rule.series: members})
    assert fired.labels["build"] == "b-1"
    assert fired.annotations["summary"] == "checks of search failed in b-1"


def test_only_calls_to_the_outside_raise_the_alert_about_a_dependency():
    rule = next(rule for rule in ALERT_RULES if rule.where)
    inside, outside = ((("dependency", name), ("service", "payments")) for name in ("fraud", rule.where[1]))
    assert rule.holds(outside, 0.9)
    assert not rule.holds(outside, 0.1)
    assert not rule.holds(inside, 0.9)


def test_a_false_alarm_fires_until_its_time_though_nothing_is_wrong():
    alerts = Alerts()
    alerts.mislead(FalseAlarm(RATIO, "search", until=105.0))
    assert alerts.evaluate(100.0, recorded()) == []
    (fired,) = alerts.evaluate(102.0, recorded())
    assert fired.labels == {"alertname": RATIO.name, "service": "search", "severity": RATIO.severity}
    (over,) = alerts.evaluate(105.0, recorded())
    assert over.resolved_at == 105.0


def test_texts_are_filled_in():
    alert = Alert(LATENCY, (("service", "checkout"),), active_at=1.0, value=0.876, fired_at=3.0)
    assert alert.annotations["summary"] == "checkout takes 0.88 s to answer"
    assert not re.search("[{}$]", "".join(alert.annotations.values()))
