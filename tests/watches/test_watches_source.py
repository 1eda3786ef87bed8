"""What the metric source of the metrics plugin makes of an answer: numbers for a watch, or one clear failure."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from prom import Prom
from test_watches_live import T0, build

from sysop.errors import CallError
from sysop.extension import MetricQuery, MetricSeries
from sysop.watches.sources import Sources

Ask = Callable[[str], Awaitable[list[MetricSeries]]]


@pytest.fixture
async def ask(tmp_path: Path, prom: Prom) -> AsyncIterator[Ask]:
    app = build(tmp_path, f"sqlite:///{tmp_path / 'none.db'}", prom, {})

    async def asked(query: str) -> list[MetricSeries]:
        return list(await Sources(app.host, app.contexts).ask("metrics", MetricQuery(query, T0, T0 + 60, 60)))

    yield asked
    await app.close()


def matrix(*series: Any) -> dict[str, Any]:
    return {"resultType": "matrix", "result": list(series)}


async def test_what_is_no_finite_number_is_nan(ask, prom):
    values = [[T0 + n, text] for n, text in enumerate(("1.5", "NaN", "+Inf", "-Inf", "1e400", "-2"))]
    prom.answers["q"] = matrix({"metric": {"pod": "a"}, "values": values})
    (found,) = await ask("q")
    assert found.labels == {"pod": "a"}
    assert [at for at, _ in found.points] == [T0 + n for n in range(6)]
    assert [value for _, value in found.points if math.isfinite(value)] == [1.5, -2.0]
    assert sum(math.isnan(value) for _, value in found.points) == 4


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"resultType": "vector", "result": []}, "answered a range query with a vector"),
        (matrix({"metric": {}, "histograms": [[T0, {}]]}), "gives histograms; ask for a number"),
        (matrix({"metric": {}}), "cannot be read: KeyError"),
        (matrix({"metric": {"pod": 3}, "values": []}), "the label pod is not text"),
        (matrix({"metric": {}, "values": [[T0, "many"]]}), "could not convert string to float: 'many'"),
        (matrix({"metric": {}, "values": [[T0, None]]}), "cannot be read: TypeError"),
        (matrix({"metric": {}, "values": [[T0, "1", "2"]]}), "cannot be read: ValueError"),
        (matrix(5), "cannot be read: TypeError"),
        ({"resultType": "matrix", "result": None}, "cannot be read: TypeError"),
    ],
    ids=str,
)
async def test_a_strange_answer_is_one_clear_failure(ask, prom, answer, says):
    prom.answers["q"] = answer
    with pytest.raises(CallError) as failed:
        await ask("q")
    assert says in str(failed.value)
