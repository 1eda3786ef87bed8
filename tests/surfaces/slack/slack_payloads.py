"""Whether Slack would take a payload: our table of limits and the SDK's own models, and whether it is inert."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import slack_reader as reader
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from sysop import blockkit
from sysop.surfaces.slack.blocks.shown import Shown

_UNSEEN = ("type", "block_id", "action_id", "value", "user_id")


def texts(value: Any) -> str:
    """Return all that a reader sees."""
    if isinstance(value, list):
        return "\n".join(map(texts, value))
    if isinstance(value, dict):
        own = f"<@{value['user_id']}>" if value.get("type") == "user" else ""
        return own + "".join(texts(inner) for key, inner in value.items() if key not in _UNSEEN)
    return value if isinstance(value, str) else ""


def takes(shown: Shown) -> None:
    """Fail with the reason if Slack would refuse a message, now or as an update, or if it does more than be read."""
    payload = {"text": shown.text, "blocks": shown.blocks}
    assert blockkit.check_message(payload) == []
    assert blockkit.check_message(payload, update=True) == []
    assert len(shown.text) <= 3000
    assert shown.text.strip()
    _models(shown.blocks)
    assert reader.mrkdwn(shown.text, reader.USERS) == []
    assert reader.blocks(shown.blocks) == []


def takes_view(view: Mapping[str, Any]) -> None:
    """Fail with the reason if Slack would refuse a view, or if it does more than be read."""
    assert blockkit.check_view(view) == []
    View(**copy.deepcopy(dict(view))).to_dict()
    _models(view["blocks"])
    assert reader.blocks(view["blocks"]) == []


def _models(blocks: list[dict[str, Any]]) -> None:
    for block in blocks:
        parsed = Block.parse(copy.deepcopy(block))
        assert parsed is not None, f"the SDK does not know {block['type']}"
        parsed.to_dict()
        parsed.validate_json()
