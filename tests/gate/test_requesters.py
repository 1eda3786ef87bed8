"""Several people behind one run: nobody lends another a right, and what one of them may not do is not done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gate.kit import ANN, BOB, CAT, DAN, Attack
from sysop.model import Actor, ApprovalState, Origin, Request
from sysop.sections import Person
from sysop.store import incidents, members, runs

ALERTS = Actor("service:alerts")
PEOPLE = {
    "ann": Person(uid=60001, roles=("approver",)),
    "bob": Person(uid=60002, roles=("approver",)),
    "con": Person(uid=60005, roles=("contractor",)),
}
CON = Actor("person:con", frozenset({"contractor"}), human=True)
SLACK = {"bot_token": "env:BOT", "app_token": "env:APP"}


def rules(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"rules": rules, "defaults": True}


async def begun(gate: Attack, by: Actor, origin: Origin, joined: Sequence[str]) -> str:
    """Submit a change and let more people have a say in it before anything is judged."""
    request = Request(by, origin, "test", action="lab.append", args={"name": "web"}, planner="direct")
    run = await gate.app.service.submit(request)
    for who in joined:
        await gate.app.store.write(lambda tx, who=who: runs.join(tx, run, [who], "please go on"))  # type: ignore[misc]
    await gate.advance(run)
    return run


async def test_words_in_an_alerts_run_do_not_lift_what_is_forbidden_to_alerts(attack: Callable[..., Attack]) -> None:
    policy = rules(
        {"name": "no autonomy", "match": {"origin": ["alert"], "risk": ["change"]}, "then": "forbid"},
        {"name": "people may", "match": {"origin": ["asked"], "risk": ["change"]}, "then": "allow"},
    )
    gate = attack(policy=policy)
    run = await begun(gate, ALERTS, Origin.ALERT, ["slack:T1.GUEST"])
    assert "no autonomy" in await gate.told(run)
    assert gate.begun == []


async def test_words_in_an_alerts_run_do_not_borrow_what_alerts_may(attack: Callable[..., Attack]) -> None:
    policy = rules({"name": "autonomy", "match": {"origin": ["alert"], "risk": ["change"]}, "then": "allow"})
    gate = attack(policy=policy)
    alone = await begun(gate, ALERTS, Origin.ALERT, [])
    assert await gate.state(alone) == "done"
    steered = await begun(gate, ALERTS, Origin.ALERT, [DAN.id])
    assert (await gate.approval(steered)).state is ApprovalState.PENDING


async def test_what_one_of_them_may_not_do_is_not_done_for_all_of_them(attack: Callable[..., Attack]) -> None:
    policy = rules({"name": "no contractors", "match": {"role": ["contractor"], "risk": ["change"]}, "then": "forbid"})
    gate = attack(policy=policy, people=lambda: PEOPLE)
    for by, origin, joined in (
        (CON, Origin.ASKED, ()),
        (CON, Origin.ASKED, (ANN.id,)),
        (ANN, Origin.ASKED, (CON.id,)),
        (ALERTS, Origin.ALERT, (CON.id,)),
    ):
        assert "no contractors" in await gate.told(await begun(gate, by, origin, joined)), (by, joined)
    assert gate.begun == []


async def test_nobody_lends_another_a_right(attack: Callable[..., Attack]) -> None:
    policy = rules({"name": "leads may", "match": {"role": ["lead"], "risk": ["change"]}, "then": "allow"})
    gate = attack(policy=policy)
    assert await gate.state(await begun(gate, CAT, Origin.ASKED, [])) == "done"
    assert (await gate.approval(await begun(gate, CAT, Origin.ASKED, [DAN.id]))).state is ApprovalState.PENDING


async def test_one_person_by_two_names_is_one_vote(attack: Callable[..., Attack]) -> None:
    known = dict(PEOPLE)
    gate = attack(slack=SLACK, people=lambda: known)
    store, people = gate.app.store, gate.app.people
    people._fresh_s = -1  # read the settings again at once
    facts = {"name": "zoe", "human": True, "roles": ("approver",)}
    await store.write(lambda tx: members.save(tx, "slack:T1.U999", actor="slack:T1.U999", **facts))  # type: ignore[arg-type]
    approval = await gate.ask("wipe", {"name": "web"})
    await people.refresh()
    member = await store.read(lambda conn: members.get(conn, "slack:T1.U999"))
    assert member is not None
    assert (await gate.vote(approval, by=people.by_member(member))).counted
    known["zoe"] = Person(slack="U999", roles=("approver",))
    counted = await gate.vote(approval, by=people.by_name("zoe"))
    assert (counted.counted, counted.message) == (False, "you have voted already")


async def test_who_opened_an_incident_or_is_quoted_in_it_asks_for_what_its_run_does(gate: Attack) -> None:
    incident = await gate.app.lifecycle.open_by_hand(ANN, "roll web back", "warning", (), delivery="1")
    run = await gate.app.lifecycle.triage(incident, BOB)
    assert set((await gate.run(run)).requesters) == {BOB.id, ANN.id}
    quoted = await gate.app.lifecycle.open_by_hand(
        BOB, "somebody wrote", "warning", (), delivery="2", triage=True, note="roll web back", also=[CAT.id]
    )
    found = await gate.app.store.read(lambda conn: incidents.load(conn, quoted))
    assert found.run is not None
    assert set((await gate.run(found.run)).requesters) == {BOB.id, CAT.id}


async def test_resolving_an_incident_takes_back_what_its_run_asks_for(gate: Attack) -> None:
    approval = await gate.ask("append")
    incident = await gate.app.lifecycle.open_by_hand(BOB, "web is slow", "warning", (), delivery="3")
    await gate.app.store.write(lambda tx: incidents.change(tx, incident, run=approval.run))
    await gate.app.lifecycle.resolve(incident, CAT, "false alarm")
    assert (await gate.load(approval.id)).state is ApprovalState.VOID
    counted = await gate.vote(approval)
    assert not counted.counted
    assert "a person resolved the incident" in await gate.told(approval.run)
