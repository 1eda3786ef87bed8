"""The small objects that blocks and elements are made of: texts, options, confirmations, pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sysop.blockkit import limits
from sysop.blockkit.checks import (
    Check,
    at_least_one,
    boolean,
    choice,
    exactly_one,
    items,
    pattern,
    shape,
    string,
    typed,
    url,
)
from sysop.blockkit.problem import Problem

ID = string(limits.ID)


def plain(most: int, least: int = 1) -> Check:
    """Return a check of a plain_text object."""
    fields = {"type": choice("plain_text"), "text": string(most, least), "emoji": boolean}
    return shape(fields, required=("type", "text"))


def text(most: int = limits.TEXT, least: int = 1) -> Check:
    """Return a check of a plain_text or mrkdwn object."""
    mrkdwn = {"type": choice("mrkdwn"), "text": string(most, least), "verbatim": boolean}
    return typed({"plain_text": plain(most, least), "mrkdwn": shape(mrkdwn, required=("type", "text"))}, "text")


CONFIRM = shape(
    {
        "title": plain(limits.CONFIRM_TITLE),
        "text": text(limits.CONFIRM_TEXT),
        "confirm": plain(limits.CONFIRM_BUTTON),
        "deny": plain(limits.CONFIRM_BUTTON),
        "style": choice("primary", "danger"),
    },
    required=("title", "text", "confirm", "deny"),
)

SLACK_FILE = shape(
    {"id": pattern(r"F[A-Z0-9]{8,}", "must be a file id"), "url": url(web=True)},
    rules=(exactly_one("id", "url"),),
)
IMAGE_FIELDS: dict[str, Check] = {
    "type": choice("image"),
    "image_url": url(limits.URL, web=True),
    "slack_file": SLACK_FILE,
    "alt_text": string(limits.IMAGE_ALT, least=0),
}
IMAGE = shape(IMAGE_FIELDS, required=("type", "alt_text"), rules=(exactly_one("image_url", "slack_file"),))
SOURCE = shape(
    {"type": choice("url"), "url": url(limits.URL, web=True), "text": string()}, required=("type", "url", "text")
)
DISPATCH = shape(
    {"trigger_actions_on": items(choice("on_enter_pressed", "on_character_entered"), most=2)},
    required=("trigger_actions_on",),
)
FILTER = shape(
    {
        "include": items(choice("im", "mpim", "private", "public")),
        "exclude_bot_users": boolean,
        "exclude_external_shared_channels": boolean,
    },
    rules=(at_least_one("include", "exclude_bot_users", "exclude_external_shared_channels"),),
)
WORKFLOW = shape(
    {
        "trigger": shape(
            {
                "url": url(limits.URL, web=True),
                "customizable_input_parameters": items(
                    shape({"name": string(), "value": string(least=0)}, required=("name", "value")), least=0
                ),
            },
            required=("url",),
        )
    },
    required=("trigger",),
)


def option(label: Check, link: bool = False) -> Check:
    """Return a check of one choice; only an overflow menu's may carry a link."""
    fields: dict[str, Check] = {
        "text": label,
        "value": string(limits.OPTION_VALUE),
        "description": text(limits.OPTION_TEXT),
    }
    if link:
        fields["url"] = url(limits.URL)
    return shape(fields, required=("text",) if link else ("text", "value"))


PLAIN_OPTION = option(plain(limits.OPTION_TEXT))
RICH_OPTION = option(text(limits.OPTION_TEXT))
LINK_OPTION = option(plain(limits.OPTION_TEXT), link=True)
GROUP = shape(
    {"label": plain(limits.OPTION_TEXT), "options": items(PLAIN_OPTION, most=limits.OPTIONS)},
    required=("label", "options"),
)


def offered(value: dict[str, Any], at: str) -> Iterator[Problem]:
    """Refuse a preset choice that is none of the choices."""
    presets = [("initial_option", value.get("initial_option"))]
    many = value.get("initial_options")
    presets += [(f"initial_options/{index}", one) for index, one in enumerate(many if isinstance(many, list) else [])]
    known = _values(value)
    for name, preset in presets:
        if isinstance(preset, dict) and preset.get("value") not in known:
            yield Problem(f"{at}/{name}", "must match one of the options")


def _values(element: dict[str, Any]) -> list[Any]:
    groups = [element, *_dicts(element.get("option_groups"))]
    return [one.get("value") for group in groups for one in _dicts(group.get("options"))]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
