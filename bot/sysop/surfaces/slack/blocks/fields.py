"""The parts that every modal of ours is made of, and what was typed or chosen in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sysop.surfaces.slack.blocks.inputs import Wrong, typed
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.text import plain

TEXT: Final = "text"


def modal(callback: str, title: str, submit: str, blocks: Sequence[Block], metadata: str) -> Block:
    """Return a modal; `metadata` comes back with what was filled in."""
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": metadata,
        "title": plain(title, 24),
        "submit": plain(submit, 24),
        "close": plain("Cancel", 24),
        "blocks": list(blocks),
    }


def asks_for(block: str, label: str, element: Block, *, optional: bool = False, hint: str = "") -> Block:
    """Return an input with its label, asked for in the block of this name."""
    made: Block = {
        "type": "input",
        "block_id": block,
        "label": plain(label, 150),
        "element": {"action_id": TEXT, **element},
        "optional": optional,
    }
    return {**made, "hint": plain(hint, 300)} if hint else made


def line(limit: int, initial: str = "", *, multiline: bool = False) -> Block:
    """Return a text field that takes so many characters."""
    made: Block = {"type": "plain_text_input", "multiline": multiline, "max_length": limit}
    return {**made, "initial_value": initial[:limit]} if initial else made


def several(state: Mapping[str, Any], block: str) -> tuple[str, ...]:
    """Return what was chosen of a menu, or typed in a text field, parted by commas."""
    found = (state.get(block) or {}).get(TEXT) or {}
    chosen = [str(one.get("value")) for one in found.get("selected_options") or ()]
    text = found.get("value")
    return tuple(dict.fromkeys(chosen or [part.strip() for part in str(text or "").split(",") if part.strip()]))


def needed(state: Mapping[str, Any], block: str, otherwise: str) -> str | Wrong:
    """Return a text that must not be empty; `otherwise` says so."""
    return (typed(state, block, TEXT) or "").strip() or Wrong({block: otherwise})
