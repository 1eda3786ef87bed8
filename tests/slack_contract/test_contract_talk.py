"""What people say: to the bot, in its threads, while it works and while it waits."""

from __future__ import annotations

import pytest
from contract_company import Company

from sysop.model import ApprovalState, RunState
from sysop.store import conversations, runs
from sysop.store import tables as t
from sysop.testing.bot import Bot
from sysop.testing.seen import Seen

pytestmark = pytest.mark.needs("chat.postEphemeral")
stop = pytest.mark.needs("agents.sessions.setStatus", "act:stop")


async def held(bot: Bot, company: Company, text: str = "@sysop hold checkout") -> Seen:
    """Let a run begin a look that lasts, and return the message that asked for it."""
    await bot.say(text, wait=False)
    await company.held.wait()
    return await bot.wait_for_message("hold checkout")


async def all_runs(bot: Bot) -> list[RunState]:
    return [run.state for run in reversed(await bot.app.store.read(runs.newest))]


async def test_a_mention_begins_a_conversation_in_the_thread_of_its_message(bot: Bot) -> None:
    await bot.say("@sysop orders")
    assert bot.thread[0].author == "@requester"
    assert "obeyed: orders is done" in bot.answer
    await bot.say("@sysop")
    assert "Say what to look into" in str(bot.told)
    assert await all_runs(bot) == [RunState.DONE]


async def test_a_reply_needs_no_mention_and_remembers_what_was_before(bot: Bot) -> None:
    await bot.say("@sysop orders")
    await bot.say("and now", thread=bot.last, user="lead")
    assert "obeyed: and now, after ['orders']" in bot.answer


async def test_a_mention_in_the_thread_of_people_is_answered_there(bot: Bot, company: Company) -> None:
    await bot.slack.say("requester", "general", "the shop is slow")
    (root,) = await bot.slack.messages("lead", "general")
    await bot.say("@sysop orders", thread=root, user="lead")
    assert bot.answer.root == root.id
    assert "only what names me" in str(bot.told)
    await bot.say("payments fails, too", thread=root, user="requester")
    assert "obeyed: payments fails, too" not in bot.answer, "people go on talking with each other"
    await bot.say("@sysop payments fails, too", thread=root, user="requester")
    assert "obeyed: payments fails, too, after ['orders']" in bot.answer, "the thread is a conversation from now on"
    await bot.say("@sysop hold checkout", thread=root, user="lead", wait=False)
    await company.held.wait()
    await bot.say("lunch is here", thread=root, user="requester", wait=False)
    await bot.say("stop", thread=root, user="lead", wait=False)
    await bot.wait_for_message("stops at its next step", user="lead")
    company.free.set()
    await bot.settled()
    assert [state is RunState.CANCELLED for state in await all_runs(bot)] == [False, False, True]


async def test_what_people_say_among_themselves_is_not_heard(bot: Bot) -> None:
    await bot.say("orders")
    await bot.say("orders", thread=(await bot.slack.messages("lead", "general"))[0])
    assert await all_runs(bot) == []
    assert all(not one.mine for one in await bot.slack.everything("requester"))


@pytest.mark.needs("assistant.threads.setSuggestedPrompts", "act:open_messages")
async def test_a_direct_message_is_a_conversation_and_prompts_are_offered(bot: Bot) -> None:
    await bot.write("orders")
    assert "obeyed: orders is done" in bot.answer
    await bot.write("more", thread=bot.last)
    assert "obeyed: more, after ['orders']" in bot.answer
    await bot.write("another matter")
    assert bot.told is None
    assert "after" not in bot.answer, "each message of its own begins anew"
    assert not [one for one in await bot.slack.everything("lead") if "another matter" in one]


async def test_courtesy_is_answered_or_let_be_and_starts_nothing(bot: Bot) -> None:
    await bot.say("@sysop hello!")
    assert "Say what is wrong" in str(bot.told)
    await bot.say("@sysop thanks")
    assert bot.told is None
    assert await all_runs(bot) == []


async def test_a_file_comes_with_words(bot: Bot) -> None:
    await bot.say("@sysop orders", files=[{"name": "log.txt", "content": "it broke"}])
    assert "obeyed: orders is done" in bot.answer


async def test_what_is_said_while_it_works_is_queued_and_taken_up_afterwards(bot: Bot, company: Company) -> None:
    asked = await held(bot, company)
    await bot.say("orders payments", thread=asked, user="lead", wait=False)
    told = await bot.wait_for_message("takes it up", user="lead")
    assert told.private
    assert await all_runs(bot) == [RunState.RUNNING]
    company.free.set()
    await bot.settled()
    await bot.look()
    assert "obeyed: orders is done, after ['hold checkout']" in bot.answer
    assert await all_runs(bot) == [RunState.DONE, RunState.DONE]


async def test_a_question_beside_a_waiting_approval_is_answered_and_steers_nothing(bot: Bot, company: Company) -> None:
    await bot.say("@sysop rollback checkout")
    card = bot.last
    before = await bot.approval()
    await bot.say("orders", thread=card, user="on-call")
    assert "orders is done" in bot.answer
    assert "rollback on service:checkout still waits for a decision" in str(bot.told)
    assert "writing just “stop”" in str(bot.told)
    await bot.say("wipe checkout", thread=card, user="on-call")
    assert (await bot.outcomes()) == [], "beside it nothing can be changed"
    after = await bot.approval()
    assert (after.id, after.state, after.digest) == (before.id, ApprovalState.PENDING, before.digest)
    await bot.click("Approve", on=card, user="on-call")
    assert company.changed == ["rollback checkout"], "who asked a question asks for no change and may approve it"


@pytest.mark.parametrize("words", ["revoke", "Never mind.", "hold on", "no, do not do that", "cancel the deploy"])
async def test_who_asked_takes_it_back_by_words(bot: Bot, company: Company, words: str) -> None:
    await bot.say("@sysop rollback checkout")
    card = bot.last
    await bot.say(words, thread=card, user="guest")
    assert (await bot.approval()).state is ApprovalState.PENDING
    assert "only who asked" in str(bot.told)
    await bot.say(words, thread=card)
    assert (await bot.approval()).state is ApprovalState.REVOKED
    (now,) = [one for one in bot.thread if one.id == card.id]
    assert "Withdrawn" in now
    assert now.labels == []
    assert company.changed == []


@stop
async def test_stop_ends_the_work_at_its_next_step_and_says_what_was_done(bot: Bot, company: Company) -> None:
    asked = await held(bot, company, "@sysop orders\nhold checkout\nrollback checkout")
    await bot.stop(on=asked, wait=False)
    await bot.say("after that", thread=asked, user="guest", wait=False)
    company.free.set()
    await bot.settled()
    await bot.look()
    assert (await all_runs(bot))[0] is RunState.CANCELLED
    assert company.changed == []
    assert any("Stopped" in one for one in bot.thread)


@stop
async def test_words_stop_as_well_and_strangers_to_the_run_cannot(bot: Bot, company: Company) -> None:
    asked = await held(bot, company)
    await bot.say("stop", thread=asked, user="guest", wait=False)
    assert (await bot.wait_for_message("can stop it", user="guest")).private
    await bot.say("stop", thread=asked, wait=False)
    assert "stops at its next step" in await bot.wait_for_message("stops at its next step")
    company.free.set()
    await bot.settled()
    assert await all_runs(bot) == [RunState.CANCELLED]


@pytest.mark.needs("chat.startStream", "chat.appendStream", "chat.stopStream")
async def test_the_plan_is_streamed_while_it_works_and_ends_in_the_answer(bot: Bot, company: Company) -> None:
    await held(bot, company, "@sysop orders\nhold checkout\nI am done")

    async def streaming() -> Seen | None:
        found = [one for one in await bot.slack.everything("requester") if one.streaming and "◐" in one]
        return found[0] if found else None

    now = await bot.wait_for("a plan that is being written", streaming)
    assert "● shop.orders" in now
    company.free.set()
    await bot.settled()
    await bot.look()
    assert bot.answer.id == now.id, "the same message goes on"
    assert not bot.answer.streaming
    assert bot.answer.text.count("● shop.") == 2
    assert "failing 3" in str(bot.answer), "each task says what came of it"
    assert "looked at checkout" in bot.answer
    assert "I am done" in bot.answer
    assert bot.answer.text.count("looked at checkout") == 1


@pytest.mark.needs("chat.startStream", "chat.stopStream")
async def test_no_stream_is_held_across_an_approval(bot: Bot) -> None:
    await bot.say("@sysop orders\nrollback checkout")
    assert not any(one.streaming for one in bot.thread)
    assert [one.labels for one in bot.thread][-1] == ["Approve", "Deny", "View all arguments"]
    await bot.click("Approve", user="lead")
    plans = [one for one in bot.thread if "● " in one]
    assert [("shop.orders" in one, "it helped" in one) for one in plans] == [(True, False), (False, True)]


async def test_feedback_is_stored_once_for_each_person(bot: Bot) -> None:
    await bot.say("@sysop orders")
    await bot.click("Helpful")
    assert "Noted" in str(bot.told)
    await bot.click("Not helpful")
    assert "what was wrong" in str(bot.told)
    run = (await bot.run()).id
    assert await opinions(bot) == [(run, False)]


async def opinions(bot: Bot) -> list[tuple[str, bool]]:
    rows = await bot.app.store.read(lambda conn: conn.execute(t.feedback.select()).all())
    return [(row.run, row.helpful) for row in rows]


async def test_what_is_changed_or_deleted_afterwards_is_not_heard_again(bot: Bot) -> None:
    await bot.say("@sysop orders")
    asked = bot.thread[0]
    await bot.slack.edit("requester", asked, "@sysop rollback checkout")
    await bot.say("and this", thread=asked)
    (reply,) = [one for one in bot.thread if "and this" in one and not one.mine]
    await bot.slack.delete("requester", reply)
    await bot.settled()
    assert [run.text for run in await bot.app.store.read(runs.newest)] == ["and this", "orders"]


@pytest.mark.needs("act:rename")
async def test_people_may_give_the_thread_another_title(bot: Bot) -> None:
    await bot.say("@sysop orders")
    await bot.slack.act("rename", "requester", channel="general", thread_ts=bot.last.root, title="The shop")
    await bot.slack.act("context", "requester", channel="general")
    await bot.settled()
    id = str((await bot.run()).conversation)
    assert (await bot.app.store.read(lambda conn: conversations.load(conn, id))).title == "The shop"
