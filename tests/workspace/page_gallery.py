"""Every kind of block, for the page to show."""

from __future__ import annotations

from typing import Any

from workspace.page_blocks import Json, button, mrkdwn, option, plain, section, task, words

_STYLED = [
    {"type": "text", "text": "bold", "style": {"bold": True}},
    {"type": "text", "text": ", "},
    {"type": "text", "text": "italic", "style": {"italic": True}},
    {"type": "text", "text": ", "},
    {"type": "text", "text": "struck", "style": {"strike": True}},
    {"type": "text", "text": ", "},
    {"type": "text", "text": "code", "style": {"code": True}},
    {"type": "text", "text": " and a "},
    {"type": "link", "url": "https://shop.example/", "text": "link"},
    {"type": "emoji", "name": "tada"},
]


def _item(text: str) -> Json:
    return {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}


_DAYS = ("mon", "tue", "wed", "thu", "fri")


def _series(name: str, *values: float) -> Json:
    return {"name": name, "data": [{"label": day, "value": value} for day, value in zip(_DAYS, values, strict=True)]}


def _cells(*texts: str) -> list[Json]:
    return [{"type": "raw_text", "text": text} for text in texts]


def _card(title: str, body: str, action_id: str) -> Json:
    look = [button("Look", action_id)]
    return {"type": "card", "title": mrkdwn(title), "body": plain(body), "actions": look}


def _list(style: str, *items: str, **more: Any) -> Json:
    return {"type": "rich_text_list", "style": style, "elements": [_item(text) for text in items], **more}


def _number(value: float, text: str) -> Json:
    return {"type": "raw_number", "value": value, "text": text}


RICH = {
    "type": "rich_text",
    "elements": [
        {"type": "rich_text_section", "elements": _STYLED},
        _list("bullet", "first", "second"),
        _list("bullet", "deeper", indent=1),
        _list("ordered", "one", "two"),
        {"type": "rich_text_quote", "elements": [{"type": "text", "text": "said by somebody"}]},
    ],
}
PLAN = {
    "type": "plan",
    "title": "Repair checkout",
    "tasks": [
        task(1, "Read metrics", "complete", output=words("4.1 % errors")),
        task(2, "Read the deploy log", "error", details=words("The log was gone.")),
        task(3, "Ask for approval", "in_progress"),
        task(4, "Roll back", "pending"),
    ],
}
CHOICES = {
    "type": "actions",
    "block_id": "choices",
    "elements": [
        {
            "type": "static_select",
            "action_id": "service",
            "placeholder": plain("Service"),
            "options": [option("gateway"), option("checkout")],
        },
        {"type": "datepicker", "action_id": "when"},
        {"type": "overflow", "action_id": "more", "options": [option("Mute"), option("Hand over")]},
        button("Never answered", "never"),
    ],
}
OWNERS = {"type": "multi_users_select", "action_id": "owners", "placeholder": plain("People")}
IMAGE = {
    "type": "image",
    "image_url": "https://shop.example/graph.png",
    "alt_text": "error ratio",
    "title": plain("Error ratio"),
}
CARDS = [_card("*gateway*", "answers in 40 ms", "look1"), _card("*checkout*", "4.1 % errors", "look2")]
CONTAINER = {
    "type": "container",
    "title": plain("Evidence"),
    "subtitle": plain("3 readings"),
    "is_collapsible": True,
    "child_blocks": [
        section("`service:error_ratio:rate1m` was 0.041"),
        {"type": "divider"},
        section("released 10:42"),
    ],
}
CHART = {
    "type": "data_visualization",
    "title": "Errors a day",
    "chart": {
        "type": "bar",
        "series": [_series("checkout", 3, 5, 4, 21, 6), _series("payments", 2, 2, 3, 9, 4)],
        "axis_config": {"categories": list(_DAYS)},
    },
}
DATA_TABLE = {
    "type": "data_table",
    "caption": "Slowest endpoints",
    "page_size": 2,
    "rows": [
        _cells("Endpoint", "p99"),
        [*_cells("/pay"), _number(2.4, "2.4 s")],
        [*_cells("/cart"), _number(0.3, "0.3 s")],
        [*_cells("/home"), _number(0.9, "0.9 s")],
    ],
}
GALLERY: list[Json] = [
    RICH,
    PLAN,
    task(9, "One task alone", "complete"),
    CHOICES,
    section("Owners", accessory=OWNERS),
    IMAGE,
    {"type": "carousel", "elements": CARDS},
    CONTAINER,
    CHART,
    DATA_TABLE,
]
