"""A silence that begins after an alert came and before it was placed: it is held back until the silence ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

import bench
from gate.kit import ANN
from sysop.app import App
from sysop.incidents.silencing import Wish, matcher
from sysop.model import Alert, Incident
from sysop.store import alerts, incidents, runs, silences
from sysop.store import tables as t
from sysop.store.alerts import Placed
from sysop.store.silences import Silence
from sysop.store.writer import Tx

SERVICES = {"web": {"depends_on": ["shop"]}, "shop": {}}
AT = 1_700_000_000_000


@pytest.fixture
async def app(url: str, tmp_path: Path) -> AsyncIterator[App]:
    opened = bench.build(tmp_path, url, inventory=SERVICES, incidents={"triage_after_seconds": 0})
    yield opened
    await opened.close()


def alert(name: str, service: str = "web", severity: str = "critical") -> Alert:
    labels = {"alertname": name, "service": service, "severity": severity}
    return Alert("test", f"{name}-{service}", AT + len(name), None, labels, {})


async def silenced(app: App, *conditions: str) -> Silence:
    return await app.silences.add(ANN, Wish(tuple(map(matcher, conditions)), 3600, "a migration"))


async def at(app: App, one: Alert) -> Placed:
    key = alerts.key_of(one)
    return (await app.store.read(lambda conn: alerts.find(conn, [key])))[key]


async def opened(app: App) -> list[Incident]:
    return await app.store.read(incidents.listed)


async def test_what_waits_when_a_silence_begins_opens_no_incident_until_it_ends(app: App) -> None:
    down = alert("Down")
    await app.lifecycle.take([down])
    made = await silenced(app, "service=web")
    await bench.place(app)
    found = await at(app, down)
    assert (found.incident, found.silence, found.placed, found.why) == (None, made.id, None, ())
    assert found.reason == f"silence {made.id} covers it"
    assert await app.store.read(runs.newest) == []
    await app.silences.end(made.id, ANN)
    await bench.place(app)
    (one,) = await opened(app)
    assert [member.name for member in one.alerts] == ["Down"]
    assert (await at(app, down)).why, "it says why, as of any other"


async def test_what_comes_later_does_not_pull_it_in(app: App) -> None:
    quiet = alert("Down")
    await app.lifecycle.take([quiet])
    made = await silenced(app, "service=web")
    await bench.place(app)
    await bench.take(app, [alert("Slow", "shop"), alert("Errors", "shop")])
    (one,) = await opened(app)
    assert {member.service for member in one.alerts} == {"shop"}
    assert (await at(app, quiet)).silence == made.id
    await app.silences.end(made.id, ANN)
    await bench.place(app)
    (one,) = await opened(app)
    assert {member.service for member in one.alerts} == {"shop", "web"}


async def test_what_was_held_back_before_opens_nothing_while_a_silence_covers_it(app: App) -> None:
    lone = alert("Slow", "web", "warning")
    await bench.take(app, [lone])
    assert (await at(app, lone)).incident is None
    made = await silenced(app, "service=web")
    await bench.take(app, [alert("Errors", "shop")])
    assert (await at(app, lone)).silence == made.id
    await app.silences.end(made.id, ANN)
    await bench.place(app)
    (one,) = await opened(app)
    assert {member.name for member in one.alerts} == {"Slow", "Errors"}


async def test_what_a_person_puts_into_an_incident_is_silenced_no_more(app: App) -> None:
    made = await silenced(app, "service=web")
    down = alert("Down")
    await app.lifecycle.take([down])
    other = await silenced(app, "alertname=Down")
    target = await app.regroup.move(down.fingerprint, None, ANN)
    for one in (made, other):
        await app.silences.end(one.id, ANN)
    found = await at(app, down)
    assert (found.incident, found.silence, found.reason) == (target, None, "ann put it here")


async def test_a_silence_that_is_over_is_found_without_reading_what_it_ever_held_back(app: App) -> None:
    """What ended under a silence stays under it for good."""
    made = await silenced(app, "service=web")
    down = alert("Down")
    await app.lifecycle.take([down])

    def lapse(tx: Tx) -> None:
        alerts.end(tx, Alert(down.source, down.fingerprint, down.starts_at, down.starts_at + 1, {}, {}))
        silences.change(tx, made.id, ends_at=tx.now())

    await app.store.write(lapse)
    assert await app.store.read(silences.over) == []
    if app.store.embedded:
        still = t.alert.c.silence.is_not(None) & t.alert.c.ends_at.is_(None)
        query = select(t.alert.c.silence).where(still).distinct()
        text = str(query.compile(compile_kwargs={"literal_binds": True}))
        plan = await app.store.read(lambda conn: conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all())
        assert "ix_alert_silenced" in str(plan)
