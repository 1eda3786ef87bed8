"""Interactive elements, and which block may hold which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sysop.blockkit import limits
from sysop.blockkit.checks import (
    Check,
    anything,
    boolean,
    choice,
    exactly_one,
    items,
    number,
    pattern,
    shape,
    string,
    url,
)
from sysop.blockkit.objects import (
    CONFIRM,
    DISPATCH,
    FILTER,
    GROUP,
    ID,
    IMAGE,
    LINK_OPTION,
    PLAIN_OPTION,
    RICH_OPTION,
    WORKFLOW,
    offered,
    plain,
)
from sysop.blockkit.problem import Problem
from sysop.blockkit.rich_text import RICH_TEXT

_PLACEHOLDER = plain(limits.PLACEHOLDER)
_DATE = pattern(r"\d{4}-\d{2}-\d{2}", "must be a date like 2030-01-31")
_TIME = pattern(r"([01]\d|2[0-3]):[0-5]\d", "must be a time like 09:30")
_STYLE = choice("primary", "danger")
_LABEL = string(limits.BUTTON_LABEL)
_VISIBLE_TO = items(string(), most=limits.VISIBLE_TO)


def _element(
    kind: str, required: dict[str, Check] | None = None, rules: tuple[Check, ...] = (), /, **optional: Check
) -> Check:
    needed = required or {}
    fields: dict[str, Check] = {"type": choice(kind), "action_id": ID, **needed, **optional}
    return shape(fields, required=("type", *needed), rules=rules)


def _select(source: str, preset: dict[str, Check], /, **more: Check) -> Check:
    rules = (exactly_one("options", "option_groups"), offered) if source == "static" else ()
    return _element(
        f"{source}_select",
        None,
        rules,
        **preset,
        **more,
        placeholder=_PLACEHOLDER,
        confirm=CONFIRM,
        focus_on_load=boolean,
    )


def _multi(source: str, preset: dict[str, Check], /, **more: Check) -> Check:
    many = {f"{name}s": items(check) for name, check in preset.items()}
    rules = (exactly_one("options", "option_groups"), offered) if source == "static" else ()
    return _element(
        f"multi_{source}_select",
        None,
        rules,
        **many,
        **more,
        max_selected_items=number(1),
        placeholder=_PLACEHOLDER,
        confirm=CONFIRM,
        focus_on_load=boolean,
    )


_OPTIONS: dict[str, Check] = {
    "options": items(PLAIN_OPTION, most=limits.OPTIONS),
    "option_groups": items(GROUP, most=limits.OPTIONS),
}
_QUERY: dict[str, Check] = {"min_query_length": number(0)}
_WHERE: dict[str, Check] = {"filter": FILTER, "default_to_current_conversation": boolean}
_REPLY: dict[str, Check] = {"response_url_enabled": boolean}
_OPTION: dict[str, Check] = {"initial_option": PLAIN_OPTION}
_USER: dict[str, Check] = {"initial_user": string()}
_CONVERSATION: dict[str, Check] = {"initial_conversation": string()}
_CHANNEL: dict[str, Check] = {"initial_channel": string()}
_SINGLE: dict[str, Check] = {
    "static_select": _select("static", _OPTION, **_OPTIONS),
    "external_select": _select("external", _OPTION, **_QUERY),
    "users_select": _select("users", _USER),
    "conversations_select": _select("conversations", _CONVERSATION, **_WHERE, **_REPLY),
    "channels_select": _select("channels", _CHANNEL, **_REPLY),
}
_MULTI: dict[str, Check] = {
    "multi_static_select": _multi("static", _OPTION, **_OPTIONS),
    "multi_external_select": _multi("external", _OPTION, **_QUERY),
    "multi_users_select": _multi("users", _USER),
    "multi_conversations_select": _multi("conversations", _CONVERSATION, **_WHERE),
    "multi_channels_select": _multi("channels", _CHANNEL),
}


def _lengths(value: dict[str, Any], at: str) -> Iterator[Problem]:
    least, most = value.get("min_length"), value.get("max_length")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem(at, "min_length must not be greater than max_length")


def _input(kind: str, initial: Check, rules: tuple[Check, ...] = (), /, **optional: Check) -> Check:
    return _element(
        kind,
        None,
        rules,
        initial_value=initial,
        placeholder=_PLACEHOLDER,
        dispatch_action_config=DISPATCH,
        focus_on_load=boolean,
        **optional,
    )


_NUMBER = pattern(r"-?\d+(\.\d+)?", "must be a number in a string")
_WORDS = string(limits.INPUT_TEXT, least=0)
_LINES = number(1, limits.LINES)
_LENGTHS: dict[str, Check] = {
    "min_length": number(0, limits.INPUT_TEXT),
    "max_length": number(1, limits.INPUT_TEXT),
}
_TYPED_IN: dict[str, Check] = {
    "plain_text_input": _input("plain_text_input", _WORDS, (_lengths,), multiline=boolean, **_LENGTHS),
    "rich_text_input": _input("rich_text_input", RICH_TEXT, min_lines=_LINES, max_lines=_LINES),
    "email_text_input": _input("email_text_input", string(least=0)),
    "url_text_input": _input("url_text_input", string(least=0)),
    "number_input": _element(
        "number_input",
        {"is_decimal_allowed": boolean},
        initial_value=_NUMBER,
        min_value=_NUMBER,
        max_value=_NUMBER,
        placeholder=_PLACEHOLDER,
        dispatch_action_config=DISPATCH,
        focus_on_load=boolean,
    ),
    "file_input": _element("file_input", filetypes=items(string(), least=0), max_files=number(1, limits.FILES)),
}


def _few(kind: str, **preset: Check) -> Check:
    return _element(
        kind,
        {"options": items(RICH_OPTION, most=limits.FEW_OPTIONS)},
        (offered,),
        confirm=CONFIRM,
        focus_on_load=boolean,
        **preset,
    )


_PICKERS: dict[str, Check] = {
    "datepicker": _element(
        "datepicker", placeholder=_PLACEHOLDER, initial_date=_DATE, confirm=CONFIRM, focus_on_load=boolean
    ),
    "timepicker": _element(
        "timepicker",
        placeholder=_PLACEHOLDER,
        initial_time=_TIME,
        timezone=string(),
        confirm=CONFIRM,
        focus_on_load=boolean,
    ),
    "checkboxes": _few("checkboxes", initial_options=items(RICH_OPTION)),
    "radio_buttons": _few("radio_buttons", initial_option=RICH_OPTION),
}
_DATETIME = _element(
    "datetimepicker", initial_date_time=number(1_000_000_000, 9_999_999_999), confirm=CONFIRM, focus_on_load=boolean
)
BUTTON = _element(
    "button",
    {"text": plain(limits.BUTTON_TEXT)},
    url=url(limits.URL),
    value=string(limits.BUTTON_VALUE),
    style=_STYLE,
    confirm=CONFIRM,
    accessibility_label=_LABEL,
    agent_prompt=string(limits.AGENT_PROMPT),
    agent_prompt_display=anything,
    visible_to_user_ids=_VISIBLE_TO,
)
_PRESSED: dict[str, Check] = {
    "button": BUTTON,
    "overflow": _element("overflow", {"options": items(LINK_OPTION, most=limits.OVERFLOW_OPTIONS)}, confirm=CONFIRM),
    "workflow_button": _element(
        "workflow_button",
        {"text": plain(limits.BUTTON_TEXT), "workflow": WORKFLOW},
        style=_STYLE,
        accessibility_label=_LABEL,
    ),
}
_FEEDBACK = shape(
    {"text": plain(limits.BUTTON_TEXT), "value": string(limits.BUTTON_VALUE), "accessibility_label": _LABEL},
    required=("text", "value"),
)
CONTEXT_ACTIONS: dict[str, Check] = {
    "feedback_buttons": _element("feedback_buttons", {"positive_button": _FEEDBACK, "negative_button": _FEEDBACK}),
    "icon_button": _element(
        "icon_button",
        {"icon": choice("trash"), "text": plain(limits.BUTTON_TEXT)},
        value=string(limits.BUTTON_VALUE),
        confirm=CONFIRM,
        accessibility_label=_LABEL,
        visible_to_user_ids=_VISIBLE_TO,
    ),
}
ACTIONS: dict[str, Check] = {**_PRESSED, **_SINGLE, **_PICKERS, "datetimepicker": _DATETIME}
ACCESSORY: dict[str, Check] = {**_PRESSED, **_SINGLE, **_MULTI, **_PICKERS, "image": IMAGE}
INPUT: dict[str, Check] = {**_SINGLE, **_MULTI, **_PICKERS, **_TYPED_IN, "datetimepicker": _DATETIME}
INPUT_MODAL_ONLY = ("file_input",)
