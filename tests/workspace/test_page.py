"""The page, by people who talk: writing, commands, threads, reactions, files, who sees what."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from workspace import page_blocks
from workspace.kit import until
from workspace.page_kit import Stage

pytest_plugins = ("workspace.page_fixtures",)
pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "</textarea><svg/onload=alert(3)>",
    "javascript:alert(4) data:text/html,<b>x</b>",
    "\u202eevil\u202c and \u0627\u0644\u0633\u0644\u0627\u0645",
    "&lt;b&gt; &amp;amp; <@UNOBODY> <!everyone",
]


async def test_it_says_that_it_is_no_slack_and_hides_its_token(stage: Stage) -> None:
    screen = await stage.open()
    await expect(screen.get(".banner")).to_have_text("Local stand-in, not Slack")
    await expect(screen.get(".team")).to_contain_text("local stand-in, not Slack")
    assert stage.workspace.control_token not in screen.page.url
    await screen.page.reload()
    await expect(screen.write).to_be_visible()


async def test_without_the_token_there_is_no_page(stage: Stage) -> None:
    page = await stage.page(listen=False)  # the browser tells of the 401, and of the icon it looks for, when it likes
    answer = await page.goto(stage.workspace.url)
    assert answer is not None
    assert answer.status == 401
    assert await page.locator("#app").count() == 0


async def test_what_one_writes_the_other_reads_at_once(stage: Stage) -> None:
    one, other = await stage.open(), await stage.open("lead")
    await one.say("Is *checkout* slow? See `p99` :eyes: https://shop.example/graph")
    line = other.message("Is checkout slow?")
    await expect(line.locator("strong")).to_have_text("checkout")
    await expect(line.locator("code")).to_have_text("p99")
    await expect(line).to_contain_text("👀")
    await expect(line.locator("a")).to_have_attribute("rel", "noopener noreferrer")
    await expect(line.locator(".author")).to_have_text("Requester")


async def test_hostile_text_stays_text(stage: Stage) -> None:
    screen = await stage.open()
    for text in HOSTILE:
        await screen.say(text)
        await expect(screen.get("#main .message .content").last).to_have_text(text)
        await stage.app.client.chat_postMessage(
            channel=stage.workspace.channels["shop"], text="blocks", blocks=page_blocks.hostile(text)
        )
    await screen.role("button", re.compile("shop")).click()
    for place in ("h3", ".rich-text p", "pre", ".context span", ".button", ".task-title"):
        await expect(screen.get(f"#main .message {place}")).to_have_text(HOSTILE)
    assert await screen.get(".message :is(img, script, iframe, [onerror], [onload])").count() == 0
    assert await screen.get(".message a").count() == 0


async def test_lines_are_kept_and_shift_enter_makes_one(stage: Stage) -> None:
    screen = await stage.open()
    await screen.write.press_sequentially("first")
    await screen.write.press("Shift+Enter")
    await screen.write.press_sequentially("second")
    await screen.write.press("Enter")
    await expect(screen.message("first").locator("br")).to_have_count(1)
    await expect(screen.write).to_have_value("")


async def test_a_slash_offers_commands_with_their_words(stage: Stage) -> None:
    screen = await stage.open()
    await screen.write.press_sequentially("/o")
    await expect(screen.role("option", "/ops ask")).to_contain_text("ask | status | incident | run | help")
    await screen.write.press("Tab")
    await expect(screen.write).to_have_value("/ops ")
    await expect(screen.get(".completion [role=option]")).to_have_count(5)
    await screen.write.press_sequentially("st")
    await screen.write.press("Enter")
    await expect(screen.write).to_have_value("/ops status ")
    await screen.write.press("Enter")
    await screen.see("Status of the shop")
    assert stage.app.commands == ["status"]


async def test_a_command_that_is_written_out_runs_at_enter(stage: Stage) -> None:
    screen = await stage.open()
    await screen.write.press_sequentially("/ops status now")
    await screen.write.press("Enter")
    await screen.see("Status of the shop")
    assert stage.app.commands == ["status now"]


async def test_a_mention_is_completed_and_arrives_as_one(stage: Stage) -> None:
    screen = await stage.open()
    await screen.write.press_sequentially("hey @le")
    await expect(screen.role("option", re.compile("Team lead"))).to_contain_text("leads")
    await screen.write.press("Enter")
    await screen.write.press_sequentially("and @op")
    await screen.write.press("Tab")
    await screen.write.press("Enter")
    await expect(screen.message("hey").locator(".mention")).to_have_text(["@Team lead", "@Ops"])
    heard = await until(lambda: stage.app.events("app_mention"), "the mention")
    assert heard[0]["text"] == f"hey <@{stage.workspace.users['lead']}> and <@{stage.workspace.bot_user_id}>"


async def test_an_ephemeral_is_marked_and_its_persons_alone(stage: Stage) -> None:
    mine, others = await stage.open(), await stage.open("lead")
    await mine.command("/ops nonsense")
    line = mine.message("Try /ops ask")
    await expect(line).to_contain_text("Only visible to you")
    await mine.say("after it")
    await others.see("after it")
    await expect(others.get("#main .message")).to_have_count(1)
    await line.get_by_role("button", name="Dismiss").click()
    await expect(mine.get("#main .message")).to_have_count(1)


async def test_a_command_nobody_knows_and_one_nobody_answers_are_told(stage: Stage) -> None:
    screen = await stage.open()
    await screen.command("/unknown thing")
    await screen.toast("/unknown is not a valid command")
    await expect(screen.write).to_have_value("/unknown thing ")
    await screen.command("/slow")
    await screen.toast(re.compile(r"/slow failed with the error .operation_timeout"))


async def test_a_thread_has_its_own_place_and_count(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    await screen.say("a question")
    await screen.message("a question").hover()
    await screen.message("a question").get_by_role("button", name="Reply in thread").click()
    await screen.say("an answer", screen.reply)
    await screen.see("an answer", "#thread")
    await expect(screen.message("an answer", "#main")).to_have_count(0)
    await expect(other.message("a question").locator(".open-thread")).to_contain_text("1 reply")
    await other.thread("a question")
    await other.say("another", other.reply)
    await screen.see("another", "#thread")
    await expect(screen.message("a question").locator(".open-thread")).to_contain_text("2 replies")


async def test_a_command_in_a_thread_is_refused_as_slack_does(stage: Stage) -> None:
    screen = await stage.open()
    await screen.say("a question")
    await screen.message("a question").focus()
    await screen.page.keyboard.press("t")
    await screen.say("/ops status ", screen.reply)
    await screen.toast("do not run inside threads")
    assert stage.app.commands == []


async def test_reactions_are_added_and_taken_back(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    await screen.say("good news")
    await screen.message("good news").hover()
    await screen.message("good news").get_by_role("button", name="Add a reaction").click()
    await screen.role("button", "tada").click()
    chip = screen.message("good news").locator(".reaction")
    await expect(chip).to_have_text("🎉1")
    await other.message("good news").locator(".reaction").click()
    await expect(chip).to_have_text("🎉2")
    await chip.click()
    await expect(chip).to_have_text("🎉1")
    await expect(chip).to_have_attribute("aria-pressed", "false")


async def test_ones_own_message_is_edited_and_deleted(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    await screen.say("chekout is slow, @lead")

    async def choose(what: str) -> None:
        line = screen.message("is slow")
        await line.hover()
        await line.get_by_role("button", name="More actions").click()
        await screen.role("menuitem", what).click()

    await choose("Edit message")
    await expect(screen.get("dialog input")).to_have_value("chekout is slow, @lead")
    await screen.get("dialog input").fill("checkout is slow, @lead")
    await screen.page.keyboard.press("Enter")
    await expect(other.message("checkout is slow")).to_contain_text("(edited)")
    await expect(other.message("checkout is slow").locator(".mention")).to_have_text("@Team lead")
    await choose("Delete message")
    await screen.role("button", "Keep").click()
    await choose("Delete message")
    await screen.role("button", "Delete").click()
    await expect(other.get("#main .message")).to_have_count(0)
    other_line = other.message("is slow")
    await expect(other_line).to_have_count(0)


async def test_others_messages_cannot_be_edited(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    await screen.say("mine")
    await other.message("mine").hover()
    await other.message("mine").get_by_role("button", name="More actions").click()
    await expect(other.role("menuitem", re.compile("Copy text"))).to_be_visible()
    await expect(other.role("menuitem", "Edit message")).to_have_count(0)


async def test_files_are_attached_shown_and_previewed(stage: Stage) -> None:
    screen, other = await stage.open(), await stage.open("lead")
    lines = "\n".join(f"line {number} <b>" for number in range(1, 21))
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63d8f6f71f00044b0221"
        "46e6f5110000000049454e44ae426082"
    )
    await screen.get("#main input[type=file]").set_input_files(
        [
            {"name": "deploy.log", "mimeType": "text/plain", "buffer": lines.encode()},
            {"name": "dot.png", "mimeType": "image/png", "buffer": png},
        ]
    )
    await expect(screen.get(".chosen-files .chip")).to_have_count(2)
    await screen.say("the log")
    line = other.message("the log")
    await expect(line.locator(".file pre")).to_contain_text("line 12 <b>")
    await expect(line.locator(".file pre")).not_to_contain_text("line 13")
    await line.get_by_role("button", name="Show all 20 lines").click()
    await expect(line.locator(".file pre")).to_contain_text("line 20")
    await expect(line.locator("img")).to_have_js_property("naturalWidth", 1)
