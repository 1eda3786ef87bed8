"""Interactive elements: finding one, and what it says when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sysop.workspace.errors import ControlError
from sysop.workspace.state.elements import BUTTONS, INNER, INTERACTIVE, VALUE
from sysop.workspace.wire import Json

INITIAL = {
    "value": "initial_value",
    "rich_text_value": "initial_value",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
    "selected_user": "initial_user",
    "selected_users": "initial_users",
    "selected_conversation": "initial_conversation",
    "selected_conversations": "initial_conversations",
    "selected_channel": "initial_channel",
    "selected_channels": "initial_channels",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
    "selected_date_time": "initial_date_time",
}


_SHAPES: dict[str, type[Any]] = {
    **dict.fromkeys(
        ("selected_options", "selected_users", "selected_conversations", "selected_channels", "files"), list
    ),
    "rich_text_value": dict,
    "selected_date_time": int,
}
"""What is not text."""


def walk(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield every interactive element with the block it is in."""
    for block in blocks:
        inner = INNER.get(block["type"])
        if inner is not None:
            yield from walk(block.get(inner) or [])
            continue
        for element in _inside(list(block.values())):
            yield block, element


def _inside(part: Any) -> Iterator[Json]:
    if isinstance(part, dict) and part.get("type") in INTERACTIVE:
        yield part
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _inside(inner)


def find(blocks: list[Json], action_id: str, block_id: str | None) -> tuple[Json, Json]:
    """Return the element with this action id, and its block."""
    for block, element in walk(blocks):
        if element["action_id"] == action_id and block_id in (None, "", block.get("block_id")):
            return block, element
    raise ControlError("element_not_found", f"there is no {action_id!r} here any more")


def action(block: Json, element: Json, body: Json, ts: str, user: str) -> Json:
    """Return what using an element tells the app. A button's value is the element's own, whatever was sent."""
    visible = element.get("visible_to_user_ids")
    if visible and user not in visible:
        raise ControlError("element_not_found", "that is not shown to this person")
    kind = element["type"]
    told: Json = {"type": kind, "action_id": element["action_id"], "block_id": block.get("block_id"), "action_ts": ts}
    if kind in BUTTONS:
        told |= {name: element[name] for name in ("text", "value", "style", "url", "confirm") if name in element}
    elif kind == "feedback_buttons":
        told |= _feedback(element, body)
    else:
        told |= value(element, body)
    return told


def _feedback(element: Json, body: Json) -> Json:
    for name in ("positive_button", "negative_button"):
        button = element.get(name) or {}
        if button.get("value") == body.get("value"):
            return {"value": button.get("value"), "text": button.get("text")}
    raise ControlError("invalid_value", "that is neither of the two buttons")


def value(element: Json, given: Json) -> Json:
    """Return the chosen value of a stateful element, which must be one that it offers."""
    name = VALUE.get(element["type"])
    if name is None:
        raise ControlError("invalid_arguments", f"a {element['type']} cannot be used")
    chosen: Any = given.get(name)
    if name == "selected_option" and chosen is not None:
        chosen = _offered(element, chosen)
    elif chosen is not None and not isinstance(chosen, _SHAPES.get(name, str)):
        raise ControlError("invalid_value", f"{name} has another shape")
    elif name == "selected_options":
        chosen = [_offered(element, one) for one in chosen or []]
    return {name: chosen}


def _offered(element: Json, chosen: Any) -> Json:
    """Return the option as the app wrote it; what an app supplies on request is taken as it is."""
    if not isinstance(chosen, dict):
        chosen = {"value": chosen}
    if "external" in element["type"]:
        return dict(chosen)
    groups = element.get("option_groups") or []
    offered = [*(element.get("options") or []), *(option for group in groups for option in group.get("options", []))]
    for option in offered:
        if option.get("value") == chosen.get("value"):
            return dict(option)
    raise ControlError("invalid_value", f"{chosen.get('value')!r} is not offered")


def state(blocks: list[Json], given: Any) -> Json:
    """Return `state.values` of a surface: what was chosen, else what each element starts with."""
    chosen = given if isinstance(given, dict) else {}
    values: Json = {}
    for block, element in walk(blocks):
        name = VALUE.get(element["type"])
        if name is None or element["type"] == "overflow":
            continue
        in_block = chosen.get(block["block_id"])
        said = in_block.get(element["action_id"]) if isinstance(in_block, dict) else None
        entry = value(element, said) if isinstance(said, dict) else {name: element.get(INITIAL.get(name, ""))}
        if name in ("selected_options", "files") and entry[name] is None:
            entry[name] = []
        values.setdefault(str(block["block_id"]), {})[element["action_id"]] = {"type": element["type"], **entry}
    return values


def _length_problem(element: Json, typed: str) -> str | None:
    least, most = element.get("min_length") or 0, element.get("max_length") or 3000
    if len(typed) < least:
        return f"Please type at least {least} characters."
    return f"Please type at most {most} characters." if len(typed) > most else None


def input_problems(blocks: list[Json], values: Json) -> dict[str, str]:
    """Return what a client would not let go: required fields that are empty, text too short or too long."""
    problems: dict[str, str] = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        name = VALUE[element["type"]]
        entry = values.get(block["block_id"], {}).get(element["action_id"], {}).get(name)
        if not entry:
            if not block.get("optional"):
                problems[block["block_id"]] = "Please complete this required field."
        elif isinstance(entry, str) and (problem := _length_problem(element, entry)):
            problems[block["block_id"]] = problem
    return problems
