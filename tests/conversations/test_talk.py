"""A thread as people use it: what they say is worked on, queued, looked into, or stops things."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from talk_kit import EVE, Talks

from gate.kit import ANN, BOB, CAT, DAN
from sysop.conversations.talk import LOOKS, MAX_TEXT
from sysop.errors import InvalidRequest
from sysop.model import ApprovalState, RunState
from sysop.store import audit, runs


async def test_a_thread_begins_with_a_run_and_the_next_message_remembers_it(bot: Talks) -> None:
    begun = await bot.begin("append free", ANN)
    talk, first = begun.conversation, str(begun.run)
    assert (begun.heard.kind, talk.run, talk.root, talk.owner) == ("run", first, "1700000000.000001", ANN.id)
    await bot.work()
    await bot.vote(await bot.approval(first, "c0"))
    await bot.work()
    heard = await bot.hear(talk, "look", BOB)
    assert heard.kind == "run"
    await bot.work()
    (before,) = bot.obeys.before[str(heard.run)]
    assert (before.run, before.text, before.resolved) == (first, "append free", True)
    assert before.requesters == (ANN.id,)
    assert before.changes == ("lab.append on thing:free: done",)
    assert await bot.states(talk) == ["taken", "taken"]
    assert [run.conversation for run in await bot.runs(talk)] == [talk.id, talk.id]


async def test_beginning_again_gives_the_same_conversation_and_run(bot: Talks) -> None:
    first = await bot.begin("look", ts="1.1")
    again = await bot.begin("look", ts="1.1")
    other_delivery = await bot.begin("look", ts="1.1", delivery="the same message as another event")
    for one in (again, other_delivery):
        assert (one.conversation.id, one.run, one.heard.kind) == (first.conversation.id, first.run, "repeat")
    slash = [await bot.begin("look", root=None, ts="trigger 1", delivery="trigger 1") for _ in range(2)]
    assert slash[0].conversation == slash[1].conversation
    assert slash[0].run == slash[1].run
    assert len(await bot.app.store.read(runs.newest)) == 2


async def test_many_at_once_begin_one_conversation(bot: Talks, tmp_path: Path) -> None:
    other = Talks(tmp_path, bot.url)
    begun = await asyncio.gather(
        *(one.begin("look", ts="1.1", delivery=f"event {n}") for n in range(4) for one in (bot, other))
    )
    assert len({one.conversation.id for one in begun}) == 1
    assert sorted(one.heard.kind for one in begun) == ["repeat"] * 7 + ["run"]
    await other.close()


async def test_a_message_heard_twice_is_heard_once(bot: Talks) -> None:
    talk = (await bot.begin("look")).conversation
    heard = [await bot.hear(talk, "look again", ts="2.2") for _ in range(3)]
    assert [one.kind for one in heard] == ["queued", "repeat", "repeat"]
    assert len(await bot.turns(talk)) == 2


async def test_words_during_a_run_wait_for_it_and_become_one_follow_up(bot: Talks) -> None:
    begun = await bot.begin("look", ANN)
    talk = begun.conversation
    run = await bot.held(str(begun.run))
    assert (await bot.hear(talk, "append p", BOB)).kind == "queued"
    assert (await bot.hear(talk, "append q", CAT)).kind == "queued"
    await bot.talks.tick()
    assert len(await bot.runs(talk)) == 1, "the run has not ended"
    await bot.app.store.write(lambda tx: runs.end(tx, run.id, RunState.DONE, {"summary": "x", "resolved": True}, "t"))
    await asyncio.gather(bot.talks.tick(), bot.talks.tick())
    await bot.talks.tick()
    _, follow = await bot.runs(talk)
    assert follow.text == "append p\n\nappend q"
    assert follow.requesters == (BOB.id, CAT.id)
    assert set(follow.roles) == BOB.roles
    assert [(t.state, t.run) for t in await bot.turns(talk)][1:] == [("taken", follow.id)] * 2
    assert (await bot.talk(talk.id)).run == follow.id
    assert "run.heard" in await bot.kinds(follow.id)
    await bot.work()
    for who, counts in ((BOB, False), (CAT, False), (ANN, False)):
        voted = await bot.vote(await bot.approval(follow.id, "c0"), who)
        assert voted.counted is counts, (who, voted)
        assert voted.message == "who asks for a change cannot approve it"


async def test_who_asked_earlier_in_a_thread_cannot_approve_what_a_later_run_of_it_wants(bot: Talks) -> None:
    begun = await bot.begin("look and say that web should be appended", BOB)
    await bot.work()
    later = await bot.hear(begun.conversation, "append web", ANN)
    await bot.work()
    asked = await bot.approval(str(later.run), "c0")
    assert set(asked.requesters) == {ANN.id, BOB.id}
    assert (await bot.vote(asked, BOB)).message == "who asks for a change cannot approve it"
    assert (await bot.vote(asked, CAT)).counted


async def test_while_people_decide_a_question_is_looked_into_beside(bot: Talks) -> None:
    talk, run = await bot.waiting()
    heard = await bot.hear(talk, "look", BOB)
    assert heard.kind == "looking"
    change = await bot.hear(talk, "append other", CAT)
    assert change.kind == "looking"
    await bot.work()
    look = await bot.run(str(heard.run))
    assert look.read_only
    assert look.conclusion == {**(look.conclusion or {}), "summary": "look: done"}
    (beside,) = bot.obeys.before[look.id]
    assert (beside.run, beside.state) == (run, "waiting")
    assert "lab.append on thing:web (append web)" in beside.summary
    assert (await bot.run(str(change.run))).conclusion["summary"] == "append other: nothing to do"  # type: ignore[index]
    assert (await bot.talk(talk.id)).run == run
    assert (await bot.run(run)).requesters == (ANN.id,)
    assert (await bot.vote(await bot.approval(run, "c0"), BOB)).counted, "a question does not take a vote away"
    await bot.work()
    assert bot.begun == [f"{run}:c0"]


async def test_only_a_few_questions_are_looked_into_at_once(bot: Talks) -> None:
    talk, _ = await bot.waiting()
    kinds = [(await bot.hear(talk, f"look {n}", BOB)).kind for n in range(LOOKS + 1)]
    assert kinds == ["looking"] * LOOKS + ["refused"]
    await bot.work()
    assert (await bot.hear(talk, "look again", BOB)).kind == "looking"


async def test_what_is_said_beside_a_run_is_answered_with_what_goes_on_and_how_to_end_it(bot: Talks) -> None:
    talk, run = await bot.waiting()
    asked = await bot.approval(run, "c0")
    for text in ("look", "that looks wrong to me", "no"):
        heard = await bot.hear(talk, text, ANN)
        assert "writing just “stop”" in heard.text
        assert ("lab.append on thing:web still waits for a decision" in heard.text) == (heard.kind == "looking")
    assert (await bot.approval(run, "c0")).state is ApprovalState.PENDING
    assert (await bot.hear(talk, "no, cancel the change", ANN)).kind == "revoked"
    assert (await bot.approval(asked.run, "c0")).state is ApprovalState.REVOKED
    begun = await bot.begin("look")
    await bot.held(str(begun.run))
    queued = await bot.hear(begun.conversation, "and stop the checkout service", BOB)
    assert queued.kind == "queued"
    assert "writing just “stop”" in queued.text
    assert (await bot.hear(begun.conversation, "stop the rollback please", ANN)).kind == "stopped"


async def test_work_is_stopped_by_its_name_only_while_some_is_under_way(bot: Talks) -> None:
    heard = (await bot.begin("cancel the deploy")).heard
    assert (heard.kind, heard.text) == ("run", "")


async def test_stop_in_a_thread_of_its_own_names_what_goes_on_elsewhere(bot: Talks) -> None:
    talk, run = await bot.waiting(by=ANN)
    asked = await bot.approval(run, "c0")
    told = (await bot.begin("stop", ANN)).heard.text
    assert told.startswith("Nothing is under way here. Elsewhere you have asked for “append web”")
    assert asked.id in told
    assert "write “stop” in its thread" in told
    assert (await bot.approval(run, "c0")).state is ApprovalState.PENDING
    for who, more in ((EVE, {}), (ANN, {"team": "T2"})):
        assert (await bot.begin("stop", who, **more)).heard.text == "Nothing is under way here."
    await bot.hear(talk, "stop", ANN)
    await bot.work()
    assert (await bot.begin("stop", ANN)).heard.text == "Nothing is under way here."


@pytest.mark.parametrize("word", ["approve", "yes", "ok", ":+1:"])
async def test_no_word_approves(bot: Talks, word: str) -> None:
    talk, run = await bot.waiting()
    heard = await bot.hear(talk, word, BOB)
    assert heard.kind == "refused"
    assert "use the buttons" in heard.text
    assert "/sysop approve" in heard.text
    await bot.work()
    assert (await bot.approval(run, "c0")).state is ApprovalState.PENDING
    assert len(await bot.runs(talk)) == 1
    assert (await bot.run(run)).requesters == (ANN.id,)


async def test_the_requester_and_an_approver_can_withdraw_by_word_and_nobody_else(bot: Talks) -> None:
    talk, run = await bot.waiting(by=ANN)
    no = await bot.hear(talk, "revoke", EVE)
    assert no.kind == "refused"
    assert "only who asked, or a person with role approver, can revoke this" in no.text
    assert (await bot.approval(run, "c0")).state is ApprovalState.PENDING
    yes = await bot.hear(talk, "Never mind.", ANN)
    assert (yes.kind, yes.run) == ("revoked", run)
    assert (await bot.approval(run, "c0")).state is ApprovalState.REVOKED
    await bot.work()
    assert bot.begun == []
    assert (await bot.run(run)).over
    talk, run = await bot.waiting("append two", DAN)
    assert (await bot.hear(talk, "cancel", BOB)).kind == "revoked"


async def test_stop_words_stop_a_run_that_works_and_let_go_of_what_was_said(bot: Talks) -> None:
    begun = await bot.begin("append web")
    talk, run = begun.conversation, str(begun.run)
    await bot.held(run)
    await bot.hear(talk, "append more", BOB)
    refused = await bot.hear(talk, "stop", EVE)
    assert refused.kind == "refused"
    assert "can stop it" in refused.text
    heard = await bot.hear(talk, "stop", ANN)
    assert (heard.kind, heard.run) == ("stopped", run)
    assert "stops at its next step" in heard.text
    assert "let go, too (1)" in heard.text
    await bot.sql("UPDATE run SET state = 'queued' WHERE id = :id", id=run)
    await bot.work()
    ended = await bot.run(run)
    assert ended.state is RunState.CANCELLED
    await bot.talks.tick()
    assert len(await bot.runs(talk)) == 1
    assert await bot.states(talk) == ["taken", "answered", "answered", "answered"]
    nothing = await bot.hear(talk, "stop", ANN)
    assert (nothing.kind, nothing.text) == ("refused", "Nothing is under way here.")


async def test_stop_says_what_was_done_and_what_was_not_and_is_said_once(bot: Talks) -> None:
    begun = await bot.begin("append one\nappend two\nappend three", ANN)
    talk, run = begun.conversation, str(begun.run)
    await bot.work()
    await bot.vote(await bot.approval(run, "c0"))
    await bot.work()
    look = await bot.hear(talk, "look", BOB)
    stopped = await bot.talks.stop(talk.id, ANN)
    assert (stopped.ended, stopped.stopping, stopped.refused) == ((run, look.run), (), False)
    assert "Done: lab.append on thing:one: done. Not done: lab.append on thing:two (people were asked)" in stopped.text
    assert bot.begun == [f"{run}:c0"]
    ended = await bot.run(run)
    assert ended.state is RunState.CANCELLED
    assert "Done: lab.append on thing:one" in ended.conclusion["summary"]  # type: ignore[index]
    entries = len(await bot.kinds(run))
    again = await bot.talks.stop(talk.id, ANN)
    assert (again.ended, again.stopping, again.text) == ((), (), "Nothing is under way here.")
    assert len(await bot.kinds(run)) == entries
    follow = await bot.hear(talk, "look", ANN)
    await bot.work()
    assert run in [one.run for one in bot.obeys.before[str(follow.run)]], "what was stopped is remembered"


async def test_a_run_that_works_ends_with_what_it_has_done_when_stopped(bot: Talks) -> None:
    begun = await bot.begin("look", ANN)
    run = await bot.held(str(begun.run))
    first = await bot.talks.stop(begun.conversation.id, BOB)
    again = await bot.talks.stop(begun.conversation.id, BOB)
    assert first.stopping == again.stopping == (run.id,)
    assert (await bot.kinds(run.id)).count("run.cancel_requested") == 1
    await bot.sql("UPDATE run SET state = 'queued' WHERE id = :id", id=run.id)
    await bot.work()
    ended = await bot.run(run.id)
    assert ended.state is RunState.CANCELLED
    assert ended.conclusion["summary"] == "cancelled while it was running. Nothing was changed."  # type: ignore[index]


async def test_courtesy_starts_nothing_and_makes_nobody_a_requester(bot: Talks) -> None:
    begun = await bot.begin("hello")
    assert (begun.run, begun.heard.kind) == (None, "thanks")
    assert begun.heard.text.startswith("Hello.")
    talk = begun.conversation
    first = await bot.hear(talk, "look", ANN)
    assert (await bot.hear(talk, "thanks!", BOB)).kind == "thanks"
    await bot.work()
    assert [run.id for run in await bot.runs(talk)] == [first.run]
    assert await bot.states(talk) == ["answered", "taken", "answered"]
    assert (await bot.run(str(first.run))).requesters == (ANN.id,)


async def test_an_action_runs_as_its_own_call_and_waits_for_nobodys_turn(bot: Talks) -> None:
    begun = await bot.begin("", action="lab.append", args={"name": "web"}, root=None)
    again = await bot.begin("", action="lab.append", args={"name": "web"}, root=None, delivery="message None")
    assert begun.run != again.run
    run = await bot.run(str(begun.run))
    assert (run.planner, run.conversation) == ("direct", begun.conversation.id)
    with pytest.raises(InvalidRequest, match="looks like a credential"):
        await bot.begin("", action="lab.append", args={"name": "password=hunter22222"})
    busy = await bot.begin("look")
    with pytest.raises(InvalidRequest, match="is under way here"):
        await bot.begin("", action="lab.look", root=busy.conversation.root)


async def test_somebody_from_outside_asks_and_never_steers(bot: Talks) -> None:
    begun = await bot.begin("append web", EVE, read_only=True)
    assert begun.heard.kind == "looking"
    await bot.work()
    assert bot.begun == []
    main = await bot.hear(begun.conversation, "look", ANN)
    await bot.held(str(main.run))
    assert (await bot.hear(begun.conversation, "append web", EVE, read_only=True)).kind == "looking"
    assert EVE.id not in (await bot.run(str(main.run))).requesters


async def test_a_long_text_is_cut_and_says_so_and_a_secret_is_not_kept(bot: Talks) -> None:
    begun = await bot.begin(f"password=hunter22222 {'x' * 3 * MAX_TEXT}\x00\ud800")
    (turn,) = await bot.turns(begun.conversation)
    run = await bot.run(str(begun.run))
    for text in (turn.text, run.text):
        assert len(text) < MAX_TEXT + 100
        assert "more characters were left out" in text
        assert "hunter22222" not in text


async def test_all_that_happened_is_in_the_log_and_the_log_verifies(bot: Talks) -> None:
    talk, run = await bot.waiting()
    await bot.hear(talk, "stop", ANN)
    await bot.work()
    assert "approval.revoked" in await bot.kinds(f"approval:{(await bot.approval(run, 'c0')).id}")
    assert (await bot.app.store.read(audit.verify)).ok


@pytest.mark.parametrize("after", ["park", "finish"])
async def test_a_message_beside_a_park_or_an_end_is_never_lost(bot: Talks, tmp_path: Path, after: str) -> None:
    """Messages come from another process while the run parks or ends; each ends up with exactly one run."""
    other = Talks(tmp_path, bot.url)
    for number in range(6):
        begun = await bot.begin("append web" if after == "park" else "look")
        talk = begun.conversation
        advance = asyncio.create_task(bot.advance(str(begun.run)))
        heard = []
        for n in range(5):
            heard.append(await other.hear(talk, f"look {n}", BOB, ts=f"180000000{number}.{n}"))
            await asyncio.sleep(0.002 * number)
        await advance
        for _ in range(3):  # what was said to a follow-up becomes one of its own
            await bot.talks.tick()
            await bot.work()
        turns = {turn.ts: turn for turn in await bot.turns(talk)}
        for n, one in enumerate(heard):
            state = turns[f"180000000{number}.{n}"].state
            assert (one.kind, state) in {
                ("queued", "queued"),
                ("queued", "taken"),
                ("looking", "taken"),
                ("run", "taken"),
                ("refused", "answered"),
            }
            assert (state == "queued") <= (after == "park")
        mains = [run for run in await bot.runs(talk) if not run.read_only]
        assert sum(not run.over for run in mains) <= 1
    await other.close()


async def test_each_of_many_processes_sees_one_order(bot: Talks, tmp_path: Path) -> None:
    others = [Talks(tmp_path, bot.url) for _ in range(3)]
    talk = (await bot.begin("hello")).conversation
    heard = await asyncio.gather(
        *(one.hear(talk, f"look {n}", BOB, ts=f"5.{n}{k}") for k, one in enumerate(others) for n in range(4))
    )
    assert sorted(one.kind for one in heard) == ["queued"] * 11 + ["run"]
    assert len(await bot.runs(talk)) == 1
    for one in others:
        await one.close()
