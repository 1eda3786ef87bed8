"""Whole payloads: messages, views and the chunks of a stream, refused with the error Slack answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blockkit.cases import section
from blockkit.samples import (
    ELEMENTS,
    SAMPLES,
    Block,
    field,
    plain,
    rich,
)
from sysop.blockkit import (
    Problem,
    advise_message,
    check_chunks,
    check_message,
    check_view,
    has_rich_text,
)

MODAL: Block = {"type": "modal", "title": plain("Deny"), "submit": plain("Send"), "blocks": [SAMPLES["section"]]}


def codes(problems: list[Problem]) -> list[str]:
    return [one.code for one in problems]


@pytest.mark.parametrize("payload", [{"text": "x" * 40_000}, {"blocks": [section()]}, {"markdown_text": "x" * 12_000}])
def test_a_message_says_something(payload: Block) -> None:
    assert check_message(payload) == []


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "no_text"),
        ({"text": "", "blocks": []}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
        ({"markdown_text": "x", "blocks": [section()]}, "markdown_text_conflict"),
        ({"text": "x", "blocks": "[]"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": [{"type": "alert", "text": plain()}]}, "invalid_blocks"),
        ({"text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "x", "attachments": {}}, "no problem"),
        ({"text": "x", "attachments": "no"}, "invalid_attachments"),
        ({"text": "x", "attachments": [{"blocks": [{"type": "nothing"}]}]}, "invalid_blocks"),
        ({"text": "x", "metadata": "no"}, "invalid_metadata_format"),
        ({"text": "x", "metadata": {"event_type": "e"}}, "invalid_metadata_schema"),
        ({"text": 5}, "invalid_arguments"),
    ],
)
def test_a_message_is_refused_with_slacks_error(payload: Block, code: str) -> None:
    assert codes(check_message(payload)) == ([] if code == "no problem" else [code])


def test_an_update_takes_a_shorter_text() -> None:
    assert check_message({"text": "x" * 4000}, update=True) == []
    assert codes(check_message({"text": "x" * 4001}, update=True)) == ["msg_too_long"]


def test_large_metadata_and_long_text_are_advice_not_errors() -> None:
    large = {"text": "x" * 4001, "metadata": {"event_type": "e", "event_payload": {"id": "x" * 1024}}}
    assert check_message(large) == []
    assert [one.pointer for one in advise_message(large)] == ["/text", "/metadata"]
    assert advise_message({"text": "short", "metadata": {"event_type": "e", "event_payload": {"id": "1"}}}) == []


def test_an_attachments_problem_says_which_attachment() -> None:
    wrong = {"text": "x", "attachments": [{}, {"blocks": [section(text=plain(""))]}]}
    assert [one.pointer for one in check_message(wrong)] == ["/attachments/1/blocks/0/text/text"]


@pytest.mark.parametrize("name", ["title", "submit", "close"])
def test_a_modals_words_are_short(name: str) -> None:
    assert check_view(MODAL | {name: plain("x" * 24)}) == []
    over = check_view(MODAL | {name: plain("x" * 25)})
    assert [(one.pointer, one.code) for one in over] == [(f"/view/{name}/text", "invalid_arguments")]


@pytest.mark.parametrize(("name", "most"), [("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)])
def test_a_views_own_strings_have_limits(name: str, most: int) -> None:
    assert check_view(MODAL | {name: "x" * most}) == []
    assert [one.pointer for one in check_view(MODAL | {name: "x" * (most + 1)})] == [f"/view/{name}"]


def test_a_modal_with_an_input_needs_submit() -> None:
    asks = {"type": "modal", "title": plain(), "blocks": [field(ELEMENTS["users"])]}
    assert [one.pointer for one in check_view(asks)] == ["/view/submit"]
    assert check_view(asks | {"submit": plain("Send")}) == []
    assert check_view({"type": "home", "blocks": asks["blocks"]}) == []


def test_a_modal_has_a_title_and_a_home_has_none() -> None:
    assert [one.text for one in check_view({"type": "modal", "blocks": []})] == ["missing required field: title"]
    assert check_view({"type": "home", "blocks": [], "title": plain()})
    assert check_view({"type": "home", "blocks": []}) == []


def test_a_view_has_a_size() -> None:
    def sized(extra: int) -> Block:
        filled = [section(text=plain("é" * 1450), block_id=f"{number:03}") for number in range(80)]
        view = {"type": "home", "blocks": filled, "private_metadata": ""}
        room = 250_000 - len(json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode()) + extra
        whole, rest = divmod(room, 2900)
        more = []
        for number in range(whole):
            frame = len(json.dumps(section(text=plain(""), block_id=f"m{number:02}"), separators=(",", ":"))) + 1
            more.append(section(text=plain("x" * (2900 - frame)), block_id=f"m{number:02}"))
        return view | {"blocks": [*filled, *more], "private_metadata": "x" * rest}

    assert check_view(sized(0)) == []
    assert codes(check_view(sized(1))) == ["view_too_large"]


@pytest.mark.parametrize(
    "rubbish", [None, 1, [], {}, {"type": "message"}, {"type": ["home"]}, {"type": "home", "blocks": 1}]
)
def test_anything_that_is_no_view_is_refused_not_raised(rubbish: Any) -> None:
    assert set(codes(check_view(rubbish))) == {"invalid_arguments"}


UPDATE: Block = {"type": "task_update", "id": "t", "title": "look", "status": "in_progress"}
SOURCE = {"type": "url", "url": "https://shop.example/r", "text": "runbook"}
CHUNKS: list[Block] = [
    {"type": "markdown_text", "text": "hello"},
    {"type": "plan_update", "title": "Plan"},
    UPDATE | {"details": "d", "output": "o", "sources": [SOURCE]},
    {"type": "blocks", "blocks": [section()]},
]


def test_sound_chunks_are_taken() -> None:
    assert check_chunks(CHUNKS) == []


@pytest.mark.parametrize(("field_name", "most"), [("title", 256), ("details", 256), ("output", 256), ("id", 255)])
def test_a_task_updates_words_are_short(field_name: str, most: int) -> None:
    assert check_chunks([UPDATE | {field_name: "x" * most}]) == []
    over = check_chunks([UPDATE | {field_name: "x" * (most + 1)}])
    assert [(one.pointer, one.code) for one in over] == [(f"/chunks/0/{field_name}", "invalid_chunks")]


@pytest.mark.parametrize(
    ("chunks", "code"),
    [
        ([], "invalid_chunks"),
        ("text", "invalid_chunks"),
        ([{"type": "text"}], "invalid_chunks"),
        ([{"type": "plan_update", "title": "x" * 257}], "invalid_chunks"),
        ([UPDATE | {"status": "running"}], "invalid_chunks"),
        ([UPDATE | {"sources": [{"type": "url", "url": "https://shop.example/"}]}], "invalid_chunks"),
        ([{"type": "markdown_text", "text": "x" * 12_000}, {"type": "markdown_text", "text": "x"}], "msg_too_long"),
        ([{"type": "blocks", "blocks": [{"type": "alert", "text": plain()}]}], "invalid_blocks"),
        ([{"type": "blocks", "blocks": [{"type": "divider"}] * 26}] * 2, "msg_blocks_too_many"),
        ([{"type": "blocks", "blocks": []}], "invalid_chunks"),
    ],
)
def test_wrong_chunks_are_refused_with_slacks_error(chunks: Any, code: str) -> None:
    assert codes(check_chunks(chunks)) == [code]


def test_a_problem_reads_like_slacks_own() -> None:
    assert (
        str(Problem("/blocks/0/text", "must be a string")) == "[ERROR] must be a string [json-pointer:/blocks/0/text]"
    )


def test_rich_text_is_found_in_a_message() -> None:
    assert has_rich_text([section(), rich()])
    assert not has_rich_text([section()])
    assert not has_rich_text(None)
