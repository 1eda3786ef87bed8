"""A real browser on the page, with an app behind it; whatever the page complains of fails the test."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
)

from sysop.workspace import Workspace
from workspace.page_app import PageApp

LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# The browser itself says this of each refused wish; why it was refused is on the page.
REFUSED_WISH = re.compile(r"Failed to load resource.* 40[01] ")

expect.set_options(timeout=20_000)


class Screen:
    """One person's page."""

    def __init__(self, page: Page, complaints: list[str]) -> None:
        self.page, self.complaints = page, complaints

    def get(self, selector: str, **more: Any) -> Locator:
        """Find something by a selector."""
        return self.page.locator(selector, **more)

    def role(self, role: Any, name: str | re.Pattern[str], **more: Any) -> Locator:
        """Find something as a screen reader would."""
        return self.page.get_by_role(role, name=name, **more)

    @property
    def write(self) -> Locator:
        """Return the field of the main pane."""
        return self.get("#main .composer-field")

    @property
    def reply(self) -> Locator:
        """Return the field of the thread."""
        return self.get("#thread .composer-field")

    def message(self, text: str, where: str = "#main") -> Locator:
        """Find the last message with a text."""
        return self.get(f"{where} .message", has_text=text).last

    async def say(self, text: str, field: Locator | None = None) -> None:
        """Type something and press Enter."""
        target = field or self.write
        await target.fill(text)
        await target.press("Enter")

    async def command(self, text: str) -> None:
        """Type a command; the space at its end closes the suggestions."""
        await self.say(f"{text} ")

    async def see(self, text: str, where: str = "#main") -> None:
        """Wait until a message with a text is there."""
        await expect(self.message(text, where)).to_be_visible()

    async def toast(self, text: str | re.Pattern[str]) -> None:
        """Wait until a notice says something."""
        await expect(self.get(".toast", has_text=text).first).to_be_visible()

    async def thread(self, text: str) -> None:
        """Open the thread of a message."""
        await self.message(text).locator(".open-thread").click()
        await expect(self.reply).to_be_focused()


class Stage:
    """A workspace with its app; people come with `open`."""

    def __init__(self, workspace: Workspace, app: PageApp, browser: Browser) -> None:
        self.workspace, self.app, self._browser = workspace, app, browser
        self.complaints: list[str] = []
        self._contexts: list[BrowserContext] = []

    async def open(self, user: str = "requester", place: str = "incidents", **context: Any) -> Screen:
        """Open the page as somebody."""
        page = await self.page(**context)
        await page.goto(f"{self.workspace.page_url}&user={user}#{place}")
        await expect(page.locator("#app")).not_to_have_attribute("aria-busy", "true")
        return Screen(page, self.complaints)

    async def page(self, *, listen: bool = True, **context: Any) -> Page:
        """Open an empty page whose complaints are kept, except where the test is about a refusal (``listen=False``)."""
        made = await self._browser.new_context(**{"viewport": LAPTOP, **context})
        self._contexts.append(made)
        page = await made.new_page()
        page.set_default_timeout(20_000)
        if listen:
            page.on("console", self._console)
            page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
            page.on("request", self._request)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not REFUSED_WISH.search(message.text):
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.workspace.url, "data:")):
            self.complaints.append(f"asked for {request.url}")

    async def close(self) -> None:
        """Close every page."""
        for context in self._contexts:
            await context.close()
