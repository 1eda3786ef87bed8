"""What a message is made of before it goes out: checked against Slack's limits, with the id by which we find it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sysop import blockkit
from sysop.blockkit import Problem
from sysop.model import new_id
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.text import cut, split

Json = dict[str, Any]
EVENT: Final = "sysop_message"
MAX_PLAIN: Final = 3900
MOST_PARTS: Final = 4
"""A longer text becomes a file."""
FIRST: Final = 1000
"""The number of a thread's first message where another row has to post it."""

log = logging.getLogger(__name__)


def metadata(item: int, part: int = 0) -> Json:
    """Return what tells a message of ours in a thread: readable by every member, so ids only."""
    return {"event_type": EVENT, "event_payload": {"outbox": str(item), **({"part": part} if part else {})}}


def digest(value: Any) -> str:
    """Return what is equal for equal content."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def content(shown: Shown) -> Json:
    """Return a message with its blocks."""
    return {"text": shown.text, "blocks": shown.blocks} if shown.blocks else {"text": shown.text}


def of_payload(payload: Mapping[str, Any]) -> Shown:
    """Return a stored payload as a message; odd ones say what they can."""
    blocks = payload.get("blocks")
    return Shown(str(payload.get("text") or "(no text)"), list(blocks) if isinstance(blocks, Sequence) else [])


def fits(message: Json, *, update: bool = False, what: str = "") -> bool:
    """Tell whether Slack would take a message; if not that is our bug, and the log says which."""
    return not problems_logged(blockkit.check_message(message, update=update), what)


def problems_logged(problems: Sequence[Problem], what: str) -> bool:
    """Write to the log what is wrong with a payload of ours; tell whether anything is."""
    if problems:
        first = "; ".join(map(str, problems[:3]))
        log.error("a payload for %s breaks a limit of Slack, reference %s: %s", what, new_id("err"), first)
    return bool(problems)


def plain(text: str) -> list[Json]:
    """Return a text as messages without blocks, each short enough."""
    return [{"text": part, "blocks": []} for part in split(text, MAX_PLAIN)]


def plain_update(text: str) -> Json:
    """Return a text as the new content of one message: it cannot be split, so it is cut."""
    return {"text": cut(text, MAX_PLAIN), "blocks": []}
