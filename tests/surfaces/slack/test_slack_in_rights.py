"""Who may do what from Slack, and what is not carried from a place where few read to one where many do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import in_kit
import pytest
from in_kit import Rig

from sysop.store import approvals, audit, conversations, inbox, incidents, mode, runs
from sysop.store.conversations import Conversation
from sysop.surfaces.slack import incoming, keys
from sysop.surfaces.slack.desk import ONLY_MEMBERS, ONLY_ROLES

SECRET = "the quokka acquisition is late"


@pytest.fixture
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with in_kit.started(request, tmp_path, ("sqlite", "socket"), incidents_channel=True) as made:
        yield made


def member(rig: Rig, name: str) -> str:
    return f"slack:{rig.workspace.team_id}.{rig.workspace.users[name]}"


async def deliver(rig: Rig, body: Mapping[str, Any]) -> None:
    """Put a delivery into the inbox whose place the stand-in cannot show."""
    it = incoming.parse(body)
    assert it is not None
    assert await rig.store.write(lambda tx: inbox.put(tx, it.key, it.kind, it.body, lane=it.lane))


async def talks(rig: Rig, count: int = 1) -> list[Conversation]:
    async def look() -> list[Conversation] | None:
        def read(conn: Any) -> list[Conversation]:
            found = [conversations.of_run(conn, run.id) for run in runs.newest(conn)]
            return [talk for talk in found if talk is not None]

        found = await rig.store.read(read)
        return found if len(found) >= count else None

    found: list[Conversation] = await in_kit.until(look, f"{count} conversations")
    return found


# -- the audit log ---------------------------------------------------------------------------------------------------


async def test_the_audit_log_is_for_people_with_a_role(rig: Rig) -> None:
    await rig.command("/sysop audit")
    await rig.whispered(ONLY_ROLES)
    await rig.command("/sysop audit", user="guest")
    await rig.whispered(ONLY_MEMBERS, user="guest")
    await rig.command("/sysop audit", user="lead")
    await rig.whispered("No such entry", user="lead")


async def test_the_audit_log_tells_kinds_and_ids_and_nothing_that_anybody_wrote(rig: Rig) -> None:
    channel = (await rig.did("open_dm"))["channel"]
    await rig.say(SECRET, channel=channel)
    (talk,) = await talks(rig)
    assert talk.run is not None
    run = talk.run
    await rig.command("/sysop run lab.append name=quokka")
    approval = await rig.approval()
    await rig.command(f"/sysop deny {approval.id} the quokka says no", user="lead")
    await rig.whispered("Your no counts", user="lead")
    await rig.command("/sysop pause quokka", user="lead")
    await rig.whispered("Changes are paused", user="lead")
    kept = await rig.store.read(lambda conn: audit.entries(conn, limit=500))
    assert sum("quokka" in entry.body for entry in kept) >= 5, "the log itself has all of it"
    shown: list[str] = []
    for id in (run, approval.run, approval.id, ""):
        await rig.command(f"/sysop audit {id}".strip(), user="lead", channel="shop")

        async def more() -> list[str] | None:
            seen = [in_kit.flat(one) for one in await rig.messages("shop", "lead")]
            told = [text for text in seen if "`sysop audit` on the command line" in text]
            return told if len(told) > len(shown) else None  # noqa: B023 (awaited before it changes)

        shown = await in_kit.until(more, f"the entries of {id}")
    assert not any("quokka" in text for text in shown)
    assert "run.finished" in shown[0]
    assert "mode.paused" in shown[-1]
    assert approval.id in shown[-1]


async def test_the_home_and_the_status_show_no_words_of_a_private_conversation(rig: Rig) -> None:
    channel = (await rig.did("open_dm"))["channel"]
    await rig.say(SECRET, channel=channel)
    await talks(rig)
    await rig.did("open_home", "lead")

    async def home() -> Any:
        return (await rig.see("state", "lead"))["home"]

    assert "quokka" not in json.dumps(await in_kit.until(home, "the Home"))
    for word in ("status", "incident"):
        await rig.command(f"/sysop {word}", user="lead")
    await rig.settled(4)
    assert not any("quokka" in json.dumps(one) for one in await rig.messages(user="lead"))


# -- guests ----------------------------------------------------------------------------------------------------------

FOR_MEMBERS = [
    *("pause now", "pause", "resume", "run", "run lab.look", "run lab.append name=x", "incident", "incident new"),
    *("audit", "runbook"),
]


@pytest.mark.parametrize("typed", FOR_MEMBERS)
async def test_a_guest_is_told_what_is_for_members(rig: Rig, typed: str) -> None:
    await rig.command(f"/sysop {typed}", user="guest")
    await rig.whispered(ONLY_MEMBERS, user="guest")
    assert not (await rig.see("state", "guest")).get("views"), "no form opens"
    assert not (await rig.store.read(mode.read)).paused
    assert not await rig.store.read(runs.newest)


async def test_a_guest_asks_and_talks_and_looks(rig: Rig) -> None:
    await rig.command("/sysop help", user="guest")
    await rig.whispered("What Sysop understands", user="guest")
    await rig.command("/sysop status", user="guest")
    await rig.whispered("All is quiet", user="guest")
    await rig.command("/sysop ask", user="guest")
    form = await rig.view("guest", "form.ask")
    await rig.did("view_submit", "guest", view_id=form["id"], state={"ask": {"text": {"value": "what is broken?"}}})
    await rig.whispered("On it", user="guest")
    await rig.say(f"<@{rig.workspace.bot_user_id}> and now?", user="guest")
    assert len(await talks(rig, 2)) == 2


async def test_a_guests_clicks_on_cards_do_nothing(rig: Rig) -> None:
    await rig.did("shortcut", "requester", callback_id="new_incident")
    form = await rig.view("requester", "form.incident")
    state = {"title": {"text": {"value": "Checkout is slow"}}, "triage": {"text": {"selected_options": []}}}
    await rig.did("view_submit", view_id=form["id"], state=state)

    async def opened() -> Any:
        return await rig.store.read(incidents.listed)

    (incident,) = await in_kit.until(opened, "an incident")
    card = await rig.card(keys.incident(incident.id))
    for number, button in enumerate(("acknowledge", "triage", "resolve"), 2):
        await rig.click(card, f"incident.{button}", "guest")
        await rig.settled(number + 1)
    (now,) = await rig.store.read(incidents.listed)
    assert (now.acknowledged_by, now.resolved_at, now.run) == (None, None, None)
    await rig.command("/sysop run lab.append name=x")
    approval = await rig.approval()
    await rig.click(await rig.card(keys.approval(approval.id)), "approval.approve", "guest")
    await rig.command(f"/sysop approve {approval.id} because", user="guest")
    await rig.whispered("only people can approve, no guests", user="guest")
    await rig.command(f"/sysop deny {approval.id}", user="guest")
    await rig.settled(9)
    assert not (await rig.see("state", "guest")).get("views"), "no form opens"
    fresh = await rig.store.read(lambda conn: approvals.load(conn, approval.id))
    assert fresh.votes == ()


# -- a message of somebody else's --------------------------------------------------------------------------------------


async def triage(rig: Rig, channel: str, ts: str) -> None:
    await rig.did("shortcut", "on-call", callback_id="triage_message", channel=channel, message_ts=ts)


async def test_whoever_wrote_a_message_that_is_triaged_is_one_of_those_who_ask(rig: Rig) -> None:
    ts = await rig.say("Checkout is down, run lab.append", user="lead")
    await triage(rig, "general", ts)
    await rig.whispered("is open", user="on-call")
    (run,) = await rig.store.read(runs.newest)
    assert {member(rig, "on-call"), member(rig, "lead")} <= set(run.requesters)


async def test_an_apps_message_that_is_triaged_was_written_by_nobody(rig: Rig) -> None:
    await rig.command("/sysop ask is the lab.append thing fine?")
    await rig.whispered("On it")
    (talk,) = await talks(rig)
    root = await rig.card(keys.root(talk.id))
    await triage(rig, "general", root.ts)
    await rig.whispered("is open", user="on-call")
    (incident,) = await rig.store.read(incidents.listed)
    (run,) = [one for one in await rig.store.read(runs.newest) if one.incident == incident.id]
    assert set(run.requesters) == {member(rig, "on-call")}


async def test_a_message_of_a_private_channel_is_looked_into_there(rig: Rig) -> None:
    channels = rig.workspace._world.channels
    next(one for one in channels if one.name == "shop").kind = "private"
    ts = await rig.say(SECRET, user="lead", channel="shop")
    await triage(rig, "shop", ts)
    (talk,) = await talks(rig)
    assert (talk.channel, talk.root, talk.incident) == (rig.workspace.channels["shop"], ts, None)
    (run,) = await rig.store.read(runs.newest)
    assert {member(rig, "on-call"), member(rig, "lead")} <= set(run.requesters)
    assert not await rig.store.read(incidents.listed)
    assert "quokka" not in json.dumps(await rig.messages("incidents"))


# -- messages between other people -----------------------------------------------------------------------------------


def typed(rig: Rig, text: str, number: int) -> dict[str, str]:
    place = {"channel_id": "D0BETWEENTWO", "channel_name": "directmessage", "trigger_id": f"1.{number}.a"}
    who = {"team_id": rig.workspace.team_id, "user_id": rig.workspace.users["requester"]}
    return {"command": "/sysop", "text": text, **place, **who}


@pytest.mark.parametrize("text", ["ask what is broken?", "run lab.look"])
async def test_what_is_typed_in_messages_between_others_is_answered_in_ones_own(rig: Rig, text: str) -> None:
    await deliver(rig, typed(rig, text, 1))
    (talk,) = await talks(rig)
    own = (await rig.did("open_dm"))["channel"]
    assert talk.channel == own
    await rig.card(keys.root(talk.id))


async def test_a_message_between_others_is_looked_into_in_ones_own(rig: Rig) -> None:
    said = {"type": "message", "user": rig.workspace.users["lead"], "ts": "1.000001", "text": SECRET}
    body = {
        **{"type": "message_action", "callback_id": "triage_message", "trigger_id": "1.9.a", "message_ts": said["ts"]},
        **{"team": {"id": rig.workspace.team_id}, "user": {"id": rig.workspace.users["requester"]}, "message": said},
        "channel": {"id": "D0BETWEENTWO", "name": "directmessage"},
    }
    await deliver(rig, body)
    (talk,) = await talks(rig)
    assert (talk.channel, talk.incident) == ((await rig.did("open_dm"))["channel"], None)
    assert not await rig.store.read(incidents.listed)
    (run,) = await rig.store.read(runs.newest)
    assert member(rig, "lead") in run.requesters
