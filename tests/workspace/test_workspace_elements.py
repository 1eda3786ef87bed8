"""What each element says when it is used, and what a form holds before anybody touched it."""

from __future__ import annotations

from typing import Any

import pytest

from sysop.workspace import Ids
from sysop.workspace.control import elements
from sysop.workspace.errors import ControlError
from sysop.workspace.state.elements import VALUE
from sysop.workspace.state.views import named
from workspace.kit import Json

OPTIONS = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("a", "b")]


def field(kind: str, **more: Any) -> Json:
    element = {"type": kind, "action_id": "it", **more}
    return {"type": "input", "block_id": "block", "element": element, "label": {"type": "plain_text", "text": "It"}}


def held(block: Json, given: Any = None) -> Any:
    entry = elements.state([block], {"block": {"it": given}} if given is not None else {})["block"]["it"]
    assert entry["type"] == block["element"]["type"]
    return entry[VALUE[block["element"]["type"]]]


@pytest.mark.parametrize(
    ("block", "starts_as"),
    [
        (field("plain_text_input"), None),
        (field("plain_text_input", initial_value="x"), "x"),
        (field("static_select", options=OPTIONS, initial_option=OPTIONS[1]), OPTIONS[1]),
        (field("checkboxes", options=OPTIONS), []),
        (field("checkboxes", options=OPTIONS, initial_options=OPTIONS), OPTIONS),
        (field("datepicker", initial_date="2026-01-02"), "2026-01-02"),
        (field("multi_users_select", initial_users=["U1"]), ["U1"]),
        (field("conversations_select", initial_conversation="C1"), "C1"),
        (field("datetimepicker", initial_date_time=5), 5),
    ],
    ids=lambda value: value["element"]["type"] if isinstance(value, dict) and "element" in value else "",
)
def test_an_untouched_field_holds_what_it_starts_with(block: Json, starts_as: Any) -> None:
    assert held(block) == starts_as


def test_a_choice_is_the_apps_own_option_whatever_was_sent() -> None:
    grouped = field("static_select", option_groups=[{"options": OPTIONS}])
    assert held(grouped, {"selected_option": {"value": "b", "text": "forged"}}) == OPTIONS[1]
    assert held(field("checkboxes", options=OPTIONS), {"selected_options": [{"value": "a"}]}) == [OPTIONS[0]]
    assert held(field("external_select"), {"selected_option": {"value": "x"}}) == {"value": "x"}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("static_select", {"selected_option": {"value": "c"}}),
        ("checkboxes", {"selected_options": "a"}),
        ("plain_text_input", {"value": 5}),
        ("datetimepicker", {"selected_date_time": "now"}),
        ("users_select", {"selected_user": ["U1"]}),
    ],
)
def test_what_no_client_would_send_is_refused(kind: str, given: Json) -> None:
    with pytest.raises(ControlError):
        held(field(kind, options=OPTIONS), given)


def test_a_client_lets_only_complete_fields_go() -> None:
    block = field("plain_text_input", min_length=2, max_length=3)

    def problems(text: str) -> Json:
        return elements.input_problems([block], {"block": {"it": {"value": text}}})

    assert problems("ab") == {}
    assert problems("a")["block"].startswith("Please type at least 2")
    assert problems("abcd")["block"].startswith("Please type at most 3")
    assert "required" in problems("")["block"]
    block["optional"] = True
    assert problems("") == {}


def test_every_element_gets_a_name_and_can_be_found_wherever_it_is() -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "x"}}
    blocks = [
        {"type": "section", "accessory": button},
        {"type": "actions", "elements": [button, button]},
        {"type": "container", "child_blocks": [{"type": "actions", "elements": [button]}]},
        {"type": "card", "actions": [button]},
    ]
    found = list(elements.walk(named(blocks, Ids())))
    assert len({element["action_id"] for _, element in found}) == 5
    for block, element in found:
        assert elements.find([block], element["action_id"], block["block_id"]) == (block, element)
