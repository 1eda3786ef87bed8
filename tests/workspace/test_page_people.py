"""The page over time and between people: unread marks, switching, being away, the inspector."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from sysop.workspace.state.messages import Message
from workspace.page_kit import Stage

pytest_plugins = ("workspace.page_fixtures",)
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_is_unread_is_counted_until_it_is_read(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead", "general")
    await screen.say("one")
    await screen.say("two, @lead")
    row = other.role("button", re.compile("incidents"))
    await expect(row.locator(".unread")).to_have_text("2")
    await other.toast("Requester in incidents: two")
    await row.click()
    await other.see("two")
    await expect(row.locator(".unread")).to_have_count(0)
    await expect(row).to_have_attribute("aria-current", "page")


async def test_what_came_while_it_was_looked_at_is_read(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    async with screen.page.expect_response(re.compile("_control/messages/")):
        await other.say("seen at once")
        await screen.see("seen at once")
    await screen.role("button", "shop").click()
    await screen.page.reload()
    await expect(screen.role("heading", "shop", exact=True)).to_be_visible()
    await expect(screen.get(".unread")).to_have_count(0)


async def test_a_long_channel_is_shown_from_its_end(stage: Stage) -> None:
    world = stage.workspace._world
    channel, user = stage.workspace.channels["shop"], stage.workspace.users["lead"]
    for number in range(450):
        world.messages.add(Message(channel, world.ts(), user, f"number {number}"))
    screen = await stage.open(place="shop")
    await screen.see("number 449")
    await expect(screen.message("number 449")).to_be_in_viewport()
    await expect(screen.get("#main .message")).to_have_count(200)
    await screen.role("button", "Show earlier messages").click()
    await screen.role("button", "Show earlier messages").click()
    await expect(screen.get("#main .message")).to_have_count(450)
    await expect(screen.role("button", "Show earlier messages")).to_have_count(0)


async def test_people_are_switched_with_their_badges(stage: Stage) -> None:
    screen = await stage.open()
    await screen.command("/ops nonsense")
    await screen.see("Only visible to you")
    await screen.role("button", re.compile("You are Requester")).click()
    items = screen.get("[role=menuitem]")
    await expect(items).to_have_count(5)
    await expect(items).to_contain_text(["member", "oncall", "leads", "guest", "external"])
    await items.filter(has_text="leads").click()
    await expect(screen.role("button", re.compile("You are Team lead"))).to_contain_text("leads")
    await expect(screen.get("#main .message")).to_have_count(0)
    assert "user=lead" in screen.page.url


async def test_an_outsider_sees_only_what_is_shared(stage: Stage) -> None:
    screen = await stage.open("external")
    rooms = screen.get("#sidebar section").first.locator(".row")
    await expect(rooms).to_have_text(["shop"])


async def test_a_page_that_was_away_catches_up(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    await screen.page.route("**/_control/events*", lambda route: route.abort())
    stage.workspace._world.feed.close()  # ends every page's stream of changes
    await expect(screen.get(".connection")).to_have_text("page offline")
    await other.say("said meanwhile")
    await other.see("said meanwhile")
    await expect(screen.message("said meanwhile")).to_have_count(0)
    await screen.page.unroute_all()
    await screen.see("said meanwhile")
    await expect(screen.get(".connection")).to_have_text("app connected")
    stage.complaints[:] = [one for one in stage.complaints if "ERR_" not in one]


async def test_the_inspector_shows_calls_envelopes_and_refusals_without_tokens(stage: Stage) -> None:
    screen = await stage.open()
    await screen.command("/ops status")
    await screen.see("Status of the shop")
    with pytest.raises(Exception, match="invalid_blocks"):
        await stage.app.client.chat_postMessage(
            channel=stage.workspace.channels["shop"], text="x", blocks=[{"type": "nonsense"}]
        )
    await screen.role("button", "Inspector").click()
    log = screen.get("#inspector .log li")
    await expect(log.filter(has_text="/ops status")).to_have_count(1)
    await expect(log.filter(has_text="slash_commands")).to_contain_text("ms")
    bad = log.filter(has_text="invalid_blocks")
    await expect(bad).to_have_class("bad")
    await bad.locator("summary").click()
    await expect(bad.locator("pre")).to_contain_text("json-pointer:/blocks/0")
    await screen.get("#inspector").get_by_role("button", name="refused").click()
    await expect(log).to_have_count(1)
    await screen.get("#inspector").get_by_role("button", name="all", exact=True).click()
    await screen.get("#inspector input").fill("views.open")
    await expect(log).to_have_count(0)
    everything = await screen.page.content()
    assert stage.workspace.bot_token not in everything
    assert stage.workspace.app_token not in everything
