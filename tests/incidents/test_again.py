"""Which incidents are looked into again: when one got worse or reached another service, not for more of the same."""

from pathlib import Path

import pytest

import bench
from sysop.app import App
from sysop.incidents.again import Symptom, changed, material
from sysop.incidents.placements import Explained, Found, Placements
from sysop.model import Actor, Alert, Incident, RunState
from sysop.sections import IncidentSettings
from sysop.store import alerts, audit, conversations, incidents, runs
from sysop.store.writer import Tx

T0 = 1_700_000_000_000
ANN = Actor("person:ann", frozenset({"approver"}), human=True)
TIMING = {"triage_after_seconds": 0, "triage_again_after_seconds": 0, "quiet_seconds": 3600}
FIRST = Symptom("High", "checkout", "warning")


@pytest.mark.parametrize(
    ("later", "why"),
    [
        (Symptom("More", "checkout", "info"), None),
        (Symptom("Worse", "checkout", "critical"), "Worse is critical, and nothing was worse than warning before"),
        (Symptom("Other", "gateway", "warning"), "it has reached gateway"),
        (Symptom("Nowhere", "", "warning"), None),
    ],
)
def test_a_change_is_material_when_it_is_worse_or_further(later: Symptom, why: str | None) -> None:
    assert material([FIRST], [FIRST, later]) == why


def alert(name: str, service: str = "web", severity: str = "error") -> Alert:
    return Alert("test", name, T0, None, {"alertname": name, "service": service, "severity": severity}, {})


async def join(app: App, incident: str, later: Alert) -> None:
    """Let correlation put one more alert into an incident."""

    def unit(tx: Tx) -> None:
        alerts.add(tx, [later], {})
        members = [alerts.key_of(one) for one in incidents.load(tx.conn, incident).alerts]
        found = Found({alerts.key_of(later): Explained("g", "it fits")}, {"g": [*members, alerts.key_of(later)]})
        Placements(IncidentSettings(triage_after_seconds=0), lambda _request: "runbook").write(tx, found)

    await app.store.write(unit)


async def end(app: App, run: str | None) -> None:
    assert run is not None
    conclusion = {"summary": "nothing found", "resolved": False}
    await app.store.write(lambda tx: runs.end(tx, run, RunState.DONE, conclusion, "service:alerts"))


async def only(app: App) -> Incident:
    (one,) = await app.store.read(incidents.listed)
    return one


async def test_what_comes_while_a_run_waits_for_people_is_looked_into_after_it(tmp_path: Path, url: str) -> None:
    app = bench.build(tmp_path, url, incidents=TIMING)
    await bench.take(app, [alert("Down")])
    one = await only(app)

    def look(tx: Tx) -> None:
        run = runs.claim(tx, str(one.run), "w")
        assert run is not None
        runs.snapshot(tx, run.id, run.fence, incidents.as_json(incidents.load(tx.conn, one.id)))

    await app.store.write(look)
    await join(app, one.id, alert("Slow", "gateway"))
    await app.lifecycle.tick()
    assert (await only(app)).run == one.run, "it is under way"
    await end(app, one.run)
    await app.lifecycle.tick()
    assert (await only(app)).run != one.run
    assert await app.store.read(lambda conn: changed(conn, 0, 3)) == [], "that one is under way"
    await app.close()


async def test_alerts_begin_no_run_beside_one_that_people_began_in_the_thread(tmp_path: Path, url: str) -> None:
    app = bench.build(tmp_path, url, incidents=TIMING)
    id = await app.lifecycle.open_by_hand(ANN, "web is slow", "warning", [], delivery="d1")
    thread = {"surface": "slack", "team": "T1", "channel": "C1", "root": "1.1", "title": "web is slow"}
    begun = await app.conversations.begin(actor=ANN, text="restart web", incident=id, delivery="d2", **thread)
    await app.store.write(lambda tx: alerts.add(tx, [alert("Down")], {}))
    await app.regroup.move("Down", id, ANN)
    await join(app, id, alert("Slow", "gateway"))
    assert [run.id for run in await app.store.read(runs.newest)] == [begun.run]
    talk = await app.store.read(lambda conn: conversations.of_incident(conn, id))
    assert talk is not None
    assert talk.run == begun.run
    await end(app, begun.run)
    await join(app, id, alert("Odd", "blog"))
    assert len(await app.store.read(runs.newest)) == 2
    await app.close()


async def test_an_incident_is_looked_into_again_after_its_run_and_not_for_ever(tmp_path: Path, url: str) -> None:
    timing = {"triage_after_seconds": 0, "triage_again_after_seconds": 0, "triage_most": 2, "quiet_seconds": 3600}
    app = bench.build(tmp_path, url, incidents=timing)

    async def end(run: str) -> None:
        conclusion = {"summary": "nothing found", "resolved": False}
        await app.store.write(lambda tx: runs.end(tx, run, RunState.DONE, conclusion, "service:alerts"))

    async def grow(severity: str) -> None:
        now = await app.store.now()
        labels = {"alertname": severity, "service": "web", "severity": severity}
        later = Alert("test", severity, now, None, labels, {})
        await app.store.write(lambda tx: alerts.add(tx, [later], {}))
        await app.store.write(lambda tx: alerts.place(tx, alerts.key_of(later), one.id, "by hand", [], tx.now() + 1))
        await app.store.write(lambda tx: incidents.change(tx, one.id, severity=severity))

    await bench.take(app, [Alert("test", "1", T0, None, {"alertname": "Down", "severity": "error"}, {})])
    (one,) = await app.store.read(incidents.listed)
    assert one.run is not None
    await app.lifecycle.tick()
    assert len(await app.store.read(runs.newest)) == 1, "a run is under way"
    await end(one.run)
    await app.lifecycle.tick()
    assert len(await app.store.read(runs.newest)) == 1, "nothing has changed"
    await grow("critical")
    await app.lifecycle.tick()
    (again,) = await app.store.read(incidents.listed)
    assert again.run not in (None, one.run)
    entries = await app.store.read(lambda conn: audit.entries(conn, chain=incidents.chain(one.id)))
    assert [entry.kind for entry in entries][-1] == "incident.triaged_again"
    assert again.run is not None
    await end(again.run)
    await grow("page")
    assert await app.store.read(lambda conn: changed(conn, 0, 3))
    await app.lifecycle.tick()
    assert len(await app.store.read(runs.newest)) == 2, "often enough"
    await app.close()
