"""Every block an app may send, and what each may hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sysop.blockkit import limits
from sysop.blockkit.checks import (
    Check,
    at_least_one,
    at_most_one,
    boolean,
    choice,
    exactly_one,
    items,
    shape,
    string,
    typed,
    unique,
    url,
    visible,
)
from sysop.blockkit.elements import ACCESSORY, ACTIONS, BUTTON, CONTEXT_ACTIONS, INPUT
from sysop.blockkit.objects import ID, IMAGE, IMAGE_FIELDS, SOURCE, plain, text
from sysop.blockkit.problem import Problem
from sysop.blockkit.rich_text import RICH_TEXT
from sysop.blockkit.tables import DATA_TABLE, DATA_VISUALIZATION, TABLE

_STATUSES = ("pending", "in_progress", "complete", "error")


def _block(kind: str, required: dict[str, Check], rules: tuple[Check, ...] = (), **optional: Check) -> Check:
    fields: dict[str, Check] = {"type": choice(kind), "block_id": ID, **required, **optional}
    return shape(fields, required=("type", *required), rules=rules)


def _distinct_actions(value: dict[str, Any], at: str) -> Iterator[Problem]:
    elements = value.get("elements")
    if isinstance(elements, list):
        places = ((one.get("action_id"), index) for index, one in enumerate(elements) if isinstance(one, dict))
        yield from unique(((name, f"{at}/elements/{index}/action_id") for name, index in places), "action_id")


def _short(most: int) -> Check:
    def check(value: Any, at: str) -> Iterator[Problem]:
        yield from RICH_TEXT(value, at)
        if visible(value) > most:
            yield Problem(at, f"must hold less than {most + 1} characters")

    return check


_TASK_FIELDS: dict[str, Check] = {
    "type": choice("task_card"),
    "block_id": ID,
    "task_id": string(limits.ID),
    "title": string(limits.TASK_TITLE),
    "status": choice(*_STATUSES),
    "details": _short(limits.TASK_TEXT),
    "output": _short(limits.TASK_TEXT),
    "sources": items(SOURCE, least=0),
}
_TASK = shape(_TASK_FIELDS, required=("task_id", "title", "status"))


def _task_card(value: Any, at: str) -> Iterator[Problem]:
    yield from _TASK(value, at)
    if value.get("status") == "pending":
        yield Problem(f"{at}/status", "only a task of a plan may be pending")


def _distinct_tasks(value: dict[str, Any], at: str) -> Iterator[Problem]:
    tasks = value.get("tasks")
    if isinstance(tasks, list):
        places = ((one.get("task_id"), index) for index, one in enumerate(tasks) if isinstance(one, dict))
        yield from unique(((name, f"{at}/tasks/{index}/task_id") for name, index in places), "task_id")


def _folding(value: dict[str, Any], at: str) -> Iterator[Problem]:
    if value.get("default_collapsed") and not value.get("is_collapsible"):
        yield Problem(f"{at}/default_collapsed", "requires is_collapsible")
    if value.get("has_header_divider") and value.get("is_collapsible"):
        yield Problem(f"{at}/has_header_divider", "must not stand with is_collapsible")


_CARD = _block(
    "card",
    {},
    rules=(at_least_one("hero_image", "title", "actions", "body"), at_most_one("icon", "slack_icon")),
    hero_image=IMAGE,
    icon=IMAGE,
    slack_icon=shape({"type": choice("icon"), "name": string()}, required=("name",)),
    title=text(limits.CARD_TITLE),
    subtitle=text(limits.CARD_TITLE),
    body=text(limits.CARD_TEXT),
    subtext=text(limits.CARD_TEXT),
    actions=items(typed({"button": BUTTON}, "card"), most=limits.CARD_BUTTONS),
)

BLOCKS: dict[str, Check] = {
    "actions": _block(
        "actions",
        {"elements": items(typed(ACTIONS, "actions"), most=limits.ACTIONS)},
        rules=(_distinct_actions,),
    ),
    "alert": _block(
        "alert",
        {"text": text(limits.ALERT_TEXT)},
        level=choice("default", "info", "warning", "error", "success"),
    ),
    "card": _CARD,
    "carousel": _block("carousel", {"elements": items(typed({"card": _CARD}, "carousel"), most=limits.CAROUSEL)}),
    "context": _block(
        "context",
        {
            "elements": items(
                typed({"image": IMAGE, "plain_text": plain(limits.TEXT), "mrkdwn": text()}, "context"),
                most=limits.CONTEXT,
            )
        },
    ),
    "context_actions": _block(
        "context_actions",
        {"elements": items(typed(CONTEXT_ACTIONS, "context_actions"), most=limits.CONTEXT_ACTIONS)},
        rules=(_distinct_actions,),
    ),
    "data_table": DATA_TABLE,
    "data_visualization": DATA_VISUALIZATION,
    "divider": _block("divider", {}),
    "header": _block("header", {"text": plain(limits.HEADER)}),
    "image": shape(
        {**IMAGE_FIELDS, "block_id": ID, "title": plain(limits.IMAGE_TITLE)},
        required=("type", "alt_text"),
        rules=(exactly_one("image_url", "slack_file"),),
    ),
    "input": _block(
        "input",
        {"label": plain(limits.INPUT_LABEL), "element": typed(INPUT, "input")},
        hint=plain(limits.INPUT_LABEL),
        optional=boolean,
        dispatch_action=boolean,
    ),
    "markdown": _block("markdown", {"text": string(limits.MARKDOWN)}),
    "plan": _block(
        "plan",
        {"title": string(limits.TASK_TITLE), "tasks": items(_TASK, most=limits.TASKS)},
        rules=(_distinct_tasks,),
    ),
    "rich_text": RICH_TEXT,
    "section": _block(
        "section",
        {},
        rules=(at_least_one("text", "fields"),),
        text=text(limits.TEXT),
        fields=items(text(limits.FIELD), most=limits.FIELDS),
        accessory=typed(ACCESSORY, "accessory"),
        expand=boolean,
    ),
    "table": TABLE,
    "task_card": _task_card,
    "video": _block(
        "video",
        {
            "alt_text": string(limits.IMAGE_ALT, least=0),
            "title": plain(limits.VIDEO_TITLE),
            "thumbnail_url": url(limits.URL, web=True),
            "video_url": url(limits.URL, web=True),
        },
        title_url=url(limits.IMAGE_ALT, web=True),
        description=plain(limits.VIDEO_TITLE),
        author_name=string(limits.VIDEO_NAME),
        provider_name=string(limits.VIDEO_NAME),
        provider_icon_url=url(limits.IMAGE_ALT, web=True),
    ),
}
BLOCKS["container"] = _block(
    "container",
    {"child_blocks": items(typed({kind: BLOCKS[kind] for kind in limits.CONTAINER_CHILDREN}, "container"), 1, 10)},
    rules=(at_least_one("title", "rich_text_title"), _folding),
    title=plain(limits.CARD_TITLE),
    rich_text_title=RICH_TEXT,
    subtitle=text(limits.CARD_TITLE),
    width=choice("narrow", "standard", "wide", "full"),
    icon=IMAGE,
    is_collapsible=boolean,
    default_collapsed=boolean,
    has_header_divider=boolean,
)
