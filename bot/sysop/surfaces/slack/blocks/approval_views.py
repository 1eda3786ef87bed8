"""The modals of an approval: the reason of a no, and everything that is bound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sysop.model import Approval
from sysop.surfaces.slack.blocks import bound, parts
from sysop.surfaces.slack.blocks.calls import arguments_text
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.rich import preformatted, rich, section, styled
from sysop.surfaces.slack.text import one_line, plain, split, visible, width

DENY: Final = "approval.deny"
MAX_REASON: Final = 500
_REASON: Final = ("reason", "text")
_PART: Final = 3000
_PARTS: Final = 90
_BYTES: Final = 200_000


def deny(approval: Approval) -> Block:
    """Return the modal that asks why not."""
    what = one_line(visible(f"{approval.action} on {approval.target}"), 120)
    text = {"type": "plain_text", "text": f"{what} will not run. One no closes the approval.", "emoji": False}
    field = {"type": "plain_text_input", "action_id": _REASON[1], "multiline": True, "max_length": MAX_REASON}
    return {
        "type": "modal",
        "callback_id": DENY,
        "private_metadata": approval.id,
        "title": plain("Deny", 24),
        "submit": plain("Deny", 24),
        "close": plain("Back", 24),
        "blocks": [
            {"type": "alert", "level": "warning", "text": text},
            {"type": "input", "block_id": _REASON[0], "label": plain("Why not?", 100), "element": field},
        ],
    }


def denial(values: Mapping[str, Any]) -> str | dict[str, str]:
    """Return the reason that was typed, or what is wrong with it by block."""
    block, field = _REASON
    given = str((values.get(block, {}).get(field) or {}).get("value") or "").strip()
    return given[:MAX_REASON] if given else {block: "Say why not, so that the next try can be better."}


def everything(approval: Approval) -> Block:
    """Return the modal with all that is bound; what no modal has room for is counted and found by the command line."""
    named = "\n".join(f"{label}: {json.dumps(text, ensure_ascii=False)}" for label, text in bound.named(approval))
    told = [
        ("Call", visible(named)),
        ("Arguments", arguments_text(approval.args)),
        ("What changes", visible(bound.preview(approval).text)),
        ("State it depends on", visible(approval.precondition) if approval.precondition != "null" else ""),
        ("Digest", approval.digest),
    ]
    blocks, left = _fit([(title, text) for title, text in told if text])
    if left:
        blocks.append(parts.section(f"… {left} more characters. See all: `sysop approvals {approval.id}`"))
    title = plain("Everything bound", 24)
    return {"type": "modal", "title": title, "close": plain("Close", 24), "blocks": blocks}


def _fit(told: list[tuple[str, str]]) -> tuple[list[Block], int]:
    """Return blocks within a modal's limits and how many characters found no room."""
    blocks: list[Block] = []
    left, room = 0, _BYTES
    for title, text in told:
        for number, part in enumerate(split(text, _PART)):
            size = len(json.dumps(part, ensure_ascii=True))
            if len(blocks) >= _PARTS or size > room:
                left += width(part)
                continue
            room -= size
            head = [section(styled(title, "bold"))] if number == 0 else []
            blocks.append(rich(*head, preformatted(part, 2 * _PART)))
    return blocks, left
