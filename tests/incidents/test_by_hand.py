"""What people do to incidents by hand, on either database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import bench
from gate.kit import ANN, BOB, DAN
from sysop.app import App
from sysop.errors import InvalidRequest, NotAllowed
from sysop.model import Actor, Alert, Incident, IncidentState
from sysop.store import audit, incidents, runs

SERVICES = {"web": {}, "blog": {}}


@pytest.fixture
async def app(url: str, tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = bench.build(tmp_path, url, inventory=SERVICES, incidents={"quiet_seconds": 0, "triage_after_seconds": 0})
    yield opened
    await opened.close()


def alert_of(name: str, service: str) -> Alert:
    labels = {"alertname": name, "service": service, "severity": "critical"}
    return Alert("test", f"{name}-{service}", 1_700_000_000_000, None, labels, {})


async def load(app: App, incident: str) -> Incident:
    return await app.store.read(lambda conn: incidents.load(conn, incident))


async def kinds(app: App, incident: str) -> list[tuple[str, str]]:
    entries = await app.store.read(lambda conn: audit.entries(conn, chain=incidents.chain(incident)))
    return [(entry.kind, entry.actor) for entry in entries]


async def test_an_incident_is_opened_by_hand_once_a_delivery(app: App) -> None:
    wish = app.lifecycle.open_by_hand(ANN, " Web is odd ", "error", ["web"], delivery="click 1", note="seen by ann")
    incident = await load(app, await wish)
    assert (incident.title, incident.severity, incident.services) == ("Web is odd", "error", ("web",))
    assert (incident.state, incident.opened_by, incident.run) == (IncidentState.OPEN, ANN.id, None)
    assert await kinds(app, incident.id) == [("incident.opened", ANN.id), ("incident.noted", ANN.id)]
    with pytest.raises(InvalidRequest, match="handled already"):
        await app.lifecycle.open_by_hand(ANN, "Web is odd", "error", ["web"], delivery="click 1")
    assert len(await app.store.read(incidents.listed)) == 1


@pytest.mark.parametrize(
    ("title", "severity", "services", "why"),
    [
        ("x", "error", ["wbe"], "there is no service 'wbe'; did you mean 'web'"),
        ("x", "awful", ["web"], "severity: 'awful' is none of"),
        ("  ", "error", [], "say in a few words"),
    ],
    ids=["service", "severity", "title"],
)
async def test_a_wrong_field_is_named_and_nothing_is_opened(
    app: App, title: str, severity: str, services: list[str], why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why):
        await app.lifecycle.open_by_hand(ANN, title, severity, services, delivery="1")
    assert await app.store.read(incidents.listed) == []
    assert await app.lifecycle.open_by_hand(ANN, "x", "error", [], delivery="1"), "the delivery is not used up"


async def test_one_that_is_opened_to_be_looked_into_has_a_run_that_ann_asks_for(app: App) -> None:
    opened = await app.lifecycle.open_by_hand(
        ANN, "Odd", "error", ["web"], delivery="1", triage=True, note="since noon"
    )
    incident = await load(app, opened)
    run = await app.store.read(lambda conn: runs.load(conn, str(incident.run)))
    assert (run.incident, run.origin, run.requesters, run.text) == (opened, "asked", ANN.ids, "Odd\nsince noon")
    with pytest.raises(InvalidRequest, match=f"run {run.id} is looking into {opened} already"):
        await app.lifecycle.triage(opened, BOB)
    await app.service.cancel(run.id, ANN)
    again = await app.lifecycle.triage(opened, BOB)
    found = await app.store.read(lambda conn: runs.load(conn, again))
    assert (found.requesters, found.text) == ((*BOB.ids, ANN.id), ""), "whoever chose its words asks, too"
    assert (await load(app, opened)).run == again


async def test_whose_words_an_incident_quotes_asks_for_every_run_that_looks_into_it(app: App) -> None:
    more = {"delivery": "1", "triage": True, "also": [DAN.id]}
    opened = await app.lifecycle.open_by_hand(ANN, "dan says web is odd", "error", ["web"], **more)
    for _ in range(2):
        run = (await load(app, opened)).run
        await app.service.cancel(str(run), ANN)
        await app.lifecycle.triage(opened, BOB)
    found = await app.store.read(lambda conn: runs.newest(conn))
    assert [DAN.id in run.requesters for run in found] == [True, True, True]
    assert [BOB.id in run.requesters for run in found].count(True) == 2


async def test_whose_words_an_incident_quotes_is_remembered_until_somebody_has_it_looked_into(app: App) -> None:
    opened = await app.lifecycle.open_by_hand(ANN, "dan says web is odd", "error", ["web"], delivery="1", also=[DAN.id])
    run = await app.lifecycle.triage(opened, BOB)
    found = await app.store.read(lambda conn: runs.load(conn, run))
    assert set(found.requesters) == {*BOB.ids, ANN.id, DAN.id}


async def test_two_who_start_the_triage_at_once_start_one(app: App) -> None:
    opened = await app.lifecycle.open_by_hand(ANN, "Odd", "error", ["web"], delivery="1")
    wishes = [app.lifecycle.triage(opened, who) for who in (ANN, BOB) * 3]
    done = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(isinstance(one, str) for one in done) == 1
    assert sum(isinstance(one, InvalidRequest) for one in done) == 5


async def test_who_looks_after_it_is_told_once_and_the_newest_counts(app: App) -> None:
    opened = await app.lifecycle.open_by_hand(ANN, "Odd", "error", [], delivery="1")
    for who in (ANN, ANN, BOB):
        await app.lifecycle.acknowledge(opened, who)
    assert (await load(app, opened)).acknowledged_by == BOB.id
    assert [who for kind, who in await kinds(app, opened) if kind == "incident.acknowledged"] == [ANN.id, BOB.id]


async def test_one_closed_by_hand_is_over_whatever_fires_still(app: App) -> None:
    now = await app.store.now()
    one, other = (
        Alert("test", name, now, None, {"alertname": name, "service": "web"}, {}) for name in ("Down", "Slow")
    )
    await bench.take(app, [one, other])
    (opened,) = [incident.id for incident in await app.store.read(incidents.listed)]
    await app.lifecycle.resolve(opened, BOB, "it was the cable")
    assert ("incident.resolved", BOB.id) in await kinds(app, opened)
    await bench.take(app, [replace(other, ends_at=now + 1)])
    assert (await load(app, opened)).state is IncidentState.RESOLVED
    for wish in (app.lifecycle.resolve, app.lifecycle.acknowledge, app.lifecycle.triage):
        with pytest.raises(InvalidRequest, match="is resolved already"):
            await wish(opened, BOB)
    with pytest.raises(InvalidRequest, match="there is no incident"):
        await app.lifecycle.acknowledge("inc-none", BOB)
    await bench.take(app, [replace(one, starts_at=now + 5)])
    assert len(await app.store.read(incidents.listed)) == 2


EVE = Actor("person:eve", human=True)


async def fire(app: App) -> tuple[str, Alert]:
    alert = Alert("test", "1", await app.store.now(), None, {"alertname": "Down", "service": "web"}, {})
    await bench.take(app, [alert])
    (opened,) = await app.store.read(incidents.listed)
    return opened.id, alert


async def test_nobody_without_a_role_resolves_while_an_alert_fires(app: App) -> None:
    opened, alert = await fire(app)
    with pytest.raises(NotAllowed, match=f"only a person with a role can resolve {opened} while an alert fires"):
        await app.lifecycle.resolve(opened, DAN)
    before = await load(app, opened)
    run = await app.store.read(lambda conn: runs.load(conn, str(before.run)))
    assert (before.state, run.over) == (IncidentState.OPEN, False)
    await bench.take(app, [replace(alert, ends_at=alert.starts_at + 1)])
    with pytest.raises(NotAllowed, match=f"{run.id} looks into {opened}: only who asked for it"):
        await app.lifecycle.resolve(opened, DAN)
    await app.service.cancel(run.id, ANN)
    await app.lifecycle.resolve(opened, DAN)
    assert (await load(app, opened)).state is IncidentState.RESOLVED


async def test_who_asked_for_the_triage_may_end_it_with_the_incident(app: App) -> None:
    opened = await app.lifecycle.open_by_hand(DAN, "Odd", "error", ["web"], delivery="1", triage=True)
    with pytest.raises(NotAllowed):
        await app.lifecycle.resolve(opened, EVE)
    await app.lifecycle.resolve(opened, DAN)
    run = await app.store.read(lambda conn: runs.load(conn, str(incidents.load(conn, opened).run)))
    assert run.over


async def test_one_that_was_closed_too_early_is_opened_again_by_hand(app: App) -> None:
    opened, alert = await fire(app)
    with pytest.raises(InvalidRequest, match="is not resolved"):
        await app.lifecycle.reopen(opened, DAN)
    await app.lifecycle.resolve(opened, BOB)
    await bench.take(app, [alert])
    assert (await load(app, opened)).state is IncidentState.RESOLVED, "what is known opens nothing"
    await app.lifecycle.reopen(opened, DAN)
    again = await load(app, opened)
    assert (again.state, again.resolved_at) == (IncidentState.OPEN, None)
    assert ("incident.reopened", DAN.id) in await kinds(app, opened)
    await app.lifecycle.triage(opened, DAN)
    await app.lifecycle.resolve(opened, BOB)
    await bench.take(app, [replace(alert, ends_at=alert.starts_at + 1)])
    with pytest.raises(InvalidRequest, match=f"no alert of {opened} fires any more"):
        await app.lifecycle.reopen(opened, DAN)


async def test_there_is_one_open_incident_about_one_thing(app: App) -> None:
    async def about(delivery: str, about: str = "T1/C1/1.0") -> str:
        return await app.lifecycle.open_by_hand(ANN, "Odd", "error", [], delivery=delivery, about=about)

    done = await asyncio.gather(*(about(str(click)) for click in range(4)), return_exceptions=True)
    (opened,) = [one for one in done if isinstance(one, str)]
    assert [str(one) for one in done if one != opened] == [f"this is incident {opened} already; it is open"] * 3
    other = await about("other", "T1/C1/2.0")
    await app.lifecycle.resolve(opened, ANN)
    again = await about("again")
    assert len({opened, other, again}) == 3
    assert len(await app.store.read(incidents.listed)) == 3


async def test_what_is_part_of_an_open_incident_opens_no_other_one(app: App) -> None:
    async def about(delivery: str) -> str:
        return await app.lifecycle.open_by_hand(ANN, "Odd", "error", [], delivery=delivery, about="T1/C1/1.0")

    opened = await about("first")
    whole = await app.lifecycle.open_by_hand(ANN, "All of it", "error", [], delivery="whole")
    role = replace(ANN, roles=frozenset({"approver"}))
    await app.regroup.merge(opened, whole, role)
    with pytest.raises(InvalidRequest, match=f"this is incident {opened} already, part of {whole} by now; it is open"):
        await about("again")
    await app.lifecycle.resolve(whole, ANN)
    assert await about("anew") not in (opened, whole)


async def test_what_a_chat_calls_somebody_is_no_name_in_a_reason(app: App) -> None:
    await bench.take(app, [alert_of("Down", "web"), alert_of("Slow", "blog")])
    (first, *rest) = await app.store.read(incidents.listed)
    stranger = Actor("slack:T1.U1", frozenset({"approver"}), human=True)
    alone = await app.regroup.move(first.alerts[0].fingerprint, None if first.alerts[1:] else rest[0].id, stranger)
    assert "a person put it here" in (await load(app, alone)).reasons
