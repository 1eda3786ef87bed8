"""Rich text: Slack reads nothing into its pieces, so text of others belongs here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sysop.surfaces.slack.links import Links, pieces
from sysop.surfaces.slack.text import cut, date_text, readable, visible

Element = dict[str, Any]
_CODE: Final = re.compile(r"(`[^`\n]+`)")


def rich(*parts: Element | None) -> Element:
    """Return a block of sections, lists and code."""
    return {"type": "rich_text", "elements": [part for part in parts if part is not None]}


def section(*elements: Element) -> Element:
    """Return a paragraph."""
    return {"type": "rich_text_section", "elements": list(elements)}


def bullets(items: Iterable[Sequence[Element]]) -> Element | None:
    """Return a list; None where there is nothing to list."""
    made = [section(*item) for item in items]
    return {"type": "rich_text_list", "style": "bullet", "elements": made} if made else None


def preformatted(text: str, limit: int = 3000, note: str = "… {n} more characters") -> Element:
    """Return text as it is, in code, with everything that could hide in it written out, cut to a length."""
    shown = cut(visible(text), limit, note)
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown or "–"}]}


def styled(text: str, *styles: str) -> Element:
    """Return words of our own, or of others where they are on one line and short."""
    made: Element = {"type": "text", "text": text or "–"}
    return {**made, "style": dict.fromkeys(styles, True)} if styles else made


def said(text: str, links: Links, limit: int = 3000) -> list[Element]:
    """Return text of others: addresses on the list are links, all others code."""
    found = [_piece(piece.kind, piece.text) for piece in pieces(cut(readable(text), limit), links)]
    return found or [styled("–")]


def _piece(kind: str, text: str) -> Element:
    if kind == "link":
        return {"type": "link", "url": text, "text": text}
    return styled(text, "code") if kind == "code" else styled(text)


def ticked(text: str) -> list[Element]:
    """Return inert Markdown on one line with its code as code."""
    parts = [part for part in _CODE.split(text) if part]
    return [styled(p[1:-1], "code") if _CODE.fullmatch(p) else styled(p) for p in parts] or [styled("–")]


def link(text: str, url: str | None, links: Links) -> Element:
    """Return a link where the address may be one, else its text as code."""
    if url and links.allows(url):
        return {"type": "link", "url": url, "text": readable(text) or url}
    return styled(readable(text), "code")


def date(ms: int) -> Element:
    """Return a time that Slack shows in the reader's own zone."""
    shown = {"timestamp": max(ms, 0) // 1000, "format": "{date_short_pretty} {time}", "fallback": date_text(ms)}
    return {"type": "date", **shown}
