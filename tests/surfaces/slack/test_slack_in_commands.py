"""`/sysop …` typed by people in a workspace: real Bolt, both ways in, a real gate behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import in_kit
import pytest
from in_kit import Rig

from sysop.api import Action, Context, Risk, SlashCommand, action, hookimpl
from sysop.errors import InvalidRequest
from sysop.model import ApprovalState
from sysop.store import approvals, audit, conversations, mode, outbox, runs
from sysop.store.writer import Tx
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.consumer import Consumer
from sysop.surfaces.slack.words import split


@action(risk=Risk.READ)
async def greet(ctx: Context, name: str) -> str:
    """Say hello."""
    return f"hello {name}"


def _name(text: str) -> dict[str, str]:
    if not text:
        raise ValueError("say whom to greet")
    return {"name": text}


class Greeter:
    """A plugin with a command of its own."""

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        return [greet]

    @hookimpl
    def register_slash_commands(self) -> Iterable[SlashCommand]:
        return [SlashCommand("greet", "say hello to somebody", "/sysop greet NAME", "greet", _name)]


@pytest.fixture(params=[("sqlite", "socket"), ("postgres", "http")], ids=["socket", "http"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with in_kit.started(request, tmp_path, plugins={"greeter": Greeter()}) as made:
        yield made


async def test_a_word_that_means_nothing_gets_help_with_the_nearest(rig: Rig) -> None:
    await rig.command("/sysop")
    help = in_kit.flat(await rig.whispered("What Sysop understands"))
    for word in ("ask", "status", "incident", "run", "approve", "deny", "runbook", "audit", "pause", "resume", "greet"):
        assert f"/sysop {word}" in help
    assert "cost" not in help
    await rig.command("/sysop statsu")
    seen = in_kit.flat(await rig.whispered("There is no "))
    assert "statsu" in seen
    assert "status" in seen


async def test_status_says_whether_all_is_well(rig: Rig) -> None:
    await rig.command("/sysop status")
    await rig.whispered("All is quiet")
    await rig.command("/sysop pause moving the database", user="on-call")
    await rig.whispered("Changes are paused", user="on-call")
    await rig.command("/sysop status")
    assert "moving the database" in in_kit.flat(await rig.whispered("Something needs attention"))


async def test_status_says_where_sysop_must_be_invited(rig: Rig) -> None:
    def unit(tx: Tx) -> None:
        place = {"surface": "slack", "team": rig.workspace.team_id, "channel": "C0NOTHERE", "root": None, "owner": ""}
        talk = conversations.create(tx, **place, title="An incident")
        row = outbox.post(tx, talk, {"text": "fire"})
        outbox.absent(tx, row, 600_000, "chat.postMessage: not_in_channel", doubtful=False)

    await rig.store.write(unit)
    await rig.command("/sysop status")
    assert "I am not in C0NOTHERE: invite me" in in_kit.flat(await rig.whispered("Something needs attention"))


async def test_an_answer_is_seen_by_who_asked_alone(rig: Rig) -> None:
    await rig.command("/sysop status")
    await rig.whispered("All is quiet")
    assert not [one for one in await rig.messages(user="lead") if "quiet" in str(one)]


async def test_ask_begins_a_conversation_in_a_thread_of_its_own(rig: Rig) -> None:
    await rig.command("/sysop ask why does #shop say <5 & @lead nothing?")
    await rig.whispered("On it")
    (run,) = await rig.store.read(runs.newest)
    assert (run.text, run.conversation is not None) == ("why does #shop say <5 & @lead nothing?", True)
    assert run.requesters == (f"slack:{rig.workspace.team_id}.{rig.workspace.users['requester']}",)
    assert run.conversation
    root = await rig.card(keys.root(run.conversation))
    assert root.channel == rig.workspace.channels["general"]
    assert any("why does #shop say <5 & @lead nothing?" in in_kit.flat(one) for one in await rig.messages())


async def test_ask_without_words_opens_a_form(rig: Rig) -> None:
    await rig.command("/sysop ask")
    view = await rig.view(callback="form.ask")
    await rig.did("view_submit", view_id=view["id"], state={"ask": {"text": {"value": "what is broken?"}}})
    await rig.whispered("On it")
    (run,) = await rig.store.read(runs.newest)
    assert run.text == "what is broken?"


async def test_run_goes_through_the_gate_and_asks_for_what_is_missing(rig: Rig) -> None:
    await rig.command("/sysop run lab.append name=“two words”")
    await rig.whispered("On it")
    first = await rig.approval()
    assert (first.action, json.loads(first.args)) == ("lab.append", {"name": "two words"})
    await rig.command("/sysop run lab.wipe count:=3")
    view = await rig.view(callback="form.run")
    assert "lab.wipe" in str(view)
    blank = await rig.do("view_submit", view_id=view["id"], state={})
    assert not blank["ok"], "the name is needed"
    given = {"arg:name": {"value": {"value": "x"}}}
    await rig.did("view_submit", view_id=view["id"], state=given)
    second = await rig.approval(2)
    assert (second.action, json.loads(second.args)) == ("lab.wipe", {"name": "x", "count": 3, "ratio": 1})


async def test_whoever_approves_by_command_is_told_of_a_pause(rig_socket: Rig) -> None:
    await rig_socket.command("/sysop run lab.append name=x")
    approval = await rig_socket.approval()
    await rig_socket.command("/sysop pause a freeze", user="on-call")
    await rig_socket.whispered("Changes are paused", user="on-call")
    await rig_socket.command(f"/sysop approve {approval.id}", user="lead")
    seen = in_kit.flat(await rig_socket.whispered("Your yes counts", user="lead"))
    assert "It was asked for lab.append on thing:x." in seen
    assert "Changes are paused (a freeze): it runs after /sysop resume." in seen


async def test_an_apostrophe_inside_a_word_is_no_quote(rig_socket: Rig) -> None:
    await rig_socket.command("/sysop run lab.append name=don’t")
    await rig_socket.whispered("On it")
    assert json.loads((await rig_socket.approval()).args) == {"name": "don't"}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("a reason=don't b=can't", ["a", "reason=don't", "b=can't"]),
        ('a reason="I don\'t \\" know" b', ["a", "reason=I don't \" know", "b"]),
        ("a reason='two words' 'b c'", ["a", "reason=two words", "b c"]),
        (r"a\ b it\'s", ["a b", "it's"]),
        ("“two words” l’eau", ["two words", "l'eau"]),
        ("", []),
    ],
)
def test_words_are_split_as_people_mean_them(typed: str, words: list[str]) -> None:
    assert split(typed) == words


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("a reason='tis b", "in reason='tis; write reason=\"'tis\""),
        ("a 'tis b", "in 'tis; write \"'tis\""),
        ("a=don't b=\"x y", 'in b="x; close it'),
        ("a b\\", "a backslash stands at the end"),
    ],
)
def test_an_open_quote_is_told_by_its_word(typed: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        split(typed)
    assert told in str(refused.value)


async def test_run_without_anything_lets_you_choose(rig: Rig) -> None:
    await rig.command("/sysop run")
    view = await rig.view(callback="form.choose")
    chosen = {"action": {"text": {"selected_option": {"value": "lab.append"}}}}
    await rig.did("view_submit", view_id=view["id"], state=chosen)
    view = await rig.view(callback="form.run")
    given = {"arg:name": {"value": {"value": "y"}}}
    await rig.did("view_submit", view_id=view["id"], state=given)
    assert (await rig.approval()).target == "thing:y"


CANNOT_BE = [
    ("run lab.appendd name=x", "there is no action 'lab.appendd'; did you mean 'lab.append'?"),
    ("run lab.append nam=x", "there is no argument 'nam'; did you mean 'name'?"),
    ("run lab.append name", "'name' is no argument; write KEY=VALUE"),
    ("run lab.append name=x name=y", "'name' is given twice"),
    ("run lab.wipe name=x count:=three", "count: what stands behind := must be JSON"),
    ("run lab.wipe name=x count=three", "count"),
    ('run lab.append name="x', 'a quote is opened and never closed, in name="x; close it, or leave it out'),
    ("run lab.append name=users' x", "a quote is opened and never closed, in name=users'; write name=\"users'\""),
    ("run lab.append name=password=hunter22222", "looks like a credential"),
    ("approve", "write /sysop approve ID"),
    ("approve apr-nothing", "there is no approval"),
    ("deny apr-nothing because", "there is no approval"),
    ("incident all", "write /sysop incident for the open ones"),
    ("greet", "say whom to greet; usage: /sysop greet NAME"),
]


async def test_what_cannot_be_is_told_with_the_fix_and_nothing_runs(rig_socket: Rig) -> None:
    for typed, says in CANNOT_BE:
        await rig_socket.command(f"/sysop {typed}")
        await rig_socket.whispered(says)
    assert await rig_socket.store.read(runs.newest) == []


@pytest.fixture
async def rig_socket(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with in_kit.started(request, tmp_path, ("sqlite", "socket"), plugins={"greeter": Greeter()}) as made:
        yield made


async def test_approve_and_deny_by_id_are_the_same_as_the_buttons(rig: Rig) -> None:
    await rig.command("/sysop run lab.append name=a")
    first = await rig.approval()
    await rig.command(f"/sysop approve {first.id}")
    await rig.whispered("who asks for a change cannot approve it")
    await rig.command(f"/sysop approve {first.id} looks right", user="guest")
    await rig.whispered("only people can approve", user="guest")
    await rig.command(f"/sysop approve {first.id} looks right", user="on-call")
    await rig.whispered("Your yes counts: approved.", user="on-call")
    (vote,) = (await rig.store.read(lambda conn: approvals.load(conn, first.id))).votes
    assert (vote.approver, vote.reason) == (
        f"slack:{rig.workspace.team_id}.{rig.workspace.users['on-call']}",
        "looks right",
    )
    await rig.command("/sysop run lab.append name=b")
    second = await rig.approval(2)
    await rig.command(f"/sysop deny {second.id}", user="lead")
    view = await rig.view("lead", "approval.deny")
    await rig.did("view_submit", "lead", view_id=view["id"], state={"reason": {"text": {"value": "not today"}}})

    async def denied() -> bool:
        return (await rig.store.read(lambda conn: approvals.load(conn, second.id))).state is ApprovalState.DENIED

    await in_kit.until(denied, "the denial")
    await rig.command(f"/sysop deny {second.id} again", user="on-call")
    await rig.whispered("the approval is denied already", user="on-call")


async def test_incident_lists_and_opens(rig: Rig) -> None:
    await rig.command("/sysop incident")
    await rig.whispered("No incident is open.")
    await rig.command("/sysop incident new")
    view = await rig.view(callback="form.incident")
    empty = await rig.do("view_submit", view_id=view["id"], state={"title": {"text": {"value": " "}}})
    assert not empty["ok"], "a title of blanks says nothing"
    state = {"title": {"text": {"value": "Checkout is slow"}}, "note": {"text": {"value": "since noon"}}}
    await rig.did("view_submit", view_id=view["id"], state=state)
    await rig.whispered("is open; ")
    await rig.command("/sysop incident", user="lead")
    await rig.whispered("Checkout is slow", user="lead")
    (noted,) = await rig.store.read(lambda conn: audit.entries(conn, kind="incident.noted"))
    assert json.loads(noted.body)["text"] == "since noon"


async def test_runbook_and_audit_are_looked_up(rig: Rig) -> None:
    await rig.command("/sysop runbook rollback of a release")
    await rig.whispered("No runbook has these words.")
    await rig.command("/sysop run lab.look")
    await rig.whispered("On it")
    (run,) = await rig.store.read(runs.newest)
    await rig.command(f"/sysop audit {run.id}", user="lead")
    assert "run.started" in str(await rig.whispered("audit entr", user="lead"))


async def test_pause_wants_a_reason_and_resume_a_role(rig: Rig) -> None:
    await rig.command("/sysop pause")
    view = await rig.view(callback="form.pause")
    await rig.did("view_submit", view_id=view["id"], state={"reason": {"text": {"value": "maintenance"}}})
    await rig.whispered("Changes are paused")
    assert (await rig.store.read(mode.read)).reason == "maintenance"
    await rig.command("/sysop resume")
    await rig.whispered("only a person with a role")
    assert (await rig.store.read(mode.read)).paused
    await rig.command("/sysop resume done", user="lead")
    await rig.whispered("Changes go on.", user="lead")
    assert not (await rig.store.read(mode.read)).paused


async def test_a_plugins_command_is_a_run_of_its_action(rig: Rig) -> None:
    await rig.command("/sysop greet the team")
    await rig.whispered("On it")
    (run,) = await rig.store.read(runs.newest)
    assert run.request["action"] == "greeter.greet"
    assert run.request["args"] == {"name": "the team"}


async def test_people_from_outside_get_nothing_started(rig_socket: Rig) -> None:
    await rig_socket.command("/sysop run lab.append name=x", user="external", channel="shop")
    await rig_socket.whispered("Only members of this workspace", user="external", channel="shop")
    assert await rig_socket.store.read(runs.newest) == []


async def test_with_slack_not_saying_who_somebody_is_nothing_is_done(rig_socket: Rig) -> None:
    await rig_socket.did("faults", method="users.info", kind="error", error="internal_error", times=9)
    await rig_socket.command("/sysop run lab.append name=x")
    await rig_socket.whispered("Nothing was done: Slack does not say who")
    assert await rig_socket.store.read(runs.newest) == []


async def test_a_form_that_comes_too_late_leaves_a_button(rig_socket: Rig) -> None:
    await rig_socket.did("faults", method="views.open", kind="error", error="expired_trigger_id", times=1)
    await rig_socket.command("/sysop ask")
    late = await rig_socket.whispered("could not be opened in time")
    await rig_socket.did("interact", channel="general", message_ts=late["ts"], action_id="form.open")
    await rig_socket.view(callback="form.ask")


async def test_what_breaks_is_told_by_a_reference_and_never_by_its_words(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is hunter22222")

    monkeypatch.setattr("sysop.service.Service.pause", broken)
    monkeypatch.setitem(Consumer.__init__.__kwdefaults__, "back_off_ms", 1)
    async with in_kit.started(request, tmp_path, ("sqlite", "socket")) as rig:
        await rig.command("/sysop pause now")
        told = in_kit.flat(await rig.whispered("could not do this (RuntimeError, reference ref-"))
        assert "hunter" not in told
        reference = told.partition("reference ")[2][:14]
        assert reference in caplog.text
        assert await rig.settled(1) == {"dead": 1}
        (dead,) = await rig.store.read(lambda conn: audit.entries(conn, kind="inbox.dead"))
        assert reference in dead.body
        assert "hunter" not in dead.body
