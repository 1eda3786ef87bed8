"""One sound block of every kind, with every field it can have; tests bend them."""

from __future__ import annotations

from typing import Any

Block = dict[str, Any]


def plain(text: str = "words") -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}


def mrkdwn(text: str = "words") -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": False}


def option(value: str = "a", **more: Any) -> Block:
    return {"text": plain(), "value": value, "description": plain(), **more}


def confirm() -> Block:
    return {"title": plain(), "text": mrkdwn(), "confirm": plain("Yes"), "deny": plain("No"), "style": "danger"}


def image() -> Block:
    return {"type": "image", "image_url": "https://shop.example/a.png", "alt_text": "a picture"}


def button(action_id: str = "press", **more: Any) -> Block:
    return {"type": "button", "text": plain(), "action_id": action_id, "value": "v", **more}


def full_button() -> Block:
    return button(
        url="https://shop.example/",
        style="primary",
        confirm=confirm(),
        accessibility_label="label",
        visible_to_user_ids=["U1"],
        agent_prompt="look",
    )


def rich(text: str = "words") -> Block:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def task(task_id: str = "t1", **more: Any) -> Block:
    source = {"type": "url", "url": "https://shop.example/runbook", "text": "runbook"}
    return {
        "type": "task_card",
        "task_id": task_id,
        "title": "look",
        "status": "complete",
        "details": rich(),
        "output": rich(),
        "sources": [source],
        **more,
    }


def field(element: Block, **more: Any) -> Block:
    return {"type": "input", "block_id": "in", "label": plain(), "hint": plain(), "element": element, **more}


def card(**more: Any) -> Block:
    return {"type": "card", "title": mrkdwn(), "subtitle": plain(), "body": mrkdwn(), "actions": [button()], **more}


def select(source: str, multi: bool = False, **more: Any) -> Block:
    kind = f"multi_{source}_select" if multi else f"{source}_select"
    return {"type": kind, "action_id": "choose", "placeholder": plain(), "confirm": confirm(), **more}


STYLED = [
    {"type": "text", "text": "bold", "style": {"bold": True, "italic": True, "strike": True, "code": False}},
    {"type": "link", "url": "https://shop.example/", "text": "shop", "style": {"bold": True}},
    {"type": "user", "user_id": "U1"},
    {"type": "usergroup", "usergroup_id": "S1"},
    {"type": "channel", "channel_id": "C1"},
    {"type": "emoji", "name": "tada"},
    {"type": "broadcast", "range": "here"},
    {"type": "date", "timestamp": 1_900_000_000, "format": "{date}", "fallback": "soon"},
    {"type": "color", "value": "#aabbcc"},
]
POINTS = [{"label": "mon", "value": 1}, {"label": "tue", "value": 2.5}]
AXES = {"categories": ["mon", "tue"], "x_label": "day", "y_label": "errors"}
ELEMENTS: dict[str, Block] = {
    "static": select("static", options=[option("a"), option("b")], initial_option=option("a")),
    "groups": select("static", option_groups=[{"label": plain(), "options": [option()]}]),
    "external": select("external", min_query_length=2, initial_option=option()),
    "users": select("users", initial_user="U1"),
    "conversations": select("conversations", filter={"include": ["im"]}, default_to_current_conversation=True),
    "channels": select("channels", initial_channel="C1"),
    "multi_static": select("static", multi=True, options=[option()], initial_options=[option()], max_selected_items=2),
    "multi_external": select("external", multi=True, min_query_length=0),
    "multi_users": select("users", multi=True, initial_users=["U1"]),
    "multi_conversations": select("conversations", multi=True, initial_conversations=["C1"]),
    "multi_channels": select("channels", multi=True, initial_channels=["C1"]),
    "datepicker": {"type": "datepicker", "action_id": "d", "placeholder": plain(), "initial_date": "2030-01-31"},
    "timepicker": {"type": "timepicker", "action_id": "t", "initial_time": "09:30", "timezone": "Europe/Paris"},
    "datetimepicker": {"type": "datetimepicker", "action_id": "dt", "initial_date_time": 1_900_000_000},
    "checkboxes": {"type": "checkboxes", "action_id": "c", "options": [option()], "initial_options": [option()]},
    "radio_buttons": {"type": "radio_buttons", "action_id": "r", "options": [option()], "initial_option": option()},
    "plain_text_input": {
        "type": "plain_text_input",
        "action_id": "p",
        "multiline": True,
        "min_length": 1,
        "max_length": 500,
        "initial_value": "x",
        "placeholder": plain(),
        "focus_on_load": True,
        "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]},
    },
    "rich_text_input": {"type": "rich_text_input", "action_id": "rt", "initial_value": rich()},
    "email_text_input": {"type": "email_text_input", "action_id": "e", "placeholder": plain()},
    "url_text_input": {"type": "url_text_input", "action_id": "u", "placeholder": plain()},
    "number_input": {"type": "number_input", "action_id": "n", "is_decimal_allowed": False, "min_value": "1"},
    "file_input": {"type": "file_input", "action_id": "f", "filetypes": ["txt"], "max_files": 3},
}
SAMPLES: dict[str, Block] = {
    "section": {
        "type": "section",
        "block_id": "s",
        "text": mrkdwn(),
        "fields": [mrkdwn(), plain()],
        "accessory": full_button(),
        "expand": True,
    },
    "section with picture": {"type": "section", "text": plain(), "accessory": image()},
    "header": {"type": "header", "block_id": "h", "text": plain()},
    "divider": {"type": "divider", "block_id": "d"},
    "image": {**image(), "title": plain(), "block_id": "i"},
    "image from a file": {"type": "image", "slack_file": {"id": "F12345678"}, "alt_text": "chart"},
    "context": {"type": "context", "elements": [mrkdwn(), plain(), image()]},
    "actions": {
        "type": "actions",
        "block_id": "a",
        "elements": [
            full_button(),
            {"type": "overflow", "action_id": "o", "options": [option(url="https://shop.example/")]},
            {**ELEMENTS["static"], "action_id": "static"},
            {**ELEMENTS["users"], "action_id": "users"},
            ELEMENTS["datepicker"],
            ELEMENTS["datetimepicker"],
            ELEMENTS["checkboxes"],
            ELEMENTS["radio_buttons"],
        ],
    },
    "context_actions": {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "fb",
                "positive_button": {"text": plain(), "value": "up", "accessibility_label": "good"},
                "negative_button": {"text": plain(), "value": "down"},
            },
            {"type": "icon_button", "action_id": "ib", "icon": "trash", "text": plain(), "value": "x"},
        ],
    },
    "rich_text": {
        "type": "rich_text",
        "block_id": "r",
        "elements": [
            {"type": "rich_text_section", "elements": STYLED},
            {
                "type": "rich_text_list",
                "style": "ordered",
                "indent": 1,
                "offset": 0,
                "border": 0,
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]}],
            },
            {"type": "rich_text_quote", "elements": [{"type": "text", "text": "said"}]},
            {"type": "rich_text_preformatted", "border": 1, "elements": [{"type": "text", "text": "{}"}]},
        ],
    },
    "markdown": {"type": "markdown", "block_id": "m", "text": "# title"},
    "table": {
        "type": "table",
        "column_settings": [{"align": "right", "is_wrapped": True}, None],
        "rows": [
            [{"type": "raw_text", "text": "a"}, rich()],
            [{"type": "raw_number", "value": 1, "text": "1"}, rich()],
        ],
    },
    "data_table": {
        "type": "data_table",
        "caption": "errors",
        "page_size": 5,
        "row_header_column_index": 0,
        "rows": [[{"type": "raw_text", "text": "day"}], [{"type": "raw_number", "value": 1.5, "text": "1.5"}]],
    },
    "pie": {
        "type": "data_visualization",
        "title": "errors",
        "chart": {"type": "pie", "segments": [{"label": "web", "value": 1}]},
    },
    "line": {
        "type": "data_visualization",
        "title": "errors",
        "chart": {"type": "line", "series": [{"name": "web", "data": POINTS}], "axis_config": AXES},
    },
    "plan": {"type": "plan", "title": "Plan", "tasks": [task("t1", status="pending"), task("t2")]},
    "task_card": task(),
    "card": card(icon=image(), hero_image=image(), subtext=plain()),
    "carousel": {"type": "carousel", "elements": [card()]},
    "container": {
        "type": "container",
        "title": plain(),
        "subtitle": mrkdwn(),
        "icon": image(),
        "width": "wide",
        "is_collapsible": True,
        "default_collapsed": True,
        "child_blocks": [{"type": "section", "text": plain()}, {"type": "divider"}],
    },
    "video": {
        "type": "video",
        "title": plain(),
        "alt_text": "film",
        "video_url": "https://shop.example/v",
        "thumbnail_url": "https://shop.example/t.png",
        "title_url": "https://shop.example/v",
        "description": plain(),
        "author_name": "me",
        "provider_name": "us",
        "provider_icon_url": "https://shop.example/i.png",
    },
    "alert": {"type": "alert", "text": mrkdwn(), "level": "warning"},
}
INPUTS: dict[str, Block] = {f"input {name}": field(element, optional=True) for name, element in ELEMENTS.items()}


def surface_of(block: Block) -> str:
    """Return a surface where a sample may stand."""
    modal = block.get("type") == "alert" or block.get("element", {}).get("type") == "file_input"
    return "modal" if modal else "message"
