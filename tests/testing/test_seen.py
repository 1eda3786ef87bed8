"""What people see as text, and what they fill in as a client sends it."""

from __future__ import annotations

from typing import Any

import pytest

from sysop.testing import seen, words
from sysop.testing.errors import NotThere
from sysop.testing.forms import filled
from sysop.testing.seen import Seen
from sysop.testing.workspace_driver import pressed

NAMES = {"U1": "@lead", "C1": "#shop", "S1": "@oncall"}


def rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(elements)}


def run(*leaves: dict[str, Any], kind: str = "rich_text_section") -> dict[str, Any]:
    return {"type": kind, "elements": list(leaves)}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("block", "lines"),
    [
        (
            {"type": "section", "text": {"type": "mrkdwn", "text": "<@U1> in <#C1> &lt;now&gt; <https://a.example|a>"}},
            ["@lead in #shop <now> a"],
        ),
        (
            {"type": "section", "text": {"type": "mrkdwn", "text": "<!date^0^{date}|1970> <!subteam^S1> <!here>"}},
            ["1970 @oncall @here"],
        ),
        ({"type": "header", "text": {"type": "plain_text", "text": "<@U1> &amp;"}}, ["<@U1> &amp;"]),
        ({"type": "section", "fields": [{"type": "mrkdwn", "text": "*Risk*\nchange"}]}, ["Risk: change"]),
        (
            rich(
                run(
                    {"type": "user", "user_id": "U1"},
                    text(" did "),
                    {"type": "date", "timestamp": 0, "fallback": "1970"},
                ),
                {
                    "type": "rich_text_list",
                    "elements": [run(text("one")), run({"type": "link", "url": "https://a.example"})],
                },
                run(text("a = 1\nb = 2"), kind="rich_text_preformatted"),
            ),
            ["@lead did 1970", "• one", "• https://a.example", "a = 1", "b = 2"],
        ),
        (
            {
                "type": "plan",
                "title": "Work",
                "tasks": [
                    {"title": "look", "status": "complete", "output": rich(run(text("3 fail")))},
                    {
                        "title": "wait",
                        "status": "in_progress",
                        "sources": [{"text": "page", "url": "https://a.example"}],
                    },
                ],
            },
            ["Work", "● look", "  3 fail", "◐ wait", "  source: page https://a.example"],
        ),
        ({"type": "divider"}, []),
        (
            {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}, rich(run(text("b")))]]},
            ["a", "b"],
        ),
    ],
)
def test_blocks_read_as_people_read_them(block: dict[str, Any], lines: list[str]) -> None:
    assert words.lines([block], NAMES) == lines


def button(label: str, action: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": label}, "value": "v"}


def test_a_message_has_an_author_a_thread_and_buttons_wherever_they_are() -> None:
    inner = {"type": "actions", "block_id": "b", "elements": [button("Yes", "yes"), {"type": "static_select"}]}
    raw = {
        "ts": "2.0",
        "thread_ts": "1.0",
        "user": "U1",
        "text": "said\N{ZERO WIDTH SPACE} <@U1>",
        "is_ephemeral": True,
        "blocks": [{"type": "container", "child_blocks": [inner]}],
        "files": [{"name": "log.txt"}],
    }
    one = seen.message(raw, "C1", NAMES, bot="U2")
    assert (one.author, one.thread, one.root, one.private, one.mine) == ("@lead", "1.0", "1.0", True, False)
    assert one.labels == ["Yes"]
    assert pressed(one, "Yes") == pressed(one, "yes")
    with pytest.raises(NotThere, match="no button 'No' here, but Yes"):
        pressed(one, "No")
    assert str(seen.message({**raw, "blocks": []}, "C1", NAMES, bot="U1")) == "said @lead\n(file log.txt)"


def form() -> Seen:
    def asks(label: str, block: str, element: dict[str, Any], *, optional: bool = False) -> dict[str, Any]:
        words = {"type": "plain_text", "text": label}
        return {"type": "input", "block_id": block, "label": words, "element": element, "optional": optional}

    def option(value: str) -> dict[str, Any]:
        return {"text": {"type": "plain_text", "text": value.upper()}, "value": value}

    choices = [option("a"), option("b")]
    return seen.view(
        {
            "id": "V1",
            "type": "modal",
            "title": {"type": "plain_text", "text": "Form"},
            "submit": {"type": "plain_text", "text": "Send"},
            "blocks": [
                asks("Why?", "why", {"type": "plain_text_input", "action_id": "t"}),
                asks("One", "one", {"type": "static_select", "action_id": "s", "options": choices}, optional=True),
                asks("Many", "many", {"type": "checkboxes", "action_id": "m", "options": choices}, optional=True),
            ],
        },
        NAMES,
    )


def test_a_form_reads_with_its_labels_and_is_filled_in_by_them() -> None:
    assert str(form()).splitlines()[0] == "Form"
    assert "One (optional)" in form()
    assert str(form()).endswith("[Send]")
    a, b = ({"text": {"type": "plain_text", "text": one.upper()}, "value": one} for one in "ab")
    assert filled(form(), {"why": "so", "One": "A", "many": ["a", "B"]}) == {
        "why": {"t": {"type": "plain_text_input", "value": "so"}},
        "one": {"s": {"type": "static_select", "selected_option": a}},
        "many": {"m": {"type": "checkboxes", "selected_options": [a, b]}},
    }


@pytest.mark.parametrize(
    ("values", "why"), [({"Who?": "me"}, "asks for nothing called 'Who"), ({"One": "c"}, "offers no 'c', only A, B")]
)
def test_what_a_form_does_not_have_cannot_be_filled_in(values: dict[str, Any], why: str) -> None:
    with pytest.raises(NotThere, match=why):
        filled(form(), values)
