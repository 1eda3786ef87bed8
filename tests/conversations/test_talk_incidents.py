"""Threads about incidents, without a model: a triage is done once, and what people ask afterwards is answered."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from talk_kit import Talks

import bench
from gate.kit import ANN, BOB, CAT
from sysop.errors import InvalidRequest
from sysop.model import Alert, Run
from sysop.store import conversations, incidents
from sysop.surfaces.slack.blocks.incident import View
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.timelines import incident_view

PAGE = """---
title: Web is down
alerts: [Down]
owner: shop
---
Web answers nothing. The usual reason is a full queue.

## Append a line

The line makes web answer again.

```step
id: append
action: lab.append
with: {name: web}
```

```step
id: check
action: lab.look
until: ${size(steps.check.result) > 0}
within: 5s
```

```conclude
resolved: true
summary: a line was appended
cause: the line was missing
```
"""
SERVICES = {"web": {}, "blog": {}}


@pytest.fixture
async def shop(url: str, tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "web.md").write_text(PAGE)
    changes = {"inventory": SERVICES, "runbooks": [str(tmp_path / "pages")], "prefer": "runbook"}
    opened = Talks(tmp_path, url, incidents={"quiet_seconds": 0, "triage_after_seconds": 0}, **changes)
    yield opened
    await opened.close()


def revision() -> str:
    return hashlib.sha256(PAGE.encode()).hexdigest()[:12]


async def fire(bot: Talks) -> str:
    labels = {"alertname": "Down", "severity": "critical", "service": "web"}
    await bench.take(bot.app, [Alert("test", "1", 1_700_000_000_000, None, labels, {})])
    (one,) = await bot.app.store.read(incidents.listed)
    return one.id


async def place(bot: Talks, incident: str) -> str:
    """Give an incident its thread, as a chat surface does when the incident is opened."""
    found = await bot.app.store.read(lambda conn: incidents.load(conn, incident))

    def unit(tx):  # type: ignore[no-untyped-def]
        talk = conversations.create(
            tx, surface="test", team="T1", channel="C1", root="1", owner="", title=found.title, incident=incident
        )
        if found.run:
            conversations.set_run(tx, talk.id, found.run)
        return talk.id

    return await bot.app.store.write(unit)


async def triaged(bot: Talks) -> tuple[str, str, Run]:
    incident = await fire(bot)
    talk = await place(bot, incident)
    await bot.work()
    run = (await bot.app.store.read(lambda conn: incidents.load(conn, incident))).run
    assert run is not None
    assert (await bot.vote(await bot.approval(run, "append"))).counted
    await bot.work()
    return incident, talk, await bot.run(run)


def told(run: Run) -> str:
    assert run.conclusion is not None, run
    return str(run.conclusion["summary"])


async def test_a_question_after_the_triage_is_answered_from_it_and_nothing_is_done_again(shop: Talks) -> None:
    incident, talk, triage = await triaged(shop)
    assert triage.conclusion is not None
    assert len(shop.begun) == 1
    heard = await shop.hear(talk, "why was web down?", BOB)
    await shop.work()
    run = await shop.run(str(heard.run))
    assert (run.incident, run.state, run.read_only) == (incident, "done", False)
    assert f"{triage.id} (done): a line was appended Cause: the line was missing." in told(run)
    assert "Changes: lab.append on thing:web: done." in told(run)
    assert f"⚠ pages/web.md (rev {revision()}, never reviewed) says:\n> **Web** answers nothing." in told(run)
    assert "```" not in told(run)
    assert run.conclusion is not None
    assert run.conclusion["escalate"] is None
    assert run.conclusion["cause"] == "the line was missing"
    assert len(shop.begun) == 1


async def test_the_triage_can_be_started_again_and_does_the_whole_again(shop: Talks) -> None:
    incident, talk, first = await triaged(shop)
    again = await shop.app.lifecycle.triage(incident, BOB)
    assert (await shop.talk(talk)).run == again
    with pytest.raises(InvalidRequest, match="is looking into"):
        await shop.app.lifecycle.triage(incident, CAT)
    await shop.work()
    asked = await shop.approval(again, "append")
    assert asked.run != first.id
    assert not (await shop.vote(asked, BOB)).counted
    assert (await shop.vote(asked, CAT)).counted
    await shop.work()
    assert len(shop.begun) == 2


async def test_no_triage_begins_while_the_thread_has_a_run_under_way(shop: Talks) -> None:
    incident, talk, _ = await triaged(shop)
    heard = await shop.hear(talk, "and now?", BOB)
    with pytest.raises(InvalidRequest, match=f"run {heard.run} is looking into"):
        await shop.app.lifecycle.triage(incident, CAT)


async def test_a_question_while_the_triage_waits_is_answered_beside_it(shop: Talks) -> None:
    incident = await fire(shop)
    talk = await place(shop, incident)
    await shop.work()
    heard = await shop.hear(talk, "what do you want to do, and why?", BOB)
    assert heard.kind == "looking"
    await shop.work()
    run = await shop.run(str(heard.run))
    assert "(waiting): waits until people decide on lab.append on thing:web" in told(run)
    assert f"The runbook that fits is pages/web.md (rev {revision()}, never reviewed)." in told(run)
    assert shop.begun == []
    (asked,) = [await shop.approval(str((await shop.talk(talk)).run), "append")]
    assert (await shop.vote(asked, BOB)).counted


async def test_a_wish_about_an_incident_goes_on_in_its_thread(shop: Talks) -> None:
    incident, talk, _ = await triaged(shop)
    begun = await shop.begin("what is known?", ANN, incident=incident, root="7.7")
    assert begun.conversation.id == talk
    assert begun.heard.kind == "run"
    again = await shop.begin("what is known?", ANN, incident=incident, root="7.7", ts="1700000000.000001")
    assert (again.run, again.heard.kind) == (begun.run, "repeat")
    with pytest.raises(InvalidRequest, match="there is no incident"):
        await shop.begin("what?", ANN, incident="inc-nothing")


async def test_the_same_runbook_is_not_followed_twice_in_a_thread_and_another_thread_may(shop: Talks) -> None:
    begun = await shop.begin("web is down, append a line", ANN)
    await shop.work()
    assert (await shop.vote(await shop.approval(str(begun.run), "append"))).counted
    await shop.work()
    second = await shop.hear(begun.conversation, "is web down? should it append a line again?", BOB)
    await shop.work()
    assert "This answer only looked." in told(await shop.run(str(second.run)))
    assert len(shop.begun) == 1
    other = await shop.begin("web is down, append a line", ANN)
    await shop.work()
    assert (await shop.approval(str(other.run), "append")).run == other.run


async def view(bot: Talks, incident: str) -> View:
    return await bot.app.store.read(lambda conn: incident_view(conn, incidents.load(conn, incident), Look()))


async def test_questions_change_nothing_in_what_is_told_of_the_incident(shop: Talks) -> None:
    incident = await fire(shop)
    talk = await place(shop, incident)
    await shop.work()
    await shop.hear(talk, "which deploy was it?", BOB)
    await shop.work()
    triage = str((await shop.talk(talk)).run)
    assert (await shop.vote(await shop.approval(triage, "append"), CAT)).counted
    await shop.work()
    before = await view(shop, incident)
    assert before.findings.cause == "the line was missing"
    assert before.findings.done
    assert all(one.startswith(triage) for one in before.findings.evidence)
    assert [one.text for one in before.timeline if "triage" in one.text] == [
        "triage begins",
        "triage ended: a line was appended",
    ]
    for number in range(7):  # more than a card tells of
        await shop.hear(talk, f"and now, for the {number}th time?", BOB)
        await shop.work()
    after = await view(shop, incident)
    assert (after.findings, after.timeline) == (before.findings, before.timeline)


async def test_what_the_thread_asks_to_have_done_is_told_as_asked(shop: Talks) -> None:
    incident, talk, _ = await triaged(shop)
    again = await shop.app.conversations.begin(
        surface="test",
        team="T1",
        channel="C1",
        root="1",
        actor=ANN,
        text="append once more",
        title="",
        delivery="2",
        incident=incident,
        action="lab.append",
        args={"name": "blog"},
    )
    await shop.work()
    told = [(one.text, one.actor) for one in (await view(shop, incident)).timeline]
    assert again.run is not None
    assert (await shop.talk(talk)).run == again.run
    assert ("asked: append once more", ANN.id) in told
    assert (await view(shop, incident)).findings.cause == "the line was missing"


async def test_what_is_said_in_the_thread_of_a_merged_incident_is_about_the_one_it_is_part_of(shop: Talks) -> None:
    gone, talk, _ = await triaged(shop)
    whole = await shop.app.lifecycle.open_by_hand(ANN, "The shop is down", "error", ["blog"], delivery="whole")
    await shop.app.regroup.merge(gone, whole, CAT)
    heard = await shop.hear(talk, "what fires still?", BOB)
    assert heard.text == f"{gone} is part of {whole} by now; I go by that one."
    run = await shop.run(str(heard.run))
    assert (run.incident, run.conversation) == (whole, talk)
    with pytest.raises(InvalidRequest, match=f"is looking into {whole} already"):
        await shop.app.lifecycle.triage(whole, BOB)
    await shop.app.lifecycle.resolve(whole, CAT)
    await shop.work()
    assert (await shop.run(run.id)).state == "cancelled"
    last = await shop.hear(talk, "and now?", BOB)
    assert (await shop.run(str(last.run))).incident == whole
