"""What was changed is a reason for an origin, is told with the incident, and is the first thing looked at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kit_changes import change

import bench
from gate.kit import ANN, Attack
from sysop.api import Change, ChangeKind, ChangeState
from sysop.cli import incidents_view
from sysop.incidents import changed
from sysop.incidents.correlation import Changed, Correlator, Occurrence, Topology
from sysop.incidents.memory import Memory
from sysop.incidents.timeline import Timeline
from sysop.model import Alert, Incident
from sysop.store import changes as rows
from sysop.store import incidents, runs
from sysop.store.alerts import Placed
from sysop.store.changes import Told
from sysop_plugins import changes

T0 = 1_700_000_000.0
SHOP = {"gateway": {"calls": ["checkout"]}, "checkout": {"calls": ["payments"]}, "payments": {}}
INVENTORY = {"gateway": {"depends_on": ["checkout"]}, "checkout": {"depends_on": ["payments"]}, "payments": {}}


def storm(**environments: str) -> tuple[Correlator, str]:
    """Return correlation with a group in which payments, which everybody calls, alerts first."""
    found = Correlator(Topology.from_json({"services": SHOP}))
    for number, service in enumerate(("payments", "checkout", "gateway")):
        labels = {"alertname": "Errors", "service": service, "severity": "critical"}
        labels |= {"environment": environments[service]} if service in environments else {}
        found.add(Occurrence(service, service, T0 + 5 * number, labels, {}))
    (group,) = {one.group for one in found.flush(close=True) if one.group is not None}
    assert group is not None
    return found, group


def deployed(service: str = "checkout", seconds: float = 180, **values: Any) -> Changed:
    """Return a deploy so long before the first alert."""
    facts = {"began_at": T0 - seconds, "at": T0 - seconds, "words": f"{service} 2.3.1 was deployed", "by": "ann"}
    return Changed(service, **{**facts, **values})


def test_a_change_shortly_before_raises_the_origin_with_words() -> None:
    correlator, group = storm()
    assert correlator.origins(group) == (), "nothing stands out by the alerts alone"
    first, *others = correlator.origins(group, [deployed()])
    assert first.service == "checkout"
    assert "checkout 2.3.1 was deployed by ann 3 min before" in first.words
    assert all("deployed" not in one.words for one in others)


@pytest.mark.parametrize(
    "other",
    [
        deployed(seconds=3 * 3600),
        deployed(seconds=-600),
        deployed("search"),
        deployed(environment="staging"),
    ],
    ids=["long ago", "afterwards", "another service", "elsewhere"],
)
def test_other_changes_are_no_reason(other: Changed) -> None:
    correlator, group = storm(checkout="production")
    assert correlator.origins(group, [other]) == correlator.origins(group)


def test_a_change_under_way_when_it_began_is_a_reason() -> None:
    correlator, group = storm()
    rolling = deployed(began_at=T0 - 60, at=T0 + 300, words="checkout 2.3.1 was deployed", by="")
    assert "checkout 2.3.1 was deployed, begun 65 s before" in correlator.origins(group, [rolling])[0].words


def test_the_newer_a_change_the_more_it_says() -> None:
    correlator, group = storm()
    weights = [correlator.origins(group, [deployed("payments", seconds)])[0].weight for seconds in (1700, 600, 60)]
    assert weights == sorted(weights)
    assert weights[0] < weights[2]


def stored(service: str, number: int) -> Placed:
    labels = {"alertname": "Errors", "service": service, "severity": "critical"}
    at = int(T0 * 1000) + 5000 * number
    return Placed(Alert("am", service, at, None, labels, {}), "inc-1", "", (), at, None, None, at)


def test_only_news_of_changes_makes_it_doubt_where_a_group_began() -> None:
    services = enumerate(("payments", "checkout", "gateway"))
    made = Correlator(Topology.from_json({"services": SHOP}))
    memory = Memory.of(made, [stored(service, number) for number, service in services])
    memory.hear([deployed()], T0 - 3600)
    found = memory.doubted()
    assert found is not None
    assert [one[0]["service"] for one in found.origins.values()] == ["checkout"]
    assert found.moved == {}
    memory.hear([deployed()], T0 - 3600)
    assert memory.doubted() is None, "nothing is new"
    memory.hear([deployed(), deployed("search"), deployed(seconds=-600)], T0 - 3600)
    assert memory.doubted() is None, "none of them can be due to those"
    memory.hear([], T0)
    assert memory.doubted() is None, "what has become old is no news"
    memory.hear([deployed()], T0 - 3600)
    assert memory.doubted() is not None
    memory.hear([], T0 - 3600)
    assert memory.doubted() is not None, "it was cancelled"


def test_changes_group_no_alerts() -> None:
    correlator, group = storm()
    before = correlator.members(group)
    correlator.origins(group, [deployed()])
    assert correlator.flush(close=True) == []
    assert correlator.members(group) == before


# -- with a database ------------------------------------------------------------------------------------------------


@pytest.fixture
async def gate(tmp_path: Path, url: str) -> AsyncIterator[Attack]:
    triage = {"triage_after_seconds": 0}
    made = Attack(tmp_path, url, plugins={"changes": changes}, inventory=INVENTORY, incidents=triage)
    yield made
    await made.close()


async def tell(gate: Attack, *told: Change) -> int:
    """Store changes, and return the time they are told by."""
    now = await gate.app.store.now()
    moved = [replace(one, at=now - one.at, began_at=now - (one.began_at or one.at)) for one in told]
    await gate.app.store.write(lambda tx: rows.take(tx, moved, Told.ASKED))
    return now


MINUTE = 60_000
HOUR = 60 * MINUTE


async def broken(gate: Attack, now: int, *services: str) -> Incident:
    alerts = [
        Alert("am", service, now, None, {"alertname": "Errors", "service": service, "severity": "critical"}, {})
        for service in services
    ]
    await bench.take(gate.app, alerts)
    (one,) = await gate.app.store.read(incidents.listed)
    return one


async def test_a_deploy_is_among_the_reasons_of_an_incident(gate: Attack) -> None:
    now = await tell(gate, change(at=3 * MINUTE, by="ann"))
    one = await broken(gate, now, "checkout", "gateway", "payments")
    assert one.origins[0]["service"] == "checkout"
    assert "checkout 2.3.1 was deployed by ann 3 min before" in one.origins[0]["reason"]


async def test_a_change_that_is_told_late_becomes_a_reason_all_the_same(gate: Attack) -> None:
    now = await gate.app.store.now()
    before = await broken(gate, now, "checkout", "gateway", "payments")
    assert not any("deployed" in origin["reason"] for origin in before.origins)
    late = [change(at=now - 3 * MINUTE, began_at=now - 3 * MINUTE, by="ann"), change("b2", at=now - 3 * HOUR)]
    await gate.app.store.write(lambda tx: rows.take(tx, late, Told.DELIVERED))
    await gate.app.alerting.placing.place()
    after = await gate.app.store.read(lambda conn: incidents.load(conn, before.id))
    assert after.origins[0]["service"] == "checkout"
    assert "checkout 2.3.1 was deployed by ann 3 min before" in after.origins[0]["reason"]
    assert replace(after, origins=before.origins, reasons=before.reasons) == before, "nothing else of it has moved"
    gone = [replace(one, state=ChangeState.CANCELLED, at=one.at + 1) for one in late]
    await gate.app.store.write(lambda tx: rows.take(tx, gone, Told.DELIVERED))
    await gate.app.alerting.placing.place()
    again = await gate.app.store.read(lambda conn: incidents.load(conn, before.id))
    assert not any("deployed" in origin["reason"] for origin in again.origins), "it was cancelled"


async def test_an_incident_that_is_over_keeps_the_origins_it_ended_with(gate: Attack) -> None:
    now = await gate.app.store.now()
    one = await broken(gate, now, "checkout", "gateway", "payments")
    await gate.app.lifecycle.resolve(one.id, ANN, "it is over")
    late = [change(at=now - 3 * MINUTE)]
    await gate.app.store.write(lambda tx: rows.take(tx, late, Told.DELIVERED))
    await gate.app.alerting.placing.place()
    after = await gate.app.store.read(lambda conn: incidents.load(conn, one.id))
    assert after.origins == one.origins


async def test_a_cancelled_one_is_not(gate: Attack) -> None:
    now = await tell(gate, change(at=3 * MINUTE, state=ChangeState.CANCELLED))
    one = await broken(gate, now, "checkout", "gateway", "payments")
    assert not any("deployed" in origin["reason"] for origin in one.origins)


async def test_an_incident_shows_what_was_changed_before_it(gate: Attack) -> None:
    now = await tell(
        gate,
        change("mine", at=3 * MINUTE, by="ann", title="faster"),
        change("callee", at=10 * MINUTE, service="payments", kind=ChangeKind.CONFIG, after="pool=5"),
        change("caller", at=10 * MINUTE, service="gateway"),
        change("old", at=50 * MINUTE),
    )
    one = await broken(gate, now, "checkout")
    found = await gate.app.store.read(lambda conn: changed.before(conn, one, gate.app.contexts.inventory))
    whole = incidents_view.Whole(one, (), (), 0, Timeline((), 0), found)
    assert [told["words"] for told in whole.as_json()["changed_before"]] == [
        "checkout 2.3.1 was deployed 3 minutes before by ann: faster",
        "payments was configured anew (? -> pool=5) 10 minutes before",
    ]
    json.dumps(whole.as_json())


async def test_a_run_sees_it_with_the_incident_and_always_the_same(gate: Attack) -> None:
    now = await tell(gate, change(at=3 * MINUTE))
    one = await broken(gate, now, "checkout")
    assert one.run is not None
    await gate.advance(one.run)
    seen = (await gate.run(one.run)).request["incident"]["changed_before"]
    assert [told["id"] for told in seen] == ["b1"]
    claims = (await gate.app.store.read(lambda conn: runs.load(conn, one.run or ""))).conclusion
    assert claims is not None
    first = claims["claims"][0]["text"]
    assert first.startswith("changes.recent(service=checkout"), "what was changed is looked at first"
    assert first.endswith("checkout 2.3.1 was deployed, 3 min before")


async def test_recent_changes_are_a_read_of_a_service_and_what_it_calls(gate: Attack) -> None:
    now = await tell(
        gate,
        change("mine", at=3 * MINUTE),
        change("callee", at=20 * MINUTE, service="payments", kind=ChangeKind.SCALE, before="3", after="6"),
        change("caller", at=3 * MINUTE, service="gateway"),
    )

    async def recent(**args: Any) -> Any:
        run = await gate.submit("changes.recent", args)
        await gate.advance(run)
        row = await gate.row(run)
        assert row is not None
        return row.outcome().result

    found = await recent(service="checkout", before=now)
    assert [one["id"] for one in found["changes"]] == ["mine", "callee"]
    assert found["services"] == ["checkout", "payments"]
    assert found["latest"]["minutes_before"] == 3.0
    assert found["changes"][1]["words"] == "payments was scaled (3 -> 6)"
    assert [one["id"] for one in (await recent(service="payments", minutes=30))["changes"]] == ["callee"]
    assert (await recent(minutes=10))["count"] == 2
    assert (await recent(minutes=10, before=now - 15 * MINUTE))["changes"][0]["id"] == "callee"
