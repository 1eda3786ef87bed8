from __future__ import annotations

import random

import pytest
from pydantic import ValidationError

from sysop.api import ActionFailed, InvalidCall
from sysop_plugins.metrics import Settings, judge_latest


@pytest.fixture
def metrics(world, prometheus):
    world.settings["metrics"] = {"url": prometheus.url + "/"}
    return world


async def test_a_query_with_one_series_has_a_value(metrics, prometheus):
    prometheus.gives("errors", "0.25", service="checkout")
    got = await metrics.call("metrics.query", query="errors")
    assert (got["value"], got["count"]) == (0.25, 1)
    assert got["series"][0]["labels"] == {"service": "checkout"}
    assert got["series"][0]["at"] > 1_700_000_000


@pytest.mark.parametrize("count", [0, 2])
async def test_with_none_or_several_series_there_is_no_single_value(metrics, prometheus, count):
    for number in range(count):
        prometheus.gives("errors", "1", instance=str(number))
    got = await metrics.call("metrics.query", query="errors")
    assert (got["value"], got["count"]) == (None, count)


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf"])
async def test_values_without_a_json_form_become_null(metrics, prometheus, text):
    prometheus.gives("errors", text)
    got = await metrics.call("metrics.query", query="errors")
    assert got["series"][0]["value"] is None
    assert got["value"] is None


async def test_a_scalar_is_a_series_without_labels(metrics, prometheus):
    body = {"status": "success", "data": {"resultType": "scalar", "result": [1772442847.25, "3"]}}
    prometheus.answers["1+2"] = (200, body)
    got = await metrics.call("metrics.query", query="1+2")
    assert got["series"] == [{"labels": {}, "value": 3.0, "at": 1772442847.25}]


async def test_a_history_asked_for_as_a_value_is_pointed_to_range(metrics, prometheus):
    prometheus.answers["up[5m]"] = (200, {"status": "success", "data": {"resultType": "matrix", "result": []}})
    with pytest.raises(InvalidCall, match=r"use metrics\.range"):
        await metrics.call("metrics.query", query="up[5m]")


async def test_prometheus_own_message_reaches_the_caller(metrics):
    with pytest.raises(ActionFailed, match=r"bad_data: .*parse error: unclosed left parenthesis"):
        await metrics.call("metrics.query", query="sum(")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param((502, "<html>bad gateway</html>"), "not JSON", id="a proxy's page"),
        pytest.param((200, {"hello": 1}), "not Prometheus's API", id="another API"),
        pytest.param((401, "no"), "token_secret", id="no token"),
        pytest.param(
            (200, {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}),
            "cannot be read",
            id="a half answer",
        ),
    ],
)
async def test_a_strange_answer_is_a_clear_failure(metrics, prometheus, answer, says):
    prometheus.answers["q"] = answer
    with pytest.raises(ActionFailed, match=says):
        await metrics.call("metrics.query", query="q")


async def test_too_many_series_are_refused(metrics, prometheus):
    for number in range(1001):
        prometheus.gives("everything", "1", n=str(number))
    with pytest.raises(InvalidCall, match="1001 series, at most 1000"):
        await metrics.call("metrics.query", query="everything")


async def test_the_token_is_sent_as_bearer(metrics, prometheus):
    metrics.settings["metrics"]["token_secret"] = "prometheus-token"  # the secret's name
    metrics.secrets["prometheus-token"] = "s3cret"
    await metrics.call("metrics.query", query="errors")
    assert prometheus.authorization == ["Bearer s3cret"]


async def test_without_a_url_it_says_which_setting_to_add(world):
    with pytest.raises(ActionFailed, match=r"add `plugins: \{metrics: \{url:"):
        await world.call("metrics.query", query="up")
    health = await world.health("metrics")
    assert not health.ok
    assert "add `plugins: {metrics: {url:" in health.fix


async def test_a_range_gives_points_oldest_first(metrics, prometheus):
    prometheus.gives("load", lambda t: str(int(t)), service="checkout")
    got = await metrics.call("metrics.range", query="load", minutes=1, step_seconds=10)
    points = got["series"][0]["points"]
    assert len(points) == 7
    assert [p["at"] for p in points] == sorted(p["at"] for p in points)
    assert got["end"] - got["start"] == pytest.approx(60)
    assert prometheus.asked[0]["step"] == "10"


async def test_a_range_with_too_many_points_names_a_step_that_works(metrics, prometheus):
    with pytest.raises(InvalidCall, match="use 16 or more"):
        await metrics.call("metrics.range", query="load", minutes=60 * 24 * 2, step_seconds=15)
    await metrics.call("metrics.range", query="load", minutes=60 * 24 * 2, step_seconds=16)
    assert len(prometheus.asked) == 1


async def test_a_range_over_too_many_series_is_refused(metrics, prometheus):
    for number in range(100):
        prometheus.gives("load", "1", n=str(number))
    with pytest.raises(InvalidCall, match="100 series with 12100 points"):
        await metrics.call("metrics.range", query="load", minutes=30, step_seconds=15)


async def test_a_jump_at_the_end_is_an_anomaly(metrics, prometheus):
    noise = random.Random(7)
    values = iter([f"{0.05 + noise.gauss(0, 0.005)}" for _ in range(120)] + ["0.42"])
    prometheus.gives("errors", lambda _t: next(values))
    got = await metrics.call("metrics.anomaly", query="errors")
    assert got["anomalous"]
    assert got["z"] > 6
    assert got["latest"] == 0.42
    assert got["samples"] == 121


async def test_an_anomaly_needs_a_single_series(metrics, prometheus):
    prometheus.gives("errors", "1", a="1")
    prometheus.gives("errors", "1", a="2")
    with pytest.raises(InvalidCall, match=r"2 series, one is needed; .*sum\(errors\)"):
        await metrics.call("metrics.anomaly", query="errors")


async def test_values_too_large_to_compare_are_left_out(metrics, prometheus):
    values = iter(["1.7e308", "-1.7e308"] * 60 + ["1"])
    prometheus.gives("errors", lambda _t: next(values))
    assert (await metrics.call("metrics.anomaly", query="errors"))["samples"] == 1


async def test_no_data_is_not_judged(metrics):
    got = await metrics.call("metrics.anomaly", query="nothing")
    assert (got["anomalous"], got["z"], got["latest"]) == (False, None, None)
    assert "not judged: 0 samples" in got["reason"]


def test_noise_is_no_anomaly():
    noise = random.Random(1)
    for _ in range(200):
        assert not judge_latest([noise.gauss(10, 1) for _ in range(100)]).anomalous


@pytest.mark.parametrize(
    ("history", "latest", "anomalous"),
    [
        pytest.param([0.0] * 50, 0.3, True, id="from always zero to something"),
        pytest.param([0.0] * 50, 0.0, False, id="always zero"),
        pytest.param([7.0] * 50, 7.001, False, id="hardly moved"),
        pytest.param([0.0] * 40 + [1.0] * 10, 1.0, False, id="MAD is zero, but the value was seen before"),
        pytest.param([0.0] * 49 + [0.01], 0.5, True, id="MAD is zero and the value is far away"),
        pytest.param([1.0] * 8, 99.0, False, id="too few to judge"),
        pytest.param([-1e300, 1e300] * 20, 1e300, False, id="very large"),
    ],
)
def test_histories_that_hardly_move_are_judged_without_dividing_by_zero(history, latest, anomalous):
    assert judge_latest([*history, latest]).anomalous is anomalous


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://prometheus"])
def test_a_url_without_a_scheme_is_refused_with_an_example(url):
    with pytest.raises(ValidationError, match="http://prometheus:9090"):
        Settings(url=url)


async def test_a_reachable_server_is_healthy(metrics, prometheus):
    assert (await metrics.health("metrics")).ok


async def test_an_unreachable_server_is_unhealthy(world):
    world.settings["metrics"] = {"url": "http://127.0.0.1:9"}
    health = await world.health("metrics")
    assert not health.ok
    assert "http://127.0.0.1:9" in health.fix
