"""Every command of `/sysop`, as people type it."""

from __future__ import annotations

import pytest
from contract_company import Company

from sysop.model import ApprovalState
from sysop.testing.bot import Bot
from sysop.testing.errors import Refused

form = pytest.mark.needs("views.open", "chat.postEphemeral")


@pytest.mark.parametrize("typed", ["/sysop help", "/sysop"])
async def test_help_names_every_command_and_those_of_plugins(bot: Bot, typed: str) -> None:
    await bot.say(typed)
    assert bot.told is not None
    for word in (
        "ask",
        "status",
        "incident",
        "silence",
        "run",
        "approve",
        "deny",
        "runbook",
        "audit",
        "pause",
        "resume",
        "rollback",
    ):
        assert f"/sysop {word}" in bot.told, word
    for later in ("report", "cost"):
        assert f"/sysop {later}" not in bot.told, "what does not exist yet is not offered"


async def test_an_unknown_word_gets_help_and_a_guess(bot: Bot) -> None:
    await bot.say("/sysop statsu")
    assert "did you mean" in str(bot.told)
    assert "/sysop status" in str(bot.told)
    assert not await bot.slack.everything("lead"), "nobody else sees it"


async def test_ask_begins_a_thread_that_ends_in_an_answer(bot: Bot) -> None:
    await bot.say("/sysop ask orders")
    assert "On it" in str(bot.told)
    assert [one.thread is None for one in bot.thread] == [True, False]
    assert "@requester asked: orders" in bot.thread[0]
    assert "obeyed: orders is done" in bot.answer


@form
async def test_ask_without_words_opens_a_form(bot: Bot) -> None:
    await bot.say("/sysop ask")
    with pytest.raises(Refused):
        await bot.submit({"What should Sysop look into?": " "})
    await bot.submit({"What should Sysop look into?": "orders"})
    assert "obeyed: orders is done" in bot.answer


async def test_status_tells_what_is_open_and_what_waits(bot: Bot) -> None:
    await bot.say("/sysop status")
    assert "All is quiet" in str(bot.told)
    await bot.say("/sysop rollback checkout")
    await bot.say("/sysop status", user="lead")
    id = (await bot.approval()).id
    for words in ("1 approval waiting", "shop.rollback on service:checkout", "asked for by @requester", id):
        assert words in str(bot.told), words
    await bot.say("/sysop status", user="guest")
    assert "1 approval waiting" in str(bot.told)
    assert id not in str(bot.told), "a guest cannot decide on it"


async def test_run_with_everything_typed_needs_no_form(bot: Bot) -> None:
    await bot.say("/sysop run shop.orders service=checkout")
    assert "shop.orders is done" in bot.answer
    await bot.say("/sysop run shop.order")
    assert "did you mean" in str(bot.told)
    await bot.say("/sysop run shop.orders colour=red")
    assert "there is no argument 'colour'" in str(bot.told)


@form
async def test_run_asks_for_what_is_missing(bot: Bot, company: Company) -> None:
    await bot.say("/sysop run shop.rollback")
    with pytest.raises(Refused):
        await bot.submit({})
    await bot.submit({"service": "checkout"})
    assert "Approval needed" in bot.last
    assert company.changed == []


@form
async def test_run_without_anything_lets_people_choose(bot: Bot) -> None:
    await bot.say("/sysop run")
    await bot.submit({"Which action?": "shop.orders"})
    assert "Count failing orders" in await bot.form()
    await bot.submit({"service": "payments"})
    assert "payments" in bot.answer


async def test_silence_keeps_alerts_quiet_until_it_is_ended(bot: Bot) -> None:
    await bot.say("/sysop silence service=checkout 2h because of the migration", user="lead")
    assert "These alerts are quiet until" in str(bot.told)
    assert 'service="checkout"' in str(bot.told)
    await bot.say("/sysop silence")
    assert "because of the migration" in str(bot.told)
    await bot.say("/sysop silence service=payments 2h me too")
    assert "only a person with a role can silence alerts" in str(bot.told)
    await bot.say("/sysop silence", user="lead")
    await bot.click("End", user="lead")
    assert "The silence is ended" in str(bot.told)
    await bot.say("/sysop silence")
    assert "Nothing is silenced." in str(bot.told)


@form
async def test_silence_asks_for_what_is_missing(bot: Bot) -> None:
    await bot.say("/sysop silence service=checkout", user="lead")
    with pytest.raises(Refused):
        await bot.submit({"For how long?": "for ever", "Why?": "a fair"}, user="lead")
    await bot.submit({"For how long?": "1d12h", "Beginning in": "30m", "Why?": "a fair"}, user="lead")
    assert "These alerts will be quiet from" in str(bot.told)


async def test_approve_by_command_is_the_second_way(bot: Bot, company: Company) -> None:
    await bot.say("/sysop rollback checkout")
    id = (await bot.approval()).id
    await bot.say(f"/sysop approve {id}", user="requester")
    assert "cannot approve it" in str(bot.told)
    await bot.say(f"/sysop approve {id} looked at it", user="on-call")
    assert "Your yes counts" in str(bot.told)
    assert company.changed == ["rollback checkout"]
    await bot.say("/sysop approve apr-nothing", user="on-call")
    assert "no approval 'apr-nothing'; /sysop approve lists those that wait" in str(bot.told)
    assert "sysop approvals" not in str(bot.told), "which is typed at a command line"


async def test_approve_and_deny_without_an_id_list_what_waits_with_the_ids(bot: Bot) -> None:
    await bot.say("/sysop approve", user="on-call")
    assert "Nothing waits for an approval." in str(bot.told)
    await bot.say("/sysop rollback checkout")
    id = (await bot.approval()).id
    for word in ("approve", "deny"):
        await bot.say(f"/sysop {word}", user="on-call")
        for words in ("1 approval waiting", "shop.rollback on service:checkout", id, f"write /sysop {word} ID"):
            assert words in str(bot.told), words
    await bot.say("/sysop approve", user="guest")
    assert "write /sysop approve ID" in str(bot.told)
    assert id not in str(bot.told)


@form
async def test_deny_by_command_needs_a_reason(bot: Bot, company: Company) -> None:
    await bot.say("/sysop rollback checkout")
    id = (await bot.approval()).id
    await bot.say(f"/sysop deny {id}", user="on-call")
    await bot.submit({"Why not?": "not at noon"}, user="on-call")
    assert (await bot.approval()).state is ApprovalState.DENIED
    assert company.changed == []
    await bot.say("/sysop rollback payments")
    await bot.say(f"/sysop deny {(await bot.approval()).id} not today", user="lead")
    assert "Your no counts" in str(bot.told)
    await bot.say("/sysop deny", user="lead")
    assert "write /sysop deny ID" in str(bot.told)


async def test_runbook_finds_pages(bot: Bot) -> None:
    await bot.say("/sysop runbook")
    assert "Orders fail" in str(bot.told)
    await bot.say("/sysop runbook customers cannot pay")
    assert "orders-fail.md#" in str(bot.told)
    await bot.say("/sysop runbook xylophone")
    assert "No runbook has these words" in str(bot.told)


async def test_audit_tells_what_was_done(bot: Bot) -> None:
    await bot.say("/sysop rollback checkout")
    run, approval = await bot.run(), await bot.approval()
    await bot.click("Approve", user="lead")
    await bot.say(f"/sysop audit {run.id}", user="lead")
    assert "run.created" in str(bot.told) or "effect" in str(bot.told)
    await bot.say(f"/sysop audit {approval.id}", user="lead")
    assert "approval.approved" in str(bot.told)
    await bot.say("/sysop audit")
    assert "role" in str(bot.told), "what others did is not everybody's business"
    await bot.say("/sysop audit", user="lead")
    assert "audit entr" in str(bot.told)


@form
async def test_incident_lists_and_opens(bot: Bot) -> None:
    await bot.say("/sysop incident")
    assert "No incident is open" in str(bot.told)
    await bot.say("/sysop incident new")
    await bot.submit(
        {"What is wrong?": "The door is open", "How bad is it?": "critical", "Which services?": ["checkout"]}
    )
    await bot.say("/sysop incident")
    assert "The door is open" in str(bot.told)
    await bot.say("/sysop incident fire")
    assert "write /sysop incident" in str(bot.told)


async def test_a_command_of_a_plugin_is_a_run_through_the_gate(bot: Bot, company: Company) -> None:
    await bot.say("/sysop rollback")
    assert "name a service; usage: /sysop rollback SERVICE" in str(bot.told)
    await bot.say("/sysop rollback checkout")
    assert "checkout goes back to 1.0" in bot.last
    assert company.changed == []
    await bot.click("Approve", user="lead")
    assert "nothing fails any more" in str(bot.thread[-2:][0]) + str(bot.last)
    assert company.changed == ["rollback checkout"]
    (outcome,) = [one for one in await bot.outcomes() if one.action == "shop.rollback"]
    assert outcome.verified


@form
async def test_changes_are_paused_for_everybody_until_somebody_with_a_role_says_otherwise(
    bot: Bot, company: Company
) -> None:
    await bot.say("/sysop rollback checkout")
    await bot.say("/sysop pause", user="requester")
    await bot.submit({"Why?": "a freeze"}, user="requester")
    assert "Changes are paused" in str(bot.told)
    await bot.click("Approve", user="lead")
    assert company.changed == []
    (card,) = [one for one in await bot.slack.everything("lead") if "Approved by" in one]
    for words in ("Changes are paused by @requester: a freeze", "It runs after /sysop resume"):
        assert words in str(card).replace("`", ""), words
    await bot.say("/sysop status")
    assert "a freeze" in str(bot.told)
    await bot.say("/sysop resume it is over")
    assert "only a person with a role" in str(bot.told)
    assert company.changed == []
    await bot.say("/sysop resume it is over", user="lead")
    assert "Changes go on" in str(bot.told)
    assert company.changed == ["rollback checkout"]
    await bot.say("/sysop pause again", user="guest")
    assert "members" in str(bot.told), "a guest holds nobody up"
    await bot.say("/sysop pause again", user="requester")
    assert "Changes are paused" in str(bot.told)
