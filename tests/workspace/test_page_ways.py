"""Ways through the page: keyboard, narrow screens, and that nothing from outside is ever asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from workspace.kit import until
from workspace.page_kit import PHONE, Screen, Stage

pytest_plugins = ("workspace.page_fixtures",)
pytestmark = pytest.mark.asyncio(loop_scope="session")

CONTRAST = Path(__file__).with_name("page_contrast.js").read_text("utf-8")


async def seen(screen: Screen) -> list[str]:
    """Return the panes that are seen."""
    return [name for name in ("sidebar", "main", "thread", "inspector") if await screen.get(f"#{name}").is_visible()]


async def test_everything_is_reached_by_keyboard(stage: Stage) -> None:
    screen = await stage.open()
    keys = screen.page.keyboard
    await screen.say("first")
    await screen.say("second")
    await screen.see("second")
    await keys.press("ArrowUp")
    await expect(screen.message("second")).to_be_focused()
    await keys.press("ArrowUp")
    await expect(screen.message("first")).to_be_focused()
    await keys.press("t")
    await expect(screen.reply).to_be_focused()
    await keys.type("an answer")
    await keys.press("Enter")
    await screen.see("an answer", "#thread")
    await keys.press("Escape")
    await expect(screen.get("#thread")).to_be_hidden()
    await expect(screen.message("first")).to_be_focused()
    await keys.press("Escape")
    await expect(screen.write).to_be_focused()
    await keys.press("Control+k")
    await expect(screen.get("dialog.switcher input")).to_be_focused()
    await keys.type("shop")
    await keys.press("Enter")
    await expect(screen.role("heading", "shop", exact=True)).to_be_visible()
    await expect(screen.write).to_be_focused()
    await keys.press("Control+k")
    await keys.type("team lead")
    await keys.press("Enter")
    await expect(screen.role("button", re.compile("You are Team lead"))).to_be_visible()


async def test_menus_and_the_sidebar_are_walked_with_arrows_and_left_with_escape(stage: Stage) -> None:
    screen = await stage.open()
    keys = screen.page.keyboard
    who = screen.role("button", re.compile("You are Requester"))
    await who.focus()
    await keys.press("Enter")
    await expect(who).to_have_attribute("aria-expanded", "true")
    await keys.press("ArrowDown")
    await expect(screen.get("[role=menuitem]").nth(1)).to_be_focused()
    await keys.press("Escape")
    await expect(who).to_be_focused()
    await screen.role("button", "general").focus()
    await keys.press("ArrowDown")
    await expect(screen.role("button", "incidents")).to_be_focused()
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(screen.role("heading", "shop", exact=True)).to_be_visible()
    await screen.role("button", "shop").focus()
    await keys.press("i")
    await expect(screen.get("#inspector input")).to_be_focused()
    await expect(screen.get("#inspector input")).to_have_value("")


async def test_focus_is_visible(stage: Stage) -> None:
    screen = await stage.open()
    await screen.page.keyboard.press("Shift+Tab")
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert await screen.page.evaluate(outline) == "solid"


async def test_a_phone_shows_one_pane_with_a_way_back(stage: Stage) -> None:
    screen = await stage.open(viewport=PHONE, has_touch=True)
    assert await seen(screen) == ["main"]
    await screen.role("button", "Back to channels").tap()
    assert await seen(screen) == ["sidebar"]
    await screen.role("button", "shop").tap()
    assert await seen(screen) == ["main"]
    await screen.say("from the train")
    await screen.message("from the train").get_by_role("button", name="More actions").tap()
    await screen.role("menuitem", "Reply in thread").tap()
    await expect(screen.reply).to_be_focused()
    assert await seen(screen) == ["thread"]
    await screen.get("#thread").get_by_role("button", name="Back", exact=True).tap()
    assert await seen(screen) == ["main"]
    await screen.role("button", "Back to channels").tap()
    await screen.role("button", "Inspector").tap()
    assert await seen(screen) == ["inspector"]
    await screen.get("#inspector").get_by_role("button", name="Back", exact=True).tap()
    assert await seen(screen) == ["main"]


async def test_nothing_is_wider_than_a_phone(stage: Stage) -> None:
    screen = await stage.open(viewport=PHONE)
    await stage.app.gallery(stage.workspace.channels["incidents"])
    await expect(screen.get("#main .drawing")).to_be_visible()
    await screen.say("x" * 400)
    wide = """() => [...document.querySelectorAll('.feed, .message, .content, body')]
        .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.className)"""
    assert await screen.page.evaluate(wide) == []
    await screen.command("/ops incident")
    await expect(screen.get("dialog.modal")).to_be_visible()
    box = await screen.get("dialog.modal").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, PHONE["width"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_contrast_in_both_schemes(stage: Stage, scheme: str) -> None:
    screen = await stage.open(color_scheme=scheme)
    await stage.app.approval(stage.workspace.channels["incidents"], stage.workspace.users["requester"])
    await screen.command("/ops nonsense")
    await screen.thread("asked to roll")
    await expect(screen.get("#thread .actions")).to_be_visible()
    poor = await screen.page.evaluate(CONTRAST)
    assert poor == []


async def test_an_injected_script_or_style_does_not_run(stage: Stage) -> None:
    screen = await stage.open(listen=False)
    told: list[str] = []
    screen.page.on("console", lambda message: told.append(message.text))
    await screen.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            const picture = document.createElement("img");
            picture.src = "http://127.0.0.2:9/x.png";
            document.body.append(picture);
        }"""
    )
    assert await screen.page.evaluate("() => window.ran") is None
    for directive in ("script-src", "img-src"):
        await until(lambda wanted=directive: any(wanted in one for one in told), f"the browser tells of {directive}")
