"""Blocks at the edge of each limit, and blocks that are wrong in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blockkit.samples import (
    AXES,
    ELEMENTS,
    SAMPLES,
    Block,
    button,
    card,
    confirm,
    field,
    image,
    mrkdwn,
    option,
    plain,
    rich,
    task,
)


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def section(**more: Any) -> Block:
    return {"type": "section", "text": mrkdwn(), **more}


def element(kind: str, **more: Any) -> Block:
    return field({**ELEMENTS[kind], **more})


def long_url(length: int) -> str:
    return "https://shop.example/".ljust(length, "a")


def rows(count: int, columns: int, text: str = "x") -> list[list[Block]]:
    return [[{"type": "raw_text", "text": text}] * columns for _ in range(count)]


def options(count: int) -> list[Block]:
    return [option(str(number)) for number in range(count)]


def numbered(count: int, make: Callable[[str], Block]) -> list[Block]:
    return [make(str(number)) for number in range(count)]


def series(count: int, points: int) -> Block:
    names = [f"d{number}" for number in range(points)]
    data = [{"label": name, "value": 1} for name in names]
    lines = [{"name": f"s{number}", "data": data} for number in range(count)]
    return chart({"type": "bar", "series": lines, "axis_config": {"categories": names}})


def chart(inner: Block, title: str = "errors") -> Block:
    return {"type": "data_visualization", "title": title, "chart": inner}


def pie(count: int = 1, label: str = "web") -> Block:
    return chart({"type": "pie", "segments": [{"label": label, "value": 1}] * count})


LONGEST: dict[str, tuple[int, Callable[[int], Block]]] = {
    "section text": (3000, lambda n: section(text=mrkdwn("x" * n))),
    "section field": (2000, lambda n: section(fields=[mrkdwn("x" * n)])),
    "section fields": (10, lambda n: section(fields=[plain()] * n)),
    "header": (150, lambda n: {"type": "header", "text": plain("x" * n)}),
    "block_id": (255, lambda n: {"type": "divider", "block_id": "x" * n}),
    "action_id": (255, lambda n: actions(button("x" * n))),
    "actions": (25, lambda n: actions(*numbered(n, button))),
    "context": (10, lambda n: {"type": "context", "elements": [mrkdwn()] * n}),
    "context text": (3000, lambda n: {"type": "context", "elements": [mrkdwn("x" * n)]}),
    "context_actions": (
        5,
        lambda n: {
            "type": "context_actions",
            "elements": numbered(n, lambda name: {**SAMPLES["context_actions"]["elements"][1], "action_id": name}),
        },
    ),
    "button text": (75, lambda n: actions({**button(), "text": plain("x" * n)})),
    "button value": (2000, lambda n: actions(button(value="x" * n))),
    "button url": (3000, lambda n: actions(button(url=long_url(n)))),
    "button label": (75, lambda n: actions(button(accessibility_label="x" * n))),
    "agent_prompt": (4000, lambda n: actions(button(agent_prompt="x" * n))),
    "visible_to_user_ids": (10, lambda n: actions(button(visible_to_user_ids=["U1"] * n))),
    "confirm title": (100, lambda n: actions(button(confirm={**confirm(), "title": plain("x" * n)}))),
    "confirm text": (300, lambda n: actions(button(confirm={**confirm(), "text": plain("x" * n)}))),
    "confirm button": (30, lambda n: actions(button(confirm={**confirm(), "confirm": plain("x" * n)}))),
    "deny button": (30, lambda n: actions(button(confirm={**confirm(), "deny": plain("x" * n)}))),
    "options": (100, lambda n: field({"type": "multi_static_select", "options": options(n)})),
    "option groups": (
        100,
        lambda n: element("groups", option_groups=[{"label": plain(), "options": options(1)}] * n),
    ),
    "options of a group": (100, lambda n: element("groups", option_groups=[{"label": plain(), "options": options(n)}])),
    "group label": (75, lambda n: element("groups", option_groups=[{"label": plain("x" * n), "options": options(1)}])),
    "option text": (75, lambda n: element("checkboxes", options=[option() | {"text": plain("x" * n)}])),
    "option value": (150, lambda n: field({"type": "checkboxes", "options": [option("x" * n)]})),
    "option description": (75, lambda n: element("checkboxes", options=[option(description=plain("x" * n))])),
    "option url": (3000, lambda n: actions({"type": "overflow", "options": [option(url=long_url(n))]})),
    "overflow": (5, lambda n: actions({"type": "overflow", "options": options(n)})),
    "checkboxes": (10, lambda n: field({"type": "checkboxes", "options": options(n)})),
    "radio buttons": (10, lambda n: field({"type": "radio_buttons", "options": options(n)})),
    "placeholder": (150, lambda n: element("users", placeholder=plain("x" * n))),
    "input label": (2000, lambda n: field(ELEMENTS["users"]) | {"label": plain("x" * n)}),
    "input hint": (2000, lambda n: field(ELEMENTS["users"], hint=plain("x" * n))),
    "max_length": (3000, lambda n: element("plain_text_input", max_length=n)),
    "initial_value": (3000, lambda n: element("plain_text_input", initial_value="x" * n)),
    "max_files": (10, lambda n: element("file_input", max_files=n)),
    "lines": (100, lambda n: element("rich_text_input", max_lines=n)),
    "markdown": (12_000, lambda n: {"type": "markdown", "text": "x" * n}),
    "plan tasks": (50, lambda n: {"type": "plan", "title": "p", "tasks": numbered(n, task)}),
    "plan title": (256, lambda n: {"type": "plan", "title": "x" * n, "tasks": [task()]}),
    "task title": (256, lambda n: task(title="x" * n)),
    "task details": (256, lambda n: task(details=rich("x" * n))),
    "task output": (256, lambda n: task(output=rich("x" * n))),
    "table rows": (100, lambda n: {"type": "table", "rows": rows(n, 1)}),
    "table columns": (20, lambda n: {"type": "table", "rows": rows(1, n)}),
    "table column settings": (20, lambda n: {"type": "table", "rows": rows(1, 1), "column_settings": [None] * n}),
    "table characters": (10_000, lambda n: {"type": "table", "rows": rows(1, 1, "x" * n)}),
    "data_table rows": (201, lambda n: SAMPLES["data_table"] | {"rows": rows(n, 1)}),
    "data_table columns": (20, lambda n: SAMPLES["data_table"] | {"rows": rows(2, n)}),
    "data_table characters": (
        20_000,
        lambda n: SAMPLES["data_table"] | {"rows": [*rows(1, 1), *rows(1, 1, "x" * (n - 1))]},
    ),
    "data_table page": (100, lambda n: SAMPLES["data_table"] | {"page_size": n}),
    "chart title": (50, lambda n: pie() | {"title": "x" * n}),
    "chart label": (20, lambda n: pie(label="x" * n)),
    "pie segments": (12, pie),
    "chart series": (12, lambda n: series(n, 1)),
    "chart points": (20, lambda n: series(1, n)),
    "axis label": (50, lambda n: chart(SAMPLES["line"]["chart"] | {"axis_config": AXES | {"x_label": "x" * n}})),
    "card title": (150, lambda n: card(title=plain("x" * n))),
    "card subtitle": (150, lambda n: card(subtitle=plain("x" * n))),
    "card body": (200, lambda n: card(body=plain("x" * n))),
    "card subtext": (200, lambda n: card(subtext=plain("x" * n))),
    "card buttons": (3, lambda n: card(actions=numbered(n, button))),
    "carousel": (10, lambda n: {"type": "carousel", "elements": [card()] * n}),
    "container children": (10, lambda n: SAMPLES["container"] | {"child_blocks": [{"type": "divider"}] * n}),
    "container title": (150, lambda n: SAMPLES["container"] | {"title": plain("x" * n)}),
    "container subtitle": (150, lambda n: SAMPLES["container"] | {"subtitle": plain("x" * n)}),
    "alert": (200, lambda n: {"type": "alert", "text": plain("x" * n)}),
    "image url": (3000, lambda n: image() | {"image_url": long_url(n)}),
    "image alt": (2000, lambda n: image() | {"alt_text": "x" * n}),
    "image title": (2000, lambda n: image() | {"title": plain("x" * n)}),
    "video title": (200, lambda n: SAMPLES["video"] | {"title": plain("x" * n)}),
    "video description": (200, lambda n: SAMPLES["video"] | {"description": plain("x" * n)}),
    "video author": (50, lambda n: SAMPLES["video"] | {"author_name": "x" * n}),
    "video provider": (50, lambda n: SAMPLES["video"] | {"provider_name": "x" * n}),
    "video title url": (2000, lambda n: SAMPLES["video"] | {"title_url": long_url(n)}),
    "list indent": (8, lambda n: rich_list(indent=n)),
    "list border": (1, lambda n: rich_list(border=n)),
    "skin tone": (6, lambda n: inline({"type": "emoji", "name": "wave", "skin_tone": n})),
}


def rich_list(**more: Any) -> Block:
    return {"type": "rich_text", "elements": [{**SAMPLES["rich_text"]["elements"][1], **more}]}


def inline(piece: Block) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [piece]}]}


EMPTY: dict[str, Block] = {
    "section text": section(text=mrkdwn("")),
    "section with nothing": {"type": "section"},
    "header": {"type": "header", "text": plain("")},
    "actions": actions(),
    "context": {"type": "context", "elements": []},
    "overflow": actions({"type": "overflow", "options": []}),
    "options": field({"type": "checkboxes", "options": []}),
    "plan": {"type": "plan", "title": "p", "tasks": []},
    "table": {"type": "table", "rows": []},
    "data_table of one row": SAMPLES["data_table"] | {"rows": rows(1, 1)},
    "container": SAMPLES["container"] | {"child_blocks": []},
    "carousel": {"type": "carousel", "elements": []},
    "card": {"type": "card", "subtitle": plain()},
    "rich_text": {"type": "rich_text", "elements": []},
    "rich text piece": inline({"type": "text", "text": ""}),
    "markdown": {"type": "markdown", "text": ""},
}

WRONG: dict[str, tuple[Block, str]] = {
    "unknown block": ({"type": "marquee"}, "/blocks/0/type"),
    "no type": ({"text": plain()}, "/blocks/0/type"),
    "unknown field": (section(colour="red"), "/blocks/0"),
    "header in mrkdwn": ({"type": "header", "text": mrkdwn()}, "/blocks/0/text/type"),
    "text that is none": (section(text={"type": "html", "text": "<b>"}), "/blocks/0/text/type"),
    "button style": (actions(button(style="loud")), "/blocks/0/elements/0/style"),
    "button url": (actions(button(url="shop")), "/blocks/0/elements/0/url"),
    "image url": (image() | {"image_url": "javascript:alert(1)"}, "/blocks/0/image_url"),
    "image with two sources": (image() | {"slack_file": {"id": "F12345678"}}, "/blocks/0"),
    "image without source": ({"type": "image", "alt_text": "x"}, "/blocks/0"),
    "image without alt": ({"type": "image", "image_url": "https://shop.example/a"}, "/blocks/0"),
    "input in actions": (actions(ELEMENTS["plain_text_input"]), "/blocks/0/elements/0/type"),
    "button in input": (field(button()), "/blocks/0/element/type"),
    "image in actions": (actions(image()), "/blocks/0/elements/0/type"),
    "icon button in actions": (actions(SAMPLES["context_actions"]["elements"][1]), "/blocks/0/elements/0/type"),
    "two action ids": (actions(button("x"), button("x")), "/blocks/0/elements/1/action_id"),
    "two task ids": ({"type": "plan", "title": "p", "tasks": [task(), task()]}, "/blocks/0/tasks/1/task_id"),
    "pending task alone": (task(status="pending"), "/blocks/0/status"),
    "unknown task status": (task(status="done"), "/blocks/0/status"),
    "preset no option": (
        element("static", initial_option=option("z")),
        "/blocks/0/element/initial_option",
    ),
    "options and groups": (
        element("groups", options=options(1)),
        "/blocks/0/element",
    ),
    "neither options nor groups": (field({"type": "static_select"}), "/blocks/0/element"),
    "option link in a select": (
        element("static", options=[option(url="https://a.example/")]),
        "/blocks/0/element/options/0",
    ),
    "lengths crossed": (element("plain_text_input", min_length=9, max_length=3), "/blocks/0/element"),
    "date": (element("datepicker", initial_date="tomorrow"), "/blocks/0/element/initial_date"),
    "time": (element("timepicker", initial_time="25:00"), "/blocks/0/element/initial_time"),
    "number": (element("number_input", min_value="few"), "/blocks/0/element/min_value"),
    "mention in code": (
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "user", "user_id": "U1"}]}],
        },
        "/blocks/0/elements/0/elements/0/type",
    ),
    "true for a number": (rich_list(indent=True), "/blocks/0/elements/0/indent"),
    "ragged data table": (SAMPLES["data_table"] | {"rows": [*rows(1, 2), *rows(1, 1)]}, "/blocks/0/rows"),
    "rich heading": (SAMPLES["data_table"] | {"rows": [[rich()], *rows(1, 1)]}, "/blocks/0/rows/0/0/type"),
    "row header column": (SAMPLES["data_table"] | {"row_header_column_index": 1}, "/blocks/0/row_header_column_index"),
    "empty slice": (
        chart({"type": "pie", "segments": [{"label": "a", "value": 0}]}),
        "/blocks/0/chart/segments/0/value",
    ),
    "missing point": (
        chart(SAMPLES["line"]["chart"] | {"axis_config": {"categories": ["mon"]}}),
        "/blocks/0/chart/series/0/data",
    ),
    "both icons": (card(icon=image(), slack_icon={"name": "rocket"}), "/blocks/0"),
    "collapsed, not collapsible": (
        SAMPLES["container"] | {"is_collapsible": False},
        "/blocks/0/default_collapsed",
    ),
    "plan in a container": (
        SAMPLES["container"] | {"child_blocks": [SAMPLES["plan"]]},
        "/blocks/0/child_blocks/0/type",
    ),
    "alert level": ({"type": "alert", "text": plain(), "level": "loud"}, "/blocks/0/level"),
}
