"""A no holds: alerts alone have nobody asked again for what was denied a moment ago, nor look again for less."""

from __future__ import annotations

from collections.abc import Callable

from gate.kit import ANN, BOB, Attack, Calls
from sysop.incidents import again
from sysop.model import Actor, Alert, ApprovalState, Origin, Request
from sysop.store import alerts, approvals, incidents, runs

ALERTS = Actor("service:alerts")
FIRST = {"name": "web"}
HOUR = 3_600_000


async def incident(gate: Attack) -> str:
    return await gate.app.lifecycle.open_by_hand(ANN, "web is down", "error", ["web"], delivery="d1")


async def begun(gate: Attack, about: str | None, actor: Actor = ALERTS, **args: str) -> str:
    """Begin a run as alerts do, or as a person does, and advance it to where it waits or ends."""
    origin = Origin.ALERT if actor is ALERTS else Origin.ASKED
    request = Request(actor, origin, "test", incident=about, action="lab.append", args=args or FIRST)
    run = await gate.app.service.submit(request)
    await gate.advance(run)
    return run


async def denied(gate: Attack, about: str | None) -> str:
    run = await begun(gate, about)
    assert (await gate.vote(await gate.approval(run), approve=False, reason="the database is being moved")).counted
    await gate.advance(run)
    return run


async def test_alerts_do_not_ask_again_for_what_a_person_has_denied(gate: Attack) -> None:
    about = await incident(gate)
    await denied(gate, about)
    second = await begun(gate, about)
    said = await gate.told(second)
    assert "bob denied it for this incident a moment ago: the database is being moved" in said
    assert len(await gate.app.store.read(lambda conn: approvals.listed(conn, pending_only=False))) == 1
    assert gate.begun == []


async def test_a_no_is_about_that_change_of_that_incident_and_binds_no_person(gate: Attack) -> None:
    about = await incident(gate)
    await denied(gate, about)
    other = await gate.app.lifecycle.open_by_hand(ANN, "web is down again", "error", ["web"], delivery="d2")
    for run in (
        await begun(gate, about, name="db"),
        await begun(gate, other),
        await begun(gate, None),
        await begun(gate, about, ANN),
    ):
        assert (await gate.approval(run)).state is ApprovalState.PENDING


async def test_a_no_is_over_after_an_hour_and_by_a_later_yes(gate: Attack) -> None:
    about = await incident(gate)
    await denied(gate, about)
    asked = await begun(gate, about, ANN)
    assert (await gate.vote(await gate.approval(asked), BOB)).counted
    await gate.advance(asked)
    assert len(gate.begun) == 1
    again_asked = await begun(gate, about)
    assert (await gate.vote(await gate.approval(again_asked), approve=False)).counted
    await gate.advance(again_asked)
    assert "denied it" in await gate.told(await begun(gate, about))
    await gate.sql("UPDATE vote SET at = at - :hour", hour=HOUR)
    assert (await gate.approval(await begun(gate, about))).state is ApprovalState.PENDING


async def test_that_it_spreads_is_no_reason_to_look_again_after_a_no_and_that_it_worsens_is(
    attack: Callable[..., Attack],
) -> None:
    gate = attack(incidents={"triage_after_seconds": 0, "triage_again_after_seconds": 0, "quiet_seconds": 3600})
    about = await incident(gate)

    async def fire(service: str, severity: str) -> None:
        now = await gate.app.store.now()
        one = Alert("test", f"{service} {severity}", now, None, {"service": service, "severity": severity}, {})
        await gate.app.store.write(lambda tx: alerts.add(tx, [one], {}))
        await gate.app.store.write(lambda tx: alerts.place(tx, alerts.key_of(one), about, "it fits", [], now + 1))
        await gate.app.store.write(lambda tx: incidents.change(tx, about, severity=severity))

    await fire("web", "error")
    run = await denied(gate, about)
    await gate.app.store.write(lambda tx: incidents.change(tx, about, run=run))
    await gate.sql("UPDATE run SET created_at = created_at - 1000 WHERE id = :run", run=run)
    await fire("gateway", "error")
    assert await gate.app.store.read(lambda conn: again.changed(conn, 0, 3)) == []
    await gate.sql("UPDATE vote SET at = at - :hour", hour=HOUR)
    assert await gate.app.store.read(lambda conn: again.changed(conn, 0, 3)) == [(about, "it has reached gateway")]
    await gate.sql("UPDATE vote SET at = at + :hour", hour=HOUR)
    await fire("web", "page")
    ((found, why),) = await gate.app.store.read(lambda conn: again.changed(conn, 0, 3))
    assert (found, why.partition(",")[0]) == (about, "alert is page")


async def test_a_run_whose_people_were_asked_is_answered_by_its_own_approval(gate: Attack) -> None:
    planner = Calls(("one", "lab.append", FIRST), ("two", "lab.append", FIRST))
    about = await incident(gate)
    gate.app.planners.add("calls", planner.named()["calls"])
    run = await gate.app.service.submit(Request(ALERTS, Origin.ALERT, "test", incident=about, planner="calls"))
    await gate.advance(run)
    assert (await gate.vote(await gate.approval(run, "one"), approve=False)).counted
    await gate.advance(run)
    assert await gate.app.store.read(runs.newest)
    assert await gate.app.store.read(lambda conn: approvals.newest_for(conn, run, "two")) is None
    assert gate.begun == []
