"""What a past incident teaches about this one, and two buttons that say whether it helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sysop.store.ratings import Verdict
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import rich, said, section, styled
from sysop.surfaces.slack.text import one_line

RATE: Final = "incident.remembered"
_VERDICTS: Final[dict[str, Verdict]] = {"memory.helpful": "helpful", "memory.wrong": "wrong"}


@dataclass(frozen=True, slots=True)
class Past:
    """A past incident: its id, a sentence on what it teaches, and where its card stands, "" where that is not known."""

    incident: str
    teaches: str
    url: str = ""


def remembered(incident: str, past: Past | None, links: Links) -> list[Block]:
    """Return the blocks of an incident's card that tell of a past one, none where there is none."""
    if past is None:
        return []
    where = {"type": "link", "url": past.url, "text": past.incident} if past.url else styled(past.incident, "code")
    text = one_line(past.teaches.removeprefix("seen before "), 500)
    told = rich(section(styled("Seen before ", "bold"), *said(text, links), styled(" ("), where, styled(")")))
    return [told, _thumbs(incident, past)]


def _thumbs(incident: str, past: Past) -> Block:
    def choice(text: str, value: str, label: str) -> dict[str, Any]:
        words = {"type": "plain_text", "text": text, "emoji": False}
        return {"text": words, "value": f"{value}:{incident}:{past.incident}", "accessibility_label": label}

    buttons = {
        "type": "feedback_buttons",
        "action_id": RATE,
        "positive_button": choice("Helpful", "memory.helpful", "Say that this past incident helps here"),
        "negative_button": choice("Wrong", "memory.wrong", "Say that this past incident is not like this one"),
    }
    return {"type": "context_actions", "block_id": f"remembered:{incident}", "elements": [buttons]}


def rated(value: str) -> tuple[str, str, Verdict] | None:
    """Return the incident, the past one and what somebody says of it, from a button's value; None for other text."""
    kind, _, ids = value.partition(":")
    incident, _, past = ids.partition(":")
    verdict = _VERDICTS.get(kind)
    return (incident, past, verdict) if verdict is not None and incident and past else None
