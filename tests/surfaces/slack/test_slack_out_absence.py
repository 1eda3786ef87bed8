"""Where we are not in a channel: nothing is lost, people hear of it, and what a thread begins with stays first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import out_kit as kit
import pytest
from out_kit import Out, Place, words

import bench
from gate.kit import Attack
from sysop.model import Actor, Alert, Origin, Request
from sysop.store import conversations, incidents, outbox, runs
from sysop.store.conversations import Conversation
from sysop.store.store import Store
from sysop.store.writer import Tx
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.outbox import absence
from sysop.surfaces.slack.outbox.absence import Office
from sysop.surfaces.slack.project import Projector
from sysop.surfaces.slack.render import Rendered

QUICK = {"quiet_seconds": 0, "triage_after_seconds": 0}
ALERT = Alert("test", "down-web", 1_700_000_000_000, None, {"alertname": "Down", "service": "web"}, {})


def office(place: Place) -> Office:
    return Office(place.channel("incidents"), lambda: [place.user("lead")])


@pytest.fixture
async def here(store: Store, place: Place) -> AsyncIterator[Out]:
    """Run a sender that knows where incidents are told."""
    async with kit.sending(store, place, office=office(place)) as running:
        yield running


@pytest.fixture
async def bot(tmp_path: Path, url: str, place: Place) -> AsyncIterator[Attack]:
    attack = Attack(tmp_path, url, incidents=QUICK)
    attack.app.store.project(Projector(place.channel("incidents")))
    yield attack
    await attack.close()


@pytest.fixture
async def real(bot: Attack, place: Place) -> AsyncIterator[Out]:
    """Run a sender of real documents."""
    look = Look(holding=bot.app.people.holding, actions=bot.app.host.actions)
    async with kit.sending(bot.app.store, place, pages=Rendered(look), office=office(place)) as running:
        yield running


async def gone(out: Out, channel: str = "incidents") -> None:
    await out.place.do("remove", user="requester", channel=channel, who="Sysop")


async def invited(out: Out, channel: str = "incidents") -> None:
    await out.place.do("invite", user="requester", channel=channel, who="Sysop")


async def until_red(out: Out) -> None:
    async def red() -> bool:
        return out.sender.health.red

    await kit.until(red, "the health is red")


async def until_calm(out: Out) -> None:
    async def calm() -> bool:
        return not out.sender.health.red

    await kit.until(calm, "the health is red no more")


async def refused(out: Out, times: int) -> bool:
    return len(await out.place.calls("chat.postMessage", ok=False)) >= times


async def privately(out: Out, user: str) -> list[str]:
    """Return what somebody was told in private, once."""
    direct = await out.clients.direct(out.place.team, out.place.user(user))
    posts = [one["args"] for one in await out.place.calls("chat.postMessage", ok=True)]
    return [one["text"] for one in posts if one["channel"] in (direct, out.place.user(user))]


async def asker(out: Out) -> str:
    owner = f"slack:{out.place.team}.{out.place.user()}"
    await out.store.write(lambda tx: kit.member(tx, owner))
    return owner


async def fresh(out: Out, talk: Conversation) -> Conversation:
    return await out.store.read(lambda conn: conversations.load(conn, talk.id))


# -- the channel of the incidents -------------------------------------------------------------------------------------


async def test_an_incident_waits_for_an_invitation_and_then_stands_in_order(bot: Attack, real: Out) -> None:
    await gone(real)
    await bench.take(bot.app, [ALERT])
    approval = await bot.ask("append")
    await until_red(real)
    assert real.sender.health.as_json()["not_in"] == {real.place.channel("incidents"): "not_in_channel"}
    assert await real.store.read(outbox.waits_in) == [real.place.channel("incidents")]

    async def warned() -> bool:
        return bool(await privately(real, "lead"))

    await kit.until(warned, "who holds a role hears of it")
    await invited(real)
    await real.quiet()
    await until_calm(real)
    assert await real.store.read(outbox.waits_in) == []
    (incident,) = await real.store.read(incidents.listed)
    stands = await real.message(f"incident:{incident.id}")
    talk = await real.store.read(lambda conn: conversations.of_incident(conn, incident.id))
    assert stands is not None
    assert talk is not None
    assert talk.root == stands.ts
    card = await real.message(f"approval:{approval.id}")
    assert card is not None
    assert (await real.store.read(outbox.counts)).get("dead") is None
    (told,) = await privately(real, "lead")
    assert "nobody sees the incidents and approvals" in told


@pytest.mark.parametrize("error", ["channel_not_found", "not_in_channel", "is_archived"])
async def test_what_belongs_there_waits_however_long_it_takes(
    here: Out, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absence, "PATIENCE_MS", -1)
    talk = await here.talk("incidents")
    here.pages.documents[f"root:{talk.id}"] = words("who asked for what")
    await gone(here)
    await here.place.fault("chat.postMessage", "error", error=error, times=8)
    await here.show(talk, "approval:apr-1", words("please"))
    await kit.until(lambda: refused(here, 8), "it was tried again and again")
    await invited(here)
    await here.quiet()
    assert await here.texts(talk, "incidents") == ["who asked for what", "please"], "in this order all the same"


async def test_people_are_told_anew_when_we_are_put_out_again(here: Out) -> None:
    talk = await here.begun("incidents")
    for number in (1, 2):
        await gone(here)
        await here.say(talk, f"word {number}")
        await until_red(here)
        await invited(here)
        await here.quiet()
        await until_calm(here)
    assert len(await privately(here, "lead")) == 2
    assert await here.texts(talk, "incidents") == ["root", "word 1", "word 2"]


# -- any other channel ------------------------------------------------------------------------------------------------


async def test_an_answer_that_cannot_begin_where_it_was_asked_for_comes_in_private(here: Out) -> None:
    await gone(here, "general")
    talk = await here.talk(owner=await asker(here))
    await here.say(talk, "the answer")
    await here.say(talk, "and more")
    await here.quiet()
    assert (await fresh(here, talk)).channel == await here.clients.direct(here.place.team, here.place.user())
    why, *told = await privately(here, "requester")
    assert "because I am not there, so the answer comes here" in why
    assert told == ["the answer", "and more"]
    await until_calm(here)


async def test_a_thread_that_has_begun_waits_and_who_began_it_hears_of_it_once(here: Out) -> None:
    talk = await here.talk(owner=await asker(here))
    await here.say(talk, "root")
    await here.quiet()
    await gone(here, "general")
    await here.say(talk, "the answer")
    await until_red(here)
    await here.say(talk, "and more")
    await invited(here, "general")
    await here.quiet()
    assert await here.texts(talk) == ["root", "the answer", "and more"]
    (told,) = await privately(here, "requester")
    assert "Invite me there within a day" in told


async def test_after_a_day_what_was_to_be_said_there_is_given_up(here: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absence, "PATIENCE_MS", -1)
    talk = await here.begun()
    await gone(here, "general")
    lost = await here.say(talk, "lost")
    await here.quiet()
    assert (await here.state(lost)).state == "dead"
    await until_calm(here)
    assert "outbox.dead" in await here.store.read(kit.audit_kinds)


async def test_a_change_whose_conversation_moves_is_shown_to_those_who_may_decide(bot: Attack, real: Out) -> None:
    """`/sysop run` in a channel without us: who asked is answered in private and others are asked in the channel."""
    await gone(real, "general")
    await real.place.fault("chat.postMessage", "429", retry_after=20)  # so that the approval is there before the move
    owner = await asker(real)
    general = real.place.channel("general")

    def unit(tx: Tx) -> str:
        place = {"surface": "slack", "team": real.place.team, "channel": general, "root": None, "owner": owner}
        talk = conversations.create(tx, **place, title="lab.append")
        person = Actor(owner, frozenset(), human=True)
        call = {"action": "lab.append", "args": {"name": "web"}}
        asks = Request(person, Origin.ASKED, "slack", conversation=talk.id, **call)
        run = runs.create(tx, asks, "direct")
        conversations.set_run(tx, talk.id, run)
        return run

    run = await real.store.write(unit)
    await bot.advance(run)
    approval = await bot.approval(run)
    await real.quiet()
    card = await real.message(f"approval:{approval.id}#2")
    assert card is not None
    assert card.channel == real.place.channel("incidents")


# -- what a thread begins with ----------------------------------------------------------------------------------------


async def test_a_thread_never_begins_with_an_answer(bot: Attack, real: Out) -> None:
    """The row of an incident's card came to nothing: the next one brings the card along and stands below it."""
    await gone(real)
    await bench.take(bot.app, [ALERT])
    await until_red(real)
    (incident,) = await real.store.read(incidents.listed)

    def dies(tx: Tx) -> None:
        for row in outbox.heads(tx.conn, without=()):
            if row.item.key == f"incident:{incident.id}":
                outbox.dead(tx, row.item.id, "an operator gave it up")

    async def dead() -> bool:
        await real.store.write(dies)
        return bool((await real.store.read(outbox.counts)).get("dead"))

    await kit.until(dead, "the card is given up")
    await invited(real)
    await real.quiet()
    talk = await real.store.read(lambda conn: conversations.of_incident(conn, incident.id))
    assert talk is not None
    stands = await real.message(f"incident:{incident.id}")
    assert stands is not None
    assert stands.ts == talk.root
    root, *rest = await real.thread(talk, "incidents")
    assert "Down" in str(root)
    assert rest


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_first_message_whose_answer_was_lost_is_there_once(here: Out, kind: str) -> None:
    talk = await here.talk()
    here.pages.documents[f"root:{talk.id}"] = words("who asked for what")
    await here.place.fault("chat.postMessage", kind)
    await here.show(talk, "approval:apr-1", words("please"))
    await here.quiet()
    assert await here.texts(talk) == ["who asked for what", "please"]
    card, first = await here.message("approval:apr-1"), await here.message(f"root:{talk.id}")
    assert card is not None
    assert first is not None
    assert first.ts == (await fresh(here, talk)).root != card.ts


async def test_an_opening_of_another_part_is_what_its_thread_begins_with(here: Out) -> None:
    talk = await here.talk()
    here.pages.documents[f"root:{talk.id}"] = words("somebody asked")
    await here.show(talk, "shop:1", words("the shop"))
    await here.quiet()
    assert await here.texts(talk) == ["the shop"]
