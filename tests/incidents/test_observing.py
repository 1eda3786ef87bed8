"""Who calls whom is learnt from traces, kept while nobody answers, and told when it changes."""

from collections.abc import Sequence

import pytest

from sysop.errors import ActionFailed
from sysop.extension import MetricQuery, MetricSeries
from sysop.incidents.correlation import Correlator, Occurrence, Topology
from sysop.incidents.observing import EVERY_MS, Observing, edges_of
from sysop.inventory import Inventory, Service

INVENTORY = Inventory({name: Service(name) for name in ("web", "cart", "stock")})


def series(client: str, server: str, count: float, **more: str) -> MetricSeries:
    return MetricSeries({"client": client, "server": server, **more}, [(1.0, count)])


def test_edges_are_the_calls_between_two_services() -> None:
    found = edges_of(
        [
            series("web", "cart", 2.0, connection_type=""),
            series("web", "cart", 3.0, connection_type="database"),
            series("web", "web", 9.0),
            series("user", "web", 9.0, connection_type="virtual_node"),
            series("", "web", 9.0),
            series("cart", "stock", 0.0),
            MetricSeries({"client": "cart", "server": "stock"}, []),
        ]
    )
    assert [(edge.caller, edge.callee, edge.calls) for edge in found] == [("web", "cart", 5.0)]


class Traces:
    """A metric source with a clock."""

    def __init__(self) -> None:
        self.answer: Sequence[MetricSeries] | None = ()
        self.asked: list[MetricQuery] = []
        self.learnt: list[Topology] = []
        self.now = 1_700_000_000_000
        self.observing = Observing(INVENTORY, self.ask, self.learnt.append, lambda: self.now)

    async def ask(self, query: MetricQuery) -> Sequence[MetricSeries]:
        self.asked.append(query)
        if self.answer is None:
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


def both(topology: Topology, one: str, other: str) -> str:
    """Return why alerts of two services are together."""
    correlator = Correlator(topology)
    for number, service in enumerate((one, other)):
        labels = {"alertname": f"High{number}", "service": service, "severity": "critical"}
        correlator.add(Occurrence(service, service, 1_700_000_000.0 + number, labels))
    return " ".join(placement.reason for placement in correlator.flush(close=True))
