"""Who calls whom is learnt from traces, kept while nobody answers, and told when it changes."""

from collections.abc import Sequence

import pytest

from sysop.errors import ActionFailed
from sysop.extension import MetricQuery, MetricSeries
from sysop.incidents.correlation import Correlator, Occurrence, Topology
from sysop.incidents.observed import KEEP_S, WINDOW_S, question
from sysop.incidents.observing import EVERY_MS, Observing
from sysop.inventory import Inventory, Service

INVENTORY = Inventory({name: Service(name) for name in ("web", "cart", "stock")})


def series(client: str, server: str, count: float, **more: str) -> MetricSeries:
    return MetricSeries({"client": client, "server": server, **more}, [(1.0, count)])


class Traces:
    """A metric source with a clock."""

    def __init__(self) -> None:
        self.answer: Sequence[MetricSeries] | None = ()
        self.asked: list[MetricQuery] = []
        self.refused = ""
        self.learnt: list[Topology] = []
        self.now = 1_700_000_000_000
        self.observing = Observing(INVENTORY, self.ask, self.learnt.append, lambda: self.now)

    async def ask(self, query: MetricQuery) -> Sequence[MetricSeries]:
        self.asked.append(query)
        if self.answer is None or query.text == self.refused:
            raise ActionFailed("no answer")
        return self.answer

    async def later(self, answer: Sequence[MetricSeries] | None, by_ms: int = EVERY_MS) -> None:
        self.answer = answer
        self.now += by_ms
        await self.observing.tick()


async def test_it_asks_every_ten_minutes_and_tells_only_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    traces = Traces()
    await traces.later([series("web", "cart", 5)])
    await traces.later([series("web", "cart", 9)], by_ms=1000)
    assert (len(traces.asked), len(traces.learnt)) == (1, 1)
    await traces.later([series("web", "cart", 9)])
    assert len(traces.learnt) == 1, "the same edges"
    await traces.later(None)
    await traces.later(None)
    assert len([line for line in caplog.messages if "cannot be learnt" in line]) == 1
    await traces.later([series("cart", "stock", 9)])
    assert len(traces.learnt) == 2
    words = both(traces.learnt[-1], "web", "cart")
    assert "calls" in words, "what was seen before is kept for a day"


async def test_at_first_it_asks_about_a_whole_day_so_that_a_restart_forgets_nothing() -> None:
    traces = Traces()
    await traces.later([series("web", "cart", 5)])
    await traces.later([series("web", "cart", 5)])
    assert [query.text for query in traces.asked] == [question(KEEP_S), question(WINDOW_S)]


async def test_a_server_that_refuses_a_whole_day_is_asked_about_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    traces = Traces()
    traces.refused = question(KEEP_S)
    await traces.later([series("web", "cart", 5)])
    assert len(traces.learnt) == 1
    assert caplog.messages == []


async def test_a_clock_that_is_set_back_does_not_stop_it() -> None:
    traces = Traces()
    await traces.later([])
    await traces.later([], by_ms=-3_600_000)
    assert len(traces.asked) == 2


def both(topology: Topology, one: str, other: str) -> str:
    """Return why alerts of two services are together."""
    correlator = Correlator(topology)
    for number, service in enumerate((one, other)):
        labels = {"alertname": f"High{number}", "service": service, "severity": "critical"}
        correlator.add(Occurrence(service, service, 1_700_000_000.0 + number, labels))
    return " ".join(placement.reason for placement in correlator.flush(close=True))
