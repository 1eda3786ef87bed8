"""The small parts of blocks that every builder uses.

None of them cuts mrkdwn: half a link or half a code means something else. Whoever makes it cuts what goes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.text import marked, plain


def header(text: str) -> Block:
    """Return a title."""
    return {"type": "header", "text": plain(text, 150)}


def section(text: str, accessory: Block | None = None) -> Block:
    """Return a paragraph of mrkdwn that is inert already."""
    block: Block = {"type": "section", "text": marked(text)}
    return {**block, "accessory": accessory} if accessory else block


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Return labelled values in two columns, at most ten; the values are mrkdwn that is inert already."""
    shown = [marked(f"*{label}*\n{value}") for label, value in pairs if value]
    return {"type": "section", "fields": shown[:10]}


def context(parts: Iterable[str]) -> Block | None:
    """Return small print of mrkdwn that is inert already, at most ten parts; None where there are none."""
    shown = [marked(part) for part in parts if part]
    return {"type": "context", "elements": shown[:10]} if shown else None


def actions(block_id: str, buttons: Sequence[Block]) -> Block | None:
    """Return a row of buttons; None where there are none."""
    return {"type": "actions", "block_id": block_id, "elements": list(buttons)[:25]} if buttons else None


def button(text: str, action_id: str, value: str, style: str | None = None, confirm: Block | None = None) -> Block:
    """Return a button. Its value is an id and nothing that could be believed without a look."""
    made: dict[str, Any] = {"type": "button", "text": plain(text, 75), "action_id": action_id, "value": value}
    if style:
        made["style"] = style
    return {**made, "confirm": confirm} if confirm else made


def menu(action_id: str, choices: Sequence[tuple[str, str]]) -> Block:
    """Return a menu behind three dots: at most five choices, each with its text and the value it sends."""
    options = [{"text": plain(text, 75), "value": value} for text, value in choices[:5]]
    return {"type": "overflow", "action_id": action_id, "options": options}


def confirm(title: str, text: str, yes: str, style: str = "primary") -> Block:
    """Return the question before a button counts."""
    return {
        "title": plain(title, 100),
        "text": plain(text, 300),
        "confirm": plain(yes, 30),
        "deny": plain("Back", 30),
        "style": style,
    }


def divider() -> Block:
    """Return a line."""
    return {"type": "divider"}
