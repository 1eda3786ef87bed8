"""The approval card: who may decide on it, who may not, and that it decides once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from contract_company import Company

from sysop.model import ApprovalState, RunState
from sysop.testing.bot import Bot
from sysop.testing.errors import NotThere, Refused
from sysop.testing.seen import Seen


async def asked(bot: Bot, text: str = "/sysop rollback checkout", **more: Any) -> Seen:
    """Return the card of a change somebody asks for."""
    await bot.say(text, **more)
    assert "Approval needed" in bot.last
    return bot.last


async def now(bot: Bot, card: Seen) -> Seen:
    """Return the card as it stands now."""
    (found,) = [one for one in await bot.slack.everything("lead") if one.id == card.id]
    return found


async def test_the_card_shows_what_is_bound_and_who_may_decide(bot: Bot) -> None:
    card, approval = await asked(bot), await bot.approval()
    for words in (
        "CHANGE · shop.rollback",
        "Target: `service:checkout`",
        "Requested by: @requester",
        "@lead, @on-call, never who asked",
        "Votes: 0 of 1",
        "checkout goes back to 1.0",
        "+ 1.0",
        "customers of the shop",
        'service = "checkout"',
        approval.digest[:12],
        approval.id,
    ):
        assert words in card, words
    assert [button.element["value"] for button in card.buttons] == [approval.id] * 3, "an opaque id, nothing else"
    sure = json.dumps(card.buttons[0].element["confirm"])
    assert "shop.rollback" in sure
    assert "service:checkout" in sure


async def test_an_approver_says_yes_and_it_runs_once_and_the_card_is_closed_for_good(
    bot: Bot, company: Company
) -> None:
    card = await asked(bot)
    await bot.click("Approve", user="on-call")
    assert bot.told is None, "the card says it"
    assert company.changed == ["rollback checkout"]
    closed = await now(bot, card)
    assert closed.labels == []
    for words in ("Approved by @on-call", "It was done, once.", "it helped", "votes 1 of 1"):
        assert words in closed, words
    assert "Done" in bot.answer
    with pytest.raises(Refused, match=r"approval\.approve"):
        await bot.click("Approve", user="lead", on=card)


@pytest.mark.needs("assistant.threads.setSuggestedPrompts", "chat.postEphemeral", "act:open_messages")
async def test_what_is_asked_for_in_a_direct_message_is_decided_in_the_channel(bot: Bot, company: Company) -> None:
    await bot.write("between the two of us\nrollback checkout")
    assert "the same card stands in" in "".join(map(str, bot.fresh))
    mine = next(one for one in bot.fresh if "Approval needed" in one and one.channel.startswith("D"))
    theirs = await bot.wait_for_message("Approval needed", user="on-call")
    assert not theirs.channel.startswith("D")
    await bot.click("Approve", user="requester", on=theirs)
    assert "who asks for a change cannot" in str(bot.told)
    assert company.changed == []
    await bot.click("Approve", user="on-call", on=theirs)
    assert company.changed == ["rollback checkout"]
    for user, card in (("on-call", theirs), ("requester", mine)):
        closed = next(one for one in await bot.slack.everything(user) if one.id == card.id)
        assert closed.labels == []
        assert "Approved by @on-call" in closed
        assert "It was done, once." in closed
    assert not [one for one in await bot.slack.everything("lead") if "between the two" in one], "nor what else was said"


@pytest.mark.needs("views.open")
async def test_a_no_needs_a_reason_and_is_final(bot: Bot, company: Company) -> None:
    card = await asked(bot)
    await bot.click("Deny", user="lead")
    assert "will not run" in await bot.form(user="lead")
    with pytest.raises(Refused) as empty:
        await bot.submit({"Why not?": "   "}, user="lead")
    assert empty.value.errors
    await bot.submit({"Why not?": "payments is being moved"}, user="lead")
    closed = await now(bot, card)
    assert "Denied by @lead" in closed
    assert "payments is being moved" in closed
    assert closed.labels == []
    assert company.changed == []
    assert "payments is being moved" in bot.answer


@pytest.mark.needs("views.open")
async def test_everything_that_is_bound_can_be_looked_at_by_everybody(bot: Bot) -> None:
    await asked(bot)
    await bot.click("View all arguments", user="guest")
    form = await bot.form(user="guest")
    assert (await bot.approval()).digest in form
    assert '"checkout"' in form
    await bot.close(user="guest")
    with pytest.raises(NotThere):
        await bot.wait_for("a form", lambda: bot.slack.form("guest"), user="guest", within=0.1)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("requester", "who asks for a change cannot approve it"),
        ("guest", "only people can approve, no guests"),
        ("external", "Only members of this workspace"),
    ],
)
async def test_a_click_that_may_not_count_is_told_why_and_changes_nothing(
    bot: Bot, company: Company, user: str, why: str
) -> None:
    card = await asked(bot, channel="shop")
    await bot.click("Approve", user=user)
    assert why in str(bot.told)
    assert "slack:" not in str(bot.told), "nobody knows people by such ids"
    assert (await bot.approval()).state is ApprovalState.PENDING
    await bot.click("Deny", user=user)
    assert bot.told is not None
    assert await bot.slack.form(user) is None, "who cannot decide is not asked for a reason"
    assert (await now(bot, card)).labels == card.labels
    assert company.changed == []


@pytest.mark.parametrize("bot_settings", [{"slack": {"roles": {"approver": {"groups": [], "users": []}, "boss": {}}}}])
async def test_where_nobody_may_decide_nothing_is_asked(bot: Bot, company: Company) -> None:
    await bot.say("/sysop rollback checkout")
    assert "forbidden" in bot.answer
    assert company.changed == []


async def test_a_full_member_without_the_role_loses(bot: Bot, company: Company) -> None:
    await asked(bot, user="lead")
    await bot.click("Approve", user="requester")
    assert "this needs the role approver" in str(bot.told)
    await bot.click("Approve", user="on-call")
    assert company.changed == ["rollback checkout"]


async def test_of_two_clicks_at_once_one_decides_and_it_runs_once(bot: Bot, company: Company) -> None:
    card = await asked(bot)
    clicks = [bot.slack.click(user, card, "Approve") for user in ("lead", "on-call", "lead")]
    await asyncio.gather(*clicks, return_exceptions=True)
    await bot.settled()
    assert company.changed == ["rollback checkout"]
    assert len((await bot.approval()).votes) == 1


async def test_destructive_needs_two_different_people(bot: Bot, company: Company) -> None:
    card = await asked(bot, "/sysop run shop.wipe service=checkout")
    assert "DESTRUCTIVE" in card
    await bot.click("Approve", user="lead")
    assert "Votes: 1 of 2: @lead" in await now(bot, card)
    await bot.click("Approve", user="lead")
    assert "already" in str(bot.told)
    assert company.changed == []
    await bot.click("Approve", user="on-call")
    assert company.changed == ["wipe checkout"]
    assert "votes 2 of 2" in await now(bot, card)


@pytest.mark.needs("views.open")
async def test_one_no_closes_a_card_that_has_a_yes(bot: Bot, company: Company) -> None:
    await asked(bot, "/sysop run shop.wipe service=checkout")
    await bot.click("Approve", user="lead")
    await bot.click("Deny", user="on-call")
    await bot.submit({"Why not?": "never"}, user="on-call")
    assert (await bot.approval()).state is ApprovalState.DENIED
    assert company.changed == []


async def test_a_card_expires_and_says_so(bot: Bot, company: Company) -> None:
    card = await asked(bot)
    await bot.pass_time(timedelta(minutes=31))
    closed = await now(bot, card)
    assert "Expired" in closed
    assert closed.labels == []
    assert (await bot.approval()).state is ApprovalState.EXPIRED
    assert (await bot.run()).state is RunState.DONE
    await bot.say(f"/sysop approve {(await bot.approval()).id}", user="lead")
    assert "the approval is expired already" in str(bot.told)
    assert company.changed == []


@pytest.mark.needs("act:react")
async def test_reactions_never_decide(bot: Bot, company: Company) -> None:
    card = await asked(bot)
    for emoji in ("white_check_mark", "+1", "heavy_check_mark"):
        await bot.react(emoji, user="lead", on=card)
    assert (await bot.approval()).votes == ()
    assert company.changed == []


@pytest.mark.needs("chat.postEphemeral")
@pytest.mark.parametrize("words", ["approve", "Yes, go ahead!", "LGTM", ":+1:", "no"])
async def test_free_text_never_decides(bot: Bot, company: Company, words: str) -> None:
    card = await asked(bot)
    await bot.say(words, thread=card, user="lead")
    assert "Words never decide" in str(bot.told)
    assert ((await bot.approval()).state, (await bot.approval()).votes) == (ApprovalState.PENDING, ())
    assert company.changed == []


@pytest.mark.needs("chat.postEphemeral")
async def test_whoever_asks_for_more_in_the_thread_may_not_approve_it(bot: Bot, company: Company) -> None:
    await bot.say("@sysop hold checkout", wait=False)
    await company.held.wait()
    asked_by = await bot.wait_for_message("hold checkout")
    await bot.say("rollback payments", thread=asked_by, user="lead", wait=False)
    await bot.wait_for_message("takes it up", user="lead")
    company.free.set()
    await bot.settled()
    await bot.click("Approve", user="lead")
    assert "who asks for a change cannot" in str(bot.told)
    assert company.changed == []
    await bot.click("Approve", user="on-call")
    assert company.changed == ["rollback payments"]


FOUR_EYES: Mapping[str, Any] = {
    "policy": {"rules": [{"name": "friday", "match": {"action": ["shop.rollback"]}, "then": "forbid"}]}
}


@pytest.mark.parametrize("bot_settings", [FOUR_EYES])
async def test_what_policy_forbids_has_no_card(bot: Bot, company: Company) -> None:
    await bot.say("/sysop rollback checkout")
    assert "friday" in bot.answer
    assert not [one for one in bot.thread if "Approve" in one.labels]
    assert company.changed == []
