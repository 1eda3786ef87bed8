"""The page, with an app that does things: approvals, modals, streams, Home, shortcuts, every block."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from workspace import page_blocks, page_gallery
from workspace.kit import until
from workspace.page_kit import Screen, Stage

pytest_plugins = ("workspace.page_fixtures",)
pytestmark = pytest.mark.asyncio(loop_scope="session")

UNNAMED = """() => [...document.querySelectorAll('button, input, select, textarea, [role=log], dialog')]
    .filter((one) => one.checkVisibility() && !one.closest('[hidden]'))
    .filter((one) => !(one.ariaLabel || one.labels?.length || one.textContent.trim() || one.title || one.placeholder))
    .map((one) => one.outerHTML.slice(0, 200))"""


async def approval(stage: Stage, screen: Screen) -> None:
    await stage.app.approval(stage.workspace.channels["incidents"], stage.workspace.users["requester"])
    await screen.thread("asked to roll checkout back")


async def test_an_approval_is_refused_to_its_requester_and_taken_from_on_call(stage: Stage) -> None:
    mine, other = await stage.open(), await stage.open("on-call")
    await approval(stage, mine)
    await expect(mine.get("#thread .session-bar")).to_contain_text("Waiting for a person")
    await expect(mine.get("#thread pre")).to_have_text([page_blocks.ARGUMENTS, page_blocks.DIFF])
    await mine.role("button", "Approve", exact=True).click()
    await expect(mine.role("dialog", "Roll back checkout?")).to_contain_text("cicd.rollback on service:checkout")
    await mine.role("button", "Not yet").click()
    assert stage.app.clicks == []
    await mine.role("button", "Approve", exact=True).click()
    await mine.get("dialog footer .primary").click()
    await mine.see("somebody else must approve", "#thread")
    await expect(mine.message("somebody else must approve", "#thread")).to_contain_text("Only visible to you")

    await other.thread("asked to roll checkout back")
    await expect(other.get("#thread .message")).to_have_count(2)
    await other.role("button", "Approve", exact=True).click()
    await other.page.keyboard.press("Enter")
    for screen in (mine, other):
        await screen.see("On-call engineer approved", "#thread")
        await expect(screen.role("button", "Approve", exact=True)).to_have_count(0)
    users = stage.workspace.users
    assert [click["user"]["id"] for click in stage.app.clicks] == [users["requester"], users["on-call"]]


async def test_a_denial_asks_why_and_a_click_that_gets_no_answer_is_told(stage: Stage) -> None:
    screen = await stage.open("lead")
    await approval(stage, screen)
    await screen.role("button", "Deny", exact=True).click()
    dialog = screen.role("dialog", "Deny")
    await expect(dialog.get_by_role("note")).to_have_text("One denial closes the approval.")
    await expect(dialog.locator("textarea")).to_be_focused()
    await dialog.locator("textarea").fill("Wait for the payments team.")
    await dialog.get_by_role("button", name="Deny").click()
    await expect(dialog).to_have_count(0)
    assert stage.app.submitted == [
        {"why": {"why": {"type": "plain_text_input", "value": "Wait for the payments team."}}}
    ]
    await screen.role("button", "View all arguments").click()
    await screen.toast(re.compile("Ops failed with the error"))


async def test_a_form_says_what_is_wrong_and_sends_what_was_chosen(stage: Stage) -> None:
    screen = await stage.open()
    await screen.command("/ops incident")
    dialog = screen.role("dialog", "New incident")
    await expect(dialog.get_by_label("Title")).to_be_focused()
    assert await screen.page.evaluate(UNNAMED) == []
    await dialog.get_by_role("button", name="Open").click()
    await expect(dialog.get_by_role("alert").filter(has_text="required")).to_have_count(2)
    await expect(dialog.get_by_label("Title")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Title").fill("short")
    await dialog.get_by_label("Severity").select_option("2")
    await dialog.get_by_role("button", name="Open").click()
    await expect(dialog.get_by_role("alert").filter(has_text="Say a little more")).to_have_count(1)
    await expect(dialog.get_by_role("alert").filter(has_text="required")).to_have_count(0)

    await dialog.get_by_label("Title").fill("Checkout answers slowly")
    await dialog.get_by_role("button", name="Services").click()
    await screen.get(".popover").get_by_label("checkout").check()
    await screen.get(".popover").get_by_label("payments").check()
    await screen.role("button", "Done").click()
    await expect(dialog.get_by_role("button", name="Services")).to_have_text("checkout, payments")
    await dialog.get_by_label("Leads").check()
    await dialog.get_by_role("button", name="Runbook").click()
    await screen.get(".popover input").fill("check")
    await screen.role("menuitem", "checkout-slow").click()
    await dialog.get_by_label("Began on").fill("2030-01-31")
    await dialog.get_by_label("Notes").fill("first line\nsecond")
    await dialog.get_by_role("button", name="Open").click()
    await expect(dialog).to_have_count(0)
    await screen.see("Incident Checkout answers slowly")
    (sent,) = stage.app.submitted

    def chosen(block: str, name: str) -> object:
        return sent[block][block][name]

    assert chosen("title", "value") == "Checkout answers slowly"
    assert chosen("severity", "selected_option")["value"] == "2"  # type: ignore[index]
    assert [one["value"] for one in chosen("services", "selected_options")] == ["checkout", "payments"]  # type: ignore[attr-defined]
    assert [one["value"] for one in chosen("flags", "selected_options")] == ["leads"]  # type: ignore[attr-defined]
    assert chosen("runbook", "selected_option")["value"] == "checkout-slow"  # type: ignore[index]
    assert chosen("began", "selected_date") == "2030-01-31"
    assert chosen("notes", "value") == "first line\nsecond"


async def test_modals_stack_and_keep_what_was_typed(stage: Stage) -> None:
    screen = await stage.open()
    await screen.role("button", "Shortcuts").click()
    await screen.role("menuitem", re.compile("New incident")).click()
    await screen.get("dialog").get_by_label("Title").fill("half written")
    await screen.role("button", "Show details").click()
    await expect(screen.role("dialog", "Details")).to_contain_text("2 of 3")
    await screen.page.keyboard.press("Escape")
    await expect(screen.get("dialog").get_by_label("Title")).to_have_value("half written")
    await screen.page.keyboard.press("Escape")
    await expect(screen.get("dialog")).to_have_count(0)


async def test_an_answer_streams_with_its_plan_and_ends_with_feedback(stage: Stage) -> None:
    screen = await stage.open()
    await screen.command("/ops ask why")
    await screen.thread("why is checkout slow")
    bar = screen.get("#thread .session-bar")
    await expect(bar).to_contain_text("Working…")
    await expect(screen.message("why is checkout slow").locator(".chip")).to_have_text("Working…")
    plan = screen.get("#thread .plan")
    await expect(plan).to_contain_text("1 of 3")
    signs = plan.locator(".task-sign")
    await expect(signs.nth(0)).to_have_attribute("aria-label", "done")
    await expect(signs.nth(1)).to_have_attribute("aria-label", "running")
    await expect(signs.nth(2)).to_have_attribute("aria-label", "waiting")
    await expect(screen.get("#thread .caret")).to_be_visible()
    stage.app.gate.set()
    await expect(plan).to_contain_text("3 of 3")
    await expect(plan.get_by_role("link")).to_have_text("checkout-errors.md")
    answer = screen.get("#thread .markdown")
    await expect(answer.locator("strong").first).to_have_text("checkout 1.8.0 broke it.")
    await expect(answer.locator("td")).to_have_text(["1.7.3", "0.1 %", "180 ms", "1.8.0", "4.1 %", "2.4 s"])
    await expect(answer.locator("ol li")).to_have_count(2)
    await expect(screen.get("#thread .caret")).to_have_count(0)
    await expect(bar.get_by_role("button", name="Stop")).to_have_count(0)
    await screen.role("button", "Good answer").click()
    await expect(screen.role("button", "Good answer")).to_have_attribute("aria-pressed", "true")
    (click,) = await until(lambda: stage.app.clicks, "the feedback")
    assert click["actions"][0]["value"] == "good"


async def test_stop_ends_the_stream_and_the_app_hears_of_it(stage: Stage) -> None:
    screen = await stage.open()
    await screen.command("/ops ask why")
    await screen.thread("why is checkout slow")
    await expect(screen.get("#thread .plan")).to_be_visible()
    await screen.role("button", "Stop").click()
    await expect(screen.message("Stopped.", "#thread")).to_be_visible()
    (event,) = await until(lambda: stage.app.stopped, "the stop")
    assert event["user"] == stage.workspace.users["requester"]
    assert len(event["streaming_message_ts"]) == 1
    await expect(screen.get("#thread .session-bar .working")).to_have_count(0)


async def test_a_session_is_renamed(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    await approval(stage, screen)
    await other.thread("asked to roll checkout back")
    await screen.get("#thread .session-title").click()
    await screen.get("dialog input").fill("Rollback of checkout")
    await screen.role("button", "Save").click()
    await expect(other.get("#thread .session-title")).to_have_text("Rollback of checkout")
    await stage.app.hear("agent_session_title_changed", title="Rollback of checkout")


async def test_a_prompt_in_the_direct_message_begins_a_thread(stage: Stage) -> None:
    stage.app.gate.set()
    screen = await stage.open(place="home")
    await screen.role("button", "Messages").click()
    await screen.role("button", "What is broken?").click()
    await expect(screen.reply).to_be_focused()
    await expect(screen.get("#thread .message").first).to_contain_text("What is broken right now?")
    await expect(screen.get("#thread .markdown").first).to_contain_text("checkout 1.8.0 broke it.")
    await stage.app.client.assistant_threads_setSuggestedPrompts(
        channel_id=screen.page.url.partition("#")[2],
        prompts=[{"title": "And now?", "message": "Is it repaired?"}],
        title="Ask on",
    )
    await expect(screen.get(".prompts")).to_have_text("Ask onAnd now?")


async def test_home_is_published_shown_and_refreshed(stage: Stage) -> None:
    screen = await stage.open()
    await screen.role("button", "Ops Home").click()
    await expect(screen.get(".home-body h3")).to_have_text(["My approvals", "Open incidents", "Plugin health"])
    await expect(screen.get(".home-body td")).to_have_text(["metrics", "412", "cicd", "7"])
    await screen.role("button", "Refresh").click()
    await expect(screen.get(".home-body .context")).to_have_text("refreshed just now")


async def test_a_message_is_handed_to_the_app_from_its_menu(stage: Stage) -> None:
    screen = await stage.open()
    await screen.say("disk is full on db1")
    await screen.message("disk is full").hover()
    await screen.message("disk is full").get_by_role("button", name="More actions").click()
    await screen.role("menuitem", re.compile("Triage this")).click()
    await screen.thread("disk is full")
    await screen.see("Looking at this message.", "#thread")


async def test_every_block_is_shown_and_its_elements_act(stage: Stage) -> None:
    screen = await stage.open()
    await stage.app.gallery(stage.workspace.channels["incidents"])
    gallery = screen.get("#main .message")
    await expect(gallery.locator(".content > .block")).to_have_count(len(page_gallery.GALLERY))
    await expect(gallery.locator(".rich-text li")).to_have_text(["first", "second", "deeper", "one", "two"])
    await expect(gallery.locator(".task-sign")).to_have_count(5)
    await expect(gallery.locator(".drawing rect")).to_have_count(10)
    await expect(gallery.locator(".picture.away")).to_have_text("error ratio")
    await expect(gallery.locator(".carousel .card")).to_have_count(2)
    assert await screen.page.evaluate(UNNAMED) == []

    await gallery.get_by_label("Service").select_option("checkout")
    await gallery.get_by_role("button", name="More actions").first.click()
    await screen.role("menuitem", "Hand over").click()
    await gallery.get_by_role("button", name="People").click()
    await screen.get(".popover").get_by_label("Team lead").check()
    await screen.role("button", "Done").click()
    await gallery.locator("input[type=date]").fill("2030-01-31")
    clicks = await until(lambda: stage.app.clicks if len(stage.app.clicks) == 4 else None, "the four")
    done = [click["actions"][0] for click in clicks]
    assert [one["action_id"] for one in done] == ["service", "more", "owners", "when"]
    assert done[0]["selected_option"]["value"] == "checkout"
    assert done[1]["selected_option"]["value"] == "Hand over"
    assert done[2]["selected_users"] == [stage.workspace.users["lead"]]
    assert done[3]["selected_date"] == "2030-01-31"

    endpoints = gallery.locator(".data-table tbody th")
    await expect(endpoints).to_have_text(["/pay", "/cart"])
    await gallery.get_by_role("button", name="p99").click()
    await expect(endpoints).to_have_text(["/cart", "/home"])
    await gallery.get_by_role("button", name="Next page").click()
    await expect(endpoints).to_have_text(["/pay"])
    await gallery.locator("summary").click()
    await expect(gallery.locator(".container-body")).to_be_hidden()


async def test_a_picture_the_app_uploads_is_shown_and_none_from_elsewhere_is_loaded(stage: Stage) -> None:
    screen = await stage.open()
    await stage.app.client.files_upload_v2(
        channel=stage.workspace.channels["incidents"],
        filename="plan.diff",
        content="- a\n+ b",
        initial_comment="the diff",
    )
    await expect(screen.message("the diff").locator("pre")).to_have_text("- a\n+ b")
