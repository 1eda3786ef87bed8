"""A person at the page of `sysop dev`, in a real browser, on a laptop or a phone: the whole incident, step by step."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from workspace.page_kit import LAPTOP, PHONE, REFUSED_WISH

SCREENS: Mapping[str, Mapping[str, Any]] = {
    "laptop": {"viewport": LAPTOP},
    "picture": {"viewport": {"width": 1440, "height": 960}},
    "phone": {"viewport": PHONE, "device_scale_factor": 2, "has_touch": True},
}
COLOURS: tuple[Literal["dark", "light"], ...] = ("dark", "light")
WAIT_MS = 60_000
"""A deadline, not a measure: a release goes out, alerts fire, repairs are watched for a while."""

_WATCH_TASKS = """() => {
  window.seenTasks = [];
  const look = () => {
    for (const row of document.querySelectorAll("#thread .task")) {
      const state = row.querySelector(".task-sign").getAttribute("aria-label");
      const said = `${row.querySelector(".task-title").textContent}: ${state}`;
      if (!window.seenTasks.includes(said)) window.seenTasks.push(said);
    }
  };
  look();
  new MutationObserver(look).observe(document.getElementById("thread"), { childList: true, subtree: true });
}"""
_SIDEWAYS = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Person:
    """Somebody at one page, who can become somebody else by the corner of it."""

    def __init__(self, page: Page, screen: str, artefacts: Path) -> None:
        self.page = page
        self.screen = screen
        self.complaints: list[str] = []
        self._artefacts = artefacts
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not REFUSED_WISH.search(message.text):
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:")):
            self.complaints.append(f"asked for {request.url}")

    # -- finding the way ----------------------------------------------------------------------------------------------

    @property
    def narrow(self) -> bool:
        """Tell whether one pane is seen at a time."""
        return self.screen == "phone"

    async def arrive(self, address: str) -> None:
        """Open the page."""
        await self.page.goto(address)
        await expect(self.page.locator("#app")).not_to_have_attribute("aria-busy", "true", timeout=WAIT_MS)

    async def to_sidebar(self) -> None:
        """Go back as far as one must to see the channels."""
        while self.narrow and not await self.page.locator("#sidebar").is_visible():
            await self.page.get_by_role("button", name=re.compile("^Back")).locator("visible=true").first.click()

    async def go(self, channel: str) -> None:
        """Open a channel."""
        await self.to_sidebar()
        await self.page.locator("#sidebar .row", has_text=channel).first.click()
        await expect(self.page.locator("#main h1")).to_contain_text(channel)

    async def become(self, name: str) -> None:
        """Switch the user in the corner."""
        await self.to_sidebar()
        await self.page.get_by_role("button", name=re.compile("Switch user")).click()
        await self.page.get_by_role("menuitem", name=re.compile(name)).click()
        await expect(self.page.locator("#sidebar")).to_contain_text(name)
        await expect(self.page.locator("#app")).not_to_have_attribute("aria-busy", "true")

    def headed(self, text: str, where: str = "#thread") -> Locator:
        """Find the newest message with such a heading."""
        return self.page.locator(f"{where} .message").filter(has=self.page.locator("h3", has_text=text)).last

    async def see(self, text: str, where: str = "#thread") -> Locator:
        """Wait until a message with such a heading is there."""
        found = self.headed(text, where)
        await expect(found).to_be_visible(timeout=WAIT_MS)
        return found

    async def scroll_to(self, found: Locator) -> None:
        """Scroll until a message is seen, at once: a card that is drawn anew meanwhile is another element."""
        await found.evaluate("message => message.scrollIntoView({block: 'nearest'})")

    async def keep(self, moment: str) -> None:
        """Keep a picture of a moment in both colours; nothing may stick out sideways."""
        assert not await self.page.evaluate(_SIDEWAYS), f"the {self.screen} scrolls sideways at {moment}"
        if not self.narrow:
            await self.page.mouse.move(0, 0)  # what the mouse is over looks different
        for colours in COLOURS:
            await self.page.emulate_media(color_scheme=colours)
            file = self._artefacts / f"{self.screen}-{colours}-{moment}.png"
            await self.page.screenshot(path=file, animations="disabled", caret="hide")

    # -- the incident -------------------------------------------------------------------------------------------------

    async def break_the_shop(self) -> None:
        """Press the button in #shop."""
        await self.go("shop")
        button = self.page.get_by_role("button", name="Break the shop")
        await expect(button).to_be_visible(timeout=WAIT_MS)
        await self.keep("1-shop")
        await button.click()

    async def open_incident(self, heading: str = "Open ·") -> None:
        """Go to #incidents and open the thread of the newest incident once something stands in it."""
        await self.go("incidents")
        root = await self.see(heading, "#main")
        opened = root.locator(".open-thread")
        await expect(opened).to_be_visible(timeout=WAIT_MS)
        await opened.click()
        await expect(self.page.locator("#thread .message").first).to_be_visible()
        await self.page.evaluate(_WATCH_TASKS)

    async def watch_plan(self) -> None:
        """See the plan come."""
        await expect(self.page.locator("#thread .plan").first).to_be_visible(timeout=WAIT_MS)
        await self.keep("2-plan")

    async def seen_of_plans(self) -> list[str]:
        """Return each state in which each line of a plan was seen since the thread was opened, in order."""
        return list(await self.page.evaluate("() => window.seenTasks"))

    async def see_card(self) -> Locator:
        """Wait for the approval card."""
        card = await self.see("Approval needed")
        await expect(card.get_by_role("button", name="Approve")).to_be_visible()
        await self.scroll_to(card)
        return card

    async def approve(self) -> None:
        """Press Approve, and once more where it asks."""
        card = await self.see_card()
        await card.get_by_role("button", name="Approve").click()
        dialog = self.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("cicd.rollback")
        await self.keep("4-confirm")
        await dialog.get_by_role("button", name="Approve").click()
        await expect(dialog).to_have_count(0)

    async def is_refused(self) -> None:
        """See why the click changed nothing, and that the card is as it was."""
        said = self.page.locator("#thread .message.ephemeral").last
        await expect(said).to_contain_text("needs the role approver", timeout=WAIT_MS)
        await expect(self.headed("Approval needed").get_by_role("button", name="Approve")).to_be_visible()
        await self.scroll_to(said)
        await self.keep("5-refused")

    async def is_approved(self) -> None:
        """See the card become its result: no button is left on it."""
        result = await self.see("Approved ·")
        await expect(self.headed("Approval needed")).to_have_count(0)
        await expect(result.get_by_role("button", name="Approve")).to_have_count(0)
        await expect(result).to_contain_text("On-call engineer")
        await self.scroll_to(result)
        await self.keep("6-approved")

    async def is_resolved(self) -> None:
        """See the incident end with its summary, and its card say the same."""
        summary = await self.see("Resolved after")
        await self.scroll_to(summary)
        await expect(self.headed("Resolved ·", "#main")).to_have_count(1, timeout=WAIT_MS)
        await self.keep("7-summary")

    async def customers_are_well(self) -> None:
        """See in #shop that it works again."""
        await self.go("shop")
        shop = await self.see("The shop", "#main")
        await expect(shop).to_contain_text("customers are well", timeout=WAIT_MS)
        await self.keep("8-well")


@asynccontextmanager
async def person(browser: Browser, screen: str, artefacts: Path) -> AsyncIterator[Person]:
    """Open an empty page on a screen; it must complain of nothing."""
    context = await browser.new_context(**SCREENS[screen])
    someone = Person(await context.new_page(), screen, artefacts)
    try:
        yield someone
    finally:
        await context.close()
    assert someone.complaints == []


async def whole_incident(someone: Person, address: str) -> list[str]:
    """Go through the incident from the first click to the summary; return what was seen of the lines of plans."""
    await someone.arrive(address)
    await someone.break_the_shop()
    await someone.open_incident()
    await someone.watch_plan()
    await someone.see_card()
    await someone.keep("3-card")
    await someone.approve()
    await someone.is_refused()
    await someone.become("On-call engineer")
    await someone.open_incident()
    await someone.approve()
    await someone.is_approved()
    await someone.is_resolved()
    seen = await someone.seen_of_plans()
    await someone.customers_are_well()
    return seen
