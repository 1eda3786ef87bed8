"""Incidents: from an alert, a message or a form to the summary at the end of their thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from contract_company import Company

from sysop.surfaces.slack.events.home import PROMPTS
from sysop.testing.bot import Bot
from sysop.testing.errors import Refused
from sysop.testing.seen import Seen

OPEN = {"What is wrong?": "Orders are lost", "How bad is it?": "critical", "Which services?": ["checkout"]}


@pytest.fixture
def bot_settings() -> Mapping[str, Any]:
    services = {"gateway": {"depends_on": ["checkout"], "owner": "web"}, "checkout": {"owner": "shop"}, "payments": {}}
    links = {"link_hosts": ["git.example"], "runbooks_url": "https://git.example/ops/blob/main/"}
    return {"inventory": services, "incidents": {"triage_after_seconds": 0.5}, "slack": links}


async def card(bot: Bot) -> Seen:
    """Return the opening card of the newest incident, as it stands now."""
    found = [one for one in await bot.slack.messages("lead", "incidents") if one.mine and not one.private]
    return found[-1]


async def alert(bot: Bot, service: str = "checkout", **more: Any) -> None:
    labels = {"alertname": "OrdersFail", "service": service, "severity": "critical"}
    await bot.alert(labels, **more)


async def test_an_alert_becomes_a_thread_a_plan_a_question_and_a_summary(bot: Bot, company: Company) -> None:
    await alert(bot)
    opening = await card(bot)
    for words in ("🔴 Open · OrdersFail on checkout", "Severity: critical", "Services: `checkout`", "Owner: shop"):
        assert words in opening, words
    assert "orders-fail.md" in opening
    assert "Acknowledged by: nobody yet" in opening
    thread = await bot.slack.messages("lead", "incidents", opening.id)
    assert any("● shop.orders" in one and "3" in one for one in thread)
    source = "source: Orders fail https://git.example/ops/blob/main/runbooks/orders-fail.md"
    assert any(source in one for one in thread), "the plan links the runbook it follows"
    assert "Approve" in thread[-1].labels
    assert "Approval needed" in thread[-1]

    await bot.click("Approve", user="on-call")
    assert company.changed == ["rollback checkout"]
    assert "✅ Resolved" in bot.answer
    assert "Cause: the newest release (high confidence" in bot.answer
    assert "Orders fail" in bot.answer, "the runbook it rests on"

    await alert(bot, firing=False)
    summary = (await bot.slack.messages("lead", "incidents", opening.id))[-1]
    assert "🟢 Resolved after" in summary
    assert "the newest release" in summary
    assert "shop.rollback" in summary
    closed = await card(bot)
    assert "🟢 Resolved" in closed
    assert closed.labels == ["Report"]


async def test_alerts_that_belong_together_are_one_incident_and_say_why(bot: Bot) -> None:
    await alert(bot)
    await alert(bot, "gateway")
    opening = await card(bot)
    assert "2 alerts, 2 firing" in opening
    assert "gateway" in opening
    assert "checkout" in opening.text.partition("OrdersFail on gateway")[2], "the reason for the grouping"
    roots = [one for one in await bot.slack.messages("lead", "incidents") if one.mine and not one.private]
    assert len(roots) == 1


async def test_somebody_looks_after_it_and_everybody_sees_who(bot: Bot) -> None:
    await alert(bot)
    await bot.click("Acknowledge", user="lead", on=await card(bot))
    opening = await card(bot)
    assert "Acknowledged by: @lead" in opening
    assert "Acknowledge" not in opening.labels
    assert any("@lead" in one and "looks after this" in one for one in bot.thread)


@pytest.mark.needs("views.open", "chat.postEphemeral", "conversations.open")
async def test_alerts_of_an_incident_are_silenced_from_its_card(bot: Bot) -> None:
    await bot.shortcut("New incident", user="lead")
    await bot.submit({**OPEN, "Triage": []}, user="lead")
    opening = await card(bot)
    assert "Silence" in opening.labels
    await bot.click("Silence", user="lead", on=opening)
    await bot.submit({"Why?": "it is known"}, user="lead")
    assert "These alerts are quiet until" in str(bot.told)
    assert 'service="checkout"' in str(bot.told), "the form knew it"


async def test_triage_can_be_run_again_once_the_first_one_is_over(bot: Bot, company: Company) -> None:
    await alert(bot)
    assert "Run triage" not in (await card(bot)).labels, "it is under way"
    await bot.click("Approve", user="lead")
    await bot.click("Run triage", user="requester", on=await card(bot))
    assert "On it: run" in str(bot.told)
    assert "another person has to approve its changes" in str(bot.told)
    assert company.changed == ["rollback checkout"], "the second one asks again"
    assert "Approve" in (await bot.slack.messages("lead", "incidents", (await card(bot)).id))[-1].labels


async def test_a_person_closes_it_and_it_opens_again_by_a_new_alert(bot: Bot) -> None:
    await alert(bot)
    await bot.click("Resolve", user="requester", on=await card(bot))
    assert "only a person with a role can resolve" in str(bot.told)
    waiting = await bot.slack.messages("lead", "incidents", (await card(bot)).id)
    assert "Approve" in waiting[-1].labels, "what was under way goes on"
    await bot.click("Resolve", user="lead", on=await card(bot))
    assert "🟡 Resolved" in await card(bot)
    assert "resolved by hand; 1 alert still firing" in await card(bot)
    told = await bot.slack.messages("lead", "incidents", (await card(bot)).id)
    assert any("Resolved after" in one for one in told)
    assert not any("Approve" in one.labels for one in told), "what its run asked for is taken back"
    await bot.click("Reopen", user="requester", on=await card(bot))
    assert "🔴 Open" in await card(bot)
    await bot.click("Resolve", user="lead", on=await card(bot))
    await alert(bot, firing=False)
    await bot.wait_for_message("🟢 Resolved", user="lead")
    assert (await card(bot)).labels == ["Report"]
    await alert(bot)
    roots = [one for one in await bot.slack.messages("lead", "incidents") if one.mine and not one.private]
    assert ["🟢" in one for one in roots] in ([True, False], [False]), "it is told of again"


async def test_a_reply_in_the_thread_is_heard(bot: Bot) -> None:
    await alert(bot)
    await bot.click("Approve", user="lead")
    before = (await bot.run()).id
    await bot.say("how are the orders now?", thread=await card(bot), user="guest", channel="incidents")
    assert (await bot.run()).id != before
    assert (await bot.run()).incident is not None
    assert "Helpful" in bot.last.labels


@pytest.mark.needs("chat.getPermalink", "act:shortcut")
async def test_a_message_becomes_an_incident_by_its_shortcut(bot: Bot) -> None:
    await bot.say("customers say that checkout is broken @channel")
    (message,) = [one for one in await bot.slack.messages("lead", "general") if "customers" in one]
    await bot.shortcut("Triage this", on=message, user="lead")
    assert "is open; its thread is in the channel of incidents" in str(bot.told)
    opening = await card(bot)
    assert "customers say that checkout is broken" in opening
    assert "Opened by hand by @lead" in opening
    await bot.click("Resolve", user="lead", on=opening)


@pytest.mark.needs("views.open", "conversations.open", "act:shortcut")
async def test_an_incident_is_opened_from_anywhere_by_a_form(bot: Bot) -> None:
    await bot.shortcut("New incident")
    with pytest.raises(Refused) as empty:
        await bot.submit({"What is wrong?": ""})
    assert list(empty.value.errors) == ["title"]
    await bot.submit(OPEN)
    opening = await card(bot)
    for words in ("Orders are lost", "Severity: critical", "`checkout`", "Opened by hand by @requester"):
        assert words in opening, words
    told = [one for one in bot.fresh if "is open; its thread" in one]
    assert told, "in messages, since a form from anywhere has no channel"


@pytest.mark.needs("views.publish", "views.open", "chat.postEphemeral", "conversations.open")
async def test_the_home_shows_what_waits_for_this_person_and_takes_it(bot: Bot, company: Company) -> None:
    await bot.say("/sysop run shop.rollback service=checkout")
    await bot.say("/sysop incident new")
    await bot.submit(OPEN)
    mine = await bot.open_home(user="requester")
    for words in ("Nothing needs your decision. 1 approval wait", "Orders are lost", "all working", "shop"):
        assert words in mine, words
    theirs = await bot.open_home(user="lead")
    assert "shop.rollback on service:checkout" in theirs
    await bot.click("Approve", user="lead", on=theirs)
    assert company.changed == ["rollback checkout"]


@pytest.mark.needs("views.publish", "views.open", "conversations.open")
async def test_the_home_begins_things_and_pauses_changes(bot: Bot) -> None:
    home = await bot.open_home()
    assert home.labels == ["Ask Sysop", "New incident", "Run an action", "Pause changes"]
    await bot.click("Ask Sysop", on=home)
    await bot.submit({"What should Sysop look into?": "is the coffee ready?"})
    assert "No incident is open." in bot.answer
    for prompt in PROMPTS:
        await bot.say(f"hey @sysop {prompt['message']}")
        for words in ("💬 Answered", "No incident is open.", "Nothing waits for an approval."):
            assert words in bot.answer, words
    await bot.click("Run an action", on=home)
    await bot.submit({"Which action?": "shop.orders"})
    await bot.submit({"service": "payments"})
    assert "shop.orders is done" in bot.answer
    await bot.click("New incident", on=home)
    await bot.submit(OPEN)
    assert "Orders are lost" in await card(bot)
    await bot.click("Pause changes", on=home)
    await bot.submit({"Why?": "a freeze"})
    paused = await bot.open_home(user="lead")
    assert "Changes are paused by @requester" in paused
    await bot.click("Let changes go on", user="lead", on=paused)
    await bot.submit({"Why?": "it is over"}, user="lead")
    assert "Changes are allowed" in await bot.open_home(user="lead")
