"""Block Kit's limits: every number at its edge and one over, every surface, every rule over a whole payload."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from blockkit.cases import EMPTY, LONGEST, WRONG, element, pie, rows, section
from blockkit.samples import (
    ELEMENTS,
    INPUTS,
    SAMPLES,
    Block,
    field,
    plain,
    surface_of,
)
from sysop.blockkit import (
    Problem,
    Surface,
    check_blocks,
)

EVERY = {**SAMPLES, **INPUTS}


def refusals(block: Block) -> list[Problem]:
    return check_blocks([block], surface_of(block))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EVERY)
def test_a_sound_block_is_taken(name: str) -> None:
    assert refusals(EVERY[name]) == []


@pytest.mark.parametrize("name", LONGEST)
def test_a_limit_is_taken_at_its_edge_and_refused_one_over(name: str) -> None:
    edge, make = LONGEST[name]
    assert refusals(make(edge)) == []
    over = refusals(make(edge + 1))
    assert {one.code for one in over} == {"invalid_blocks"}
    assert all(one.pointer.startswith("/blocks") and one.text for one in over)


@pytest.mark.parametrize("name", EMPTY)
def test_emptiness_is_refused(name: str) -> None:
    assert refusals(EMPTY[name])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_block_is_refused_where_it_is_wrong(name: str) -> None:
    block, pointer = WRONG[name]
    assert pointer in [one.pointer for one in refusals(block)]


@pytest.mark.parametrize("rubbish", [None, 1, "blocks", {"type": "section"}, True])
def test_blocks_that_are_no_list_have_no_format(rubbish: Any) -> None:
    assert [one.code for one in check_blocks(rubbish, "message")] == ["invalid_blocks_format"]


@pytest.mark.parametrize("rubbish", [None, 1, "x", [], {}, {"type": None}, {"type": ["section"]}, {"type": {}}])
def test_anything_that_is_no_block_is_refused_not_raised(rubbish: Any) -> None:
    assert check_blocks([rubbish], "message")


@pytest.mark.parametrize(("surface", "most"), [("message", 50), ("modal", 100), ("home", 100)])
def test_a_surface_holds_so_many_blocks(surface: Surface, most: int) -> None:
    assert check_blocks([{"type": "divider"}] * most, surface) == []
    (over,) = check_blocks([{"type": "divider"}] * (most + 1), surface)
    assert over.code == ("msg_blocks_too_many" if surface == "message" else "invalid_blocks")


NOWHERE_ELSE: dict[str, set[Surface]] = {
    "alert": {"modal"},
    "markdown": {"message"},
    "plan": {"message"},
    "task_card": {"message"},
    "context_actions": {"message"},
    "data_visualization": {"message"},
    "carousel": {"message", "home"},
    "container": {"message", "home"},
    "table": {"message", "home"},
    "data_table": {"message", "home"},
}


@pytest.mark.parametrize("surface", get_args(Surface))
@pytest.mark.parametrize("name", SAMPLES)
def test_a_block_stands_on_its_surfaces_only(name: str, surface: Surface) -> None:
    block = SAMPLES[name]
    welcome = NOWHERE_ELSE.get(block["type"], {"message", "modal", "home"})
    found = [one.pointer for one in check_blocks([block], surface)]
    assert found == ([] if surface in welcome else ["/blocks/0/type"])


def test_a_file_is_asked_for_in_modals_only() -> None:
    asked = field(ELEMENTS["file_input"])
    assert check_blocks([asked], "modal") == []
    assert [one.pointer for one in check_blocks([asked], "home")] == ["/blocks/0/element/type"]


def test_a_block_id_is_there_once_also_inside_containers() -> None:
    twice = [{"type": "divider", "block_id": "x"}, {"type": "header", "text": plain(), "block_id": "x"}]
    assert [one.pointer for one in check_blocks(twice, "message")] == ["/blocks/1/block_id"]
    inside = [twice[0], SAMPLES["container"] | {"child_blocks": [twice[0]]}]
    assert [one.pointer for one in check_blocks(inside, "home")] == ["/blocks/1/child_blocks/0/block_id"]


def test_one_element_takes_the_focus() -> None:
    one, other = element("plain_text_input"), element("plain_text_input") | {"block_id": "other"}
    assert check_blocks([one], "modal") == []
    assert [found.pointer for found in check_blocks([one, other], "modal")] == ["/blocks/1/element/focus_on_load"]


TOGETHER: dict[str, tuple[list[Block], list[Block]]] = {
    "markdown": ([{"type": "markdown", "text": "x" * 6000}] * 2, [{"type": "markdown", "text": "x"}]),
    "tables": ([{"type": "table", "rows": rows(1, 1)}], [{"type": "table", "rows": rows(1, 1)}]),
    "charts": ([pie(), pie()], [pie()]),
    "data tables": (
        [SAMPLES["data_table"] | {"rows": rows(2, 1, "x" * 5000)}] * 2,
        [SAMPLES["data_table"] | {"rows": rows(2, 1)}],
    ),
    "characters": ([section(text=plain("x" * 3000))] * 4, [section(text=plain("x" * 1201))]),
    "headers": ([{"type": "header", "text": plain("x" * 150)}] * 49, [section(text=plain("x" * 951))]),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_blocks_have_limits_together(name: str) -> None:
    fits, more = TOGETHER[name]
    assert check_blocks(fits, "message") == []
    assert [one.pointer for one in check_blocks([*fits, *more], "message")] == ["/blocks"]


def test_a_message_that_is_long_as_a_whole_has_its_own_error() -> None:
    (found,) = check_blocks([section(text=plain("x" * 2700))] * 5, "message")
    assert found.code == "msg_blocks_too_long"
    assert check_blocks([section(text=plain("x" * 2700))] * 5, "home") == []
