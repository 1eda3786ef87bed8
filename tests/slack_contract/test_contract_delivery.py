"""The ways things go wrong between Slack and the bot: whatever arrives twice, late or not at all, happens once."""

from __future__ import annotations

import asyncio

import pytest
from contract_company import Company

from sysop.model import RunState
from sysop.store import runs
from sysop.testing.bot import Bot
from sysop.testing.errors import Refused

pytestmark = pytest.mark.needs("act:trouble")


async def texts(bot: Bot) -> list[str]:
    return [run.text for run in reversed(await bot.app.store.read(runs.newest))]


async def test_an_event_delivered_twice_is_heard_once(bot: Bot) -> None:
    await bot.slack.trouble("deliveries", kind="duplicate", times=4)
    await bot.say("@sysop orders")
    assert await texts(bot) == ["orders"]
    assert len([one for one in bot.thread if one.mine]) == 1


async def test_an_event_whose_answer_is_lost_comes_again_and_is_heard_once(bot: Bot) -> None:
    await bot.slack.trouble("deliveries", kind="lose_ack", type="events_api", times=3)
    await bot.say("@sysop orders")
    await bot.slack.trouble("clock", advance=400)
    await bot.settled()
    _, wire = await bot.slack.wire()
    assert max(one.attempt for one in wire if one.kind == "envelope") >= 1, "Slack tried again"
    assert await texts(bot) == ["orders"]


async def test_a_command_delivered_twice_runs_once(bot: Bot) -> None:
    await bot.slack.trouble("deliveries", kind="duplicate", type="slash_commands", times=2)
    await bot.say("/sysop ask orders")
    assert await texts(bot) == ["orders"]


async def test_a_command_whose_answer_is_lost_is_told_failed_and_has_run_once(bot: Bot) -> None:
    await bot.slack.trouble("deliveries", kind="lose_ack", type="slash_commands")
    pressing = asyncio.create_task(bot.slack.command("requester", "general", "/sysop ask orders"))
    await bot.wait_for_message("asked: orders")
    await bot.slack.trouble("clock", advance=4)
    with pytest.raises(Refused, match="operation_timeout"):
        await pressing
    await bot.settled()
    assert await texts(bot) == ["orders"]


async def test_a_click_delivered_twice_is_one_vote(bot: Bot, company: Company) -> None:
    await bot.say("/sysop run shop.wipe service=checkout")
    await bot.slack.trouble("deliveries", kind="duplicate", type="interactive", times=2)
    await bot.click("Approve", user="lead")
    assert [vote.approver for vote in (await bot.approval()).votes] == [
        f"slack:{bot.slack.team}.{bot.slack.users['lead']}"
    ]
    assert company.changed == []
    await bot.click("Approve", user="on-call")
    assert company.changed == ["wipe checkout"]


@pytest.mark.needs("views.open")
async def test_a_form_delivered_twice_is_one_decision(bot: Bot) -> None:
    await bot.say("/sysop rollback checkout")
    await bot.click("Deny", user="lead")
    await bot.form(user="lead")
    await bot.slack.trouble("deliveries", kind="duplicate", type="interactive", times=2)
    await bot.submit({"Why not?": "no"}, user="lead")
    assert len((await bot.approval()).votes) == 1


@pytest.mark.needs("views.open", "chat.postEphemeral")
async def test_a_form_that_comes_too_late_leaves_a_button_that_opens_it(bot: Bot) -> None:
    await bot.slack.trouble("deliveries", kind="delay", type="slash_commands", seconds=3600)
    typing = asyncio.create_task(bot.slack.command("requester", "general", "/sysop ask"))
    await held_up(bot)
    await bot.slack.trouble("clock", advance=3601)
    await typing
    late = await bot.wait_for_message("could not be opened in time")
    assert late.private
    await bot.click("Open it", on=late)
    await bot.submit({"What should Sysop look into?": "orders"})
    assert await texts(bot) == ["orders"]


async def held_up(bot: Bot) -> None:
    """Wait until a delivery is held up, which the wire alone tells."""

    async def look() -> bool | None:
        _, wire = await bot.slack.wire()
        return any(one.kind == "fault" for one in wire) or None

    await bot.wait_for("a delivery to be held up", look)


async def test_messages_are_told_in_order_and_once_while_slack_is_in_trouble(bot: Bot, company: Company) -> None:
    for kind, times in (("500", 1), ("429", 1), ("drop_before", 1), ("drop_after", 2)):
        await bot.slack.trouble("faults", method="chat.postMessage", kind=kind, times=times)
    await bot.say("/sysop rollback checkout")
    mine = [one for one in bot.thread if one.mine]
    assert [bool(one.labels) for one in mine] == [False, False, True], "root, plan, card: nothing twice"
    await bot.click("Approve", user="lead")
    assert company.changed == ["rollback checkout"]


@pytest.mark.needs("chat.startStream", "chat.stopStream", "conversations.replies")
async def test_a_stream_whose_answers_are_lost_still_ends_in_one_answer(bot: Bot) -> None:
    for method in ("chat.startStream", "chat.appendStream", "chat.stopStream"):
        await bot.slack.trouble("faults", method=method, kind="drop_after")
    await bot.say("@sysop orders")
    answers = [one for one in bot.thread if "obeyed: orders is done" in one]
    assert len(answers) == 1
    assert not any(one.streaming for one in bot.thread)


async def test_without_streams_the_plan_is_a_message_that_changes(bot: Bot) -> None:
    await bot.slack.trouble("faults", method="chat.startStream", kind="error", error="feature_disabled", times=99)
    await bot.say("@sysop orders")
    assert "obeyed: orders is done" in bot.answer
    assert not any("streaming_state" in one.raw for one in bot.thread)


@pytest.mark.parametrize("gone", [1, 2], ids=["the session", "the session and the older status"])
async def test_a_status_that_cannot_be_shown_keeps_nothing_from_being_answered(bot: Bot, gone: int) -> None:
    for method in ("agents.sessions.setStatus", "assistant.threads.setStatus")[:gone]:
        await bot.slack.trouble("faults", method=method, kind="error", error="feature_disabled", times=99)
    await bot.say("@sysop orders")
    assert "obeyed: orders is done" in bot.answer


@pytest.mark.over("socket")
@pytest.mark.parametrize("kind", ["drop", "refresh", "warning"])
async def test_a_connection_that_ends_is_made_again_and_nothing_is_missed(bot: Bot, kind: str) -> None:
    await bot.slack.trouble("sockets", kind=kind)
    await bot.say("@sysop are you there", wait=False)
    await bot.wait_for_message("obeyed: are you there", within=40)
    await bot.settled()
    assert await texts(bot) == ["are you there"]


async def test_while_slack_cannot_say_who_somebody_is_nobody_decides(bot: Bot, company: Company) -> None:
    await bot.say("/sysop rollback checkout")
    await bot.slack.trouble("faults", method="users.info", kind="error", error="fatal_error", times=99)
    await bot.click("Approve", user="guest")
    assert "Nothing was done" in str(bot.told)
    assert company.changed == []
    await bot.slack.trouble("reset")
    await bot.click("Approve", user="lead")
    assert company.changed == ["rollback checkout"]


async def test_an_app_that_is_taken_away_falls_silent_and_says_so_in_its_health(bot: Bot) -> None:
    await bot.say("@sysop orders")
    await bot.slack.trouble("revoke", uninstall=True)

    async def revoked() -> bool | None:
        status = await bot.app.chat.status()
        return True if status and status["revoked"] else None

    await bot.wait_for("the health to say so", revoked)
    assert (await bot.run()).state is RunState.DONE


@pytest.mark.needs("chat.postEphemeral")
async def test_people_of_other_companies_are_told_no_in_a_shared_channel(bot: Bot) -> None:
    await bot.say("@sysop orders", channel="shop", user="external")
    assert await texts(bot) == []
    await bot.say("@sysop orders", channel="shop")
    await bot.say("and more", thread=bot.last, user="external")
    assert await texts(bot) == ["orders"]
