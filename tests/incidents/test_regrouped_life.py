"""Incidents that people make of alerts: looked into once as any other, and what was put by hand can be let go of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bench
from gate.kit import ANN, BOB, DAN
from sysop.app import App
from sysop.errors import InvalidRequest, NotAllowed
from sysop.model import Alert, Incident, IncidentState, RunState
from sysop.store import alerts, audit, incidents, runs

SERVICES = {"web": {"depends_on": ["shop"]}, "shop": {}, "blog": {}}
AT = 1_700_000_000_000


@pytest.fixture
async def app(url: str, tmp_path: Path) -> AsyncIterator[App]:
    opened = bench.build(tmp_path, url, inventory=SERVICES, incidents={"triage_after_seconds": 0})
    yield opened
    await opened.close()


def alert(name: str, service: str = "web", severity: str = "critical", after: int = 0) -> Alert:
    labels = {"alertname": name, "service": service, "severity": severity}
    return Alert("test", f"{name}-{service}", AT + after * 1000, None, labels, {})


WEB, SHOP = alert("Down"), alert("Errors", "shop", after=2)


async def load(app: App, incident: str) -> Incident:
    return await app.store.read(lambda conn: incidents.load(conn, incident))


async def where(app: App, one: Alert) -> str | None:
    key = alerts.key_of(one)
    return (await app.store.read(lambda conn: alerts.find(conn, [key])))[key].incident


async def together(app: App) -> str:
    await bench.take(app, [WEB, SHOP])
    (one,) = await app.store.read(incidents.listed)
    assert len(one.alerts) == 2
    return one.id


async def test_an_incident_that_is_split_off_is_looked_into_once(app: App) -> None:
    first = await together(app)
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    run = (await load(app, made)).run
    assert run is not None
    found = await app.store.read(lambda conn: runs.load(conn, run))
    assert (found.incident, found.origin) == (made, "alert")
    assert ANN.id in found.requesters, "who made the incident does not approve what comes of it"
    await bench.take(app, [alert("Slow", "shop", after=4)])
    assert len(await app.store.read(runs.newest)) == 2
    assert (await load(app, made)).run == run


async def test_a_held_alert_that_a_person_makes_an_incident_is_looked_into(app: App) -> None:
    lone = alert("Slow", "blog", "warning")
    await bench.take(app, [lone])
    assert await app.store.read(runs.newest) == []
    made = await app.regroup.move(lone.fingerprint, None, ANN)
    (run,) = await app.store.read(runs.newest)
    assert (await load(app, made)).run == run.id


async def test_one_that_a_person_opened_is_looked_into_when_an_alert_is_put_there(app: App) -> None:
    lone = alert("Slow", "blog", "warning")
    await bench.take(app, [lone])
    opened = await app.lifecycle.open_by_hand(ANN, "the blog is slow", "warning", [], delivery="d1")
    await app.regroup.move(lone.fingerprint, opened, BOB)
    (run,) = await app.store.read(runs.newest)
    assert {ANN.id, BOB.id} <= set(run.requesters)


async def test_what_has_ended_is_not_looked_into(app: App) -> None:
    first = await together(app)
    ended = Alert(SHOP.source, SHOP.fingerprint, SHOP.starts_at, SHOP.starts_at + 9, SHOP.labels, {})
    await bench.take(app, [ended])
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    assert ((await load(app, made)).state, (await load(app, made)).run) == (IncidentState.MITIGATED, None)


async def test_of_two_that_become_one_a_single_run_is_left(app: App) -> None:
    first = await together(app)
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    gone = (await load(app, made)).run
    await app.regroup.merge(made, first, BOB)
    over = {run.id: run.state for run in await app.store.read(runs.newest) if run.over}
    assert over == {gone: RunState.CANCELLED}
    entries = await app.store.read(lambda conn: audit.entries(conn, chain=incidents.chain(made)))
    assert [one.kind for one in entries][-2:] == ["incident.merged", "incident.resolved"], "one entry for all of them"


async def test_an_alert_that_is_let_go_of_goes_where_correlation_says(app: App) -> None:
    first = await together(app)
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    await bench.take(app, [alert("Slow", "web", after=3)])
    assert await where(app, SHOP) == made
    await app.regroup.free(SHOP.fingerprint, BOB)
    assert await where(app, SHOP) == made, "it stays until its place is found"
    await bench.place(app)
    assert (await app.store.read(alerts.backlog))[0] == 0
    found = await app.store.read(lambda conn: alerts.find(conn, [alerts.key_of(SHOP)]))
    assert found[alerts.key_of(SHOP)].pinned_by is None
    kinds = [one.kind for one in await app.store.read(lambda conn: audit.entries(conn, chain=incidents.chain(made)))]
    assert "incident.freed" in kinds
    with pytest.raises(InvalidRequest, match="nobody keeps Errors where it is"):
        await app.regroup.free(SHOP.fingerprint, BOB)


async def test_what_was_taken_out_of_being_held_back_is_held_back_again(app: App) -> None:
    lone = alert("Slow", "blog", "warning")
    await bench.take(app, [lone])
    made = await app.regroup.move(lone.fingerprint, None, ANN)
    await app.regroup.free(lone.fingerprint, ANN)
    await bench.place(app)
    assert await where(app, lone) is None
    over = await load(app, made)
    assert (over.state, over.merged_into, over.alerts) == (IncidentState.RESOLVED, None, ())


async def test_what_is_moved_back_leaves_no_empty_incident_behind(app: App) -> None:
    first = await together(app)
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    await app.regroup.move(SHOP.fingerprint, first, BOB)
    over = await load(app, made)
    assert (over.state, over.merged_into) == (IncidentState.RESOLVED, first)
    assert len((await load(app, first)).alerts) == 2


async def test_one_made_of_alerts_is_about_those_it_has(app: App) -> None:
    first = await together(app)
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    other = alert("Slow", "blog", "warning")
    await bench.take(app, [other])
    await app.regroup.move(other.fingerprint, made, ANN)
    await app.regroup.move(SHOP.fingerprint, first, ANN)
    one = await load(app, made)
    assert (one.services, one.severity) == (("blog",), "warning")


async def test_one_opened_in_words_stays_open_when_its_last_alert_is_moved_away(app: App) -> None:
    first = await together(app)
    opened = await app.lifecycle.open_by_hand(ANN, "the shop is odd", "error", ["shop"], delivery="d1")
    await app.regroup.move(SHOP.fingerprint, opened, ANN)
    await app.regroup.move(SHOP.fingerprint, first, ANN)
    one = await load(app, opened)
    assert (one.state, one.services, one.alerts) == (IncidentState.OPEN, ("shop",), ())


async def test_who_may_let_go_of_what(app: App) -> None:
    first = await together(app)
    with pytest.raises(NotAllowed):
        await app.regroup.free(SHOP.fingerprint, DAN)
    with pytest.raises(InvalidRequest, match="there is no alert with fingerprint nope"):
        await app.regroup.free("nope", ANN)
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    await app.lifecycle.resolve(made, ANN)
    with pytest.raises(InvalidRequest, match=f"incident {made} is resolved"):
        await app.regroup.free(SHOP.fingerprint, ANN)


@pytest.mark.parametrize("then", ["keep", "resolve"])
async def test_one_that_waits_again_never_waits_for_ever(app: App, then: str) -> None:
    first = await together(app)
    made = await app.regroup.split(first, [SHOP.fingerprint], ANN)
    await app.regroup.free(SHOP.fingerprint, ANN)
    if then == "keep":
        await app.store.write(lambda tx: alerts.keep(tx, [alerts.key_of(SHOP)], ANN.id))
    else:
        await app.lifecycle.resolve(made, ANN)
    async with asyncio.timeout(20):
        await bench.place(app)
    assert await where(app, SHOP) == made
    assert (await app.store.read(alerts.backlog))[0] == 0
