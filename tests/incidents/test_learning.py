"""What correlation learns from incidents that are over: read from either database, once an hour."""

from __future__ import annotations

from pathlib import Path

import bench
from incidents.lived import DAY, add_past
from sysop.incidents.correlation import Topology
from sysop.incidents.learning import HOUR_MS, Learning
from sysop.incidents.placing import correlators
from sysop.model import Alert
from sysop.sections import CorrelationSettings
from sysop.store import alerts as stored
from sysop.store import past
from sysop.store.store import Store

QUEUE, MAIL = ("QueueGrows", "queue"), ("MailLate", "mail")
OVER = {"resolved_at": 20 * 60_000}


async def lived_through(store: Store, days: int, **more: int) -> int:
    """Insert one incident of both alerts for each of the days before this hour, and return when this hour began."""
    hour = await store.now() // HOUR_MS * HOUR_MS
    many = [{"at": hour - (day + 1) * DAY, "alerts": [QUEUE, MAIL], **more} for day in range(days)]
    await add_past(store, *many)
    return hour


async def test_three_incidents_that_are_over_teach_their_pair(store: Store) -> None:
    hour = await lived_through(store, 3, **OVER)
    learning = Learning(store)
    assert await learning.again(hour)
    newest = max(learning.learnt, key=lambda step: step.at)
    assert (newest.one, newest.other, newest.together, newest.episodes) == (MAIL, QUEUE, 3, 3)
    assert newest.at * 1000 == hour - DAY + HOUR_MS, "from the hour after the third was over"


async def test_incidents_that_are_still_open_teach_nothing(store: Store) -> None:
    learning = Learning(store)
    assert not await learning.again(await lived_through(store, 5))
    assert learning.learnt == ()


async def test_the_past_is_read_again_when_an_hour_has_begun_and_not_before(store: Store) -> None:
    learning = Learning(store)
    hour = await store.now() // HOUR_MS * HOUR_MS
    assert not await learning.again(hour)
    await lived_through(store, 3, **OVER)
    assert not await learning.again(hour + HOUR_MS - 1)
    assert await learning.again(hour + HOUR_MS)
    assert not await learning.again(hour + 2 * HOUR_MS), "it teaches the same as before"


async def test_the_newest_firings_are_read_and_only_those_of_what_was_over_in_time(store: Store) -> None:
    hour = await lived_through(store, 4, **OVER)
    over = hour - DAY + OVER["resolved_at"]
    every = await store.read(lambda conn: past.firings(conn, 0, hour))
    assert [one.starts_at for one in every] == sorted((one.starts_at for one in every), reverse=True)
    assert len(every) == 8
    assert {one.over_at for one in await store.read(lambda conn: past.firings(conn, 0, hour, 2))} == {over}
    earlier = await store.read(lambda conn: past.firings(conn, 0, over))
    assert len(earlier) == 6, "what was over only at that moment is not among them"


async def test_alerts_that_met_in_the_past_become_one_incident(tmp_path: Path, url: str) -> None:
    app = bench.build(tmp_path, url)
    hour = await lived_through(app.store, 3, **OVER)
    services: dict[str, dict[str, str]] = {name: {} for name in ("queue", "mail", *(f"s{n}" for n in range(18)))}
    topology = Topology.from_json({"services": services})
    app.placing.rebuild(correlators(topology, CorrelationSettings()))
    fresh = [
        Alert("test", name, hour + at, None, {"alertname": name, "service": service, "severity": "warning"}, {})
        for at, (name, service) in ((1000, QUEUE), (201_000, MAIL))
    ]
    await bench.take(app, fresh)
    rows = [one for one in await app.store.read(stored.listed) if one.alert.starts_at >= hour]
    assert len({one.incident for one in rows}) == 1
    assert rows[0].incident is not None
    assert any("fired together in 3 of 3 earlier episodes" in part["words"] for one in rows for part in one.why)
    await app.close()
