"""An answer without secrets is still an answer: same parts, same calls, arguments that parse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_kit import FREE, desk
from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.usage import RequestUsage

from sysop.agent import history
from sysop.agent.clean import OURS, clean
from sysop.redact import redact_value
from sysop.testing.llm import Answer, LlmServer, Use, turns

TOKEN = "ghp_" + "a1" * 18
AWS = "AKIAABCDEFGHIJKLMNOP"


def answer(*parts: Any, **more: Any) -> ModelResponse:
    return ModelResponse(parts=list(parts), **more)


def withheld(response: ModelResponse) -> list[int]:
    return list((response.metadata or {})[OURS]["withheld"])


def test_an_answer_without_secrets_stays_as_it_is() -> None:
    given = answer(
        ThinkingPart("let me see", id="reasoning_content", provider_name="openai"),
        TextPart("I look first."),
        ToolCallPart("lab-look", '{"name": "x", "share": 0.25, "list": [1, null, true]}', "call_1"),
        ToolCallPart("lab-look", {"name": "y"}, "call_2"),
        usage=RequestUsage(input_tokens=7, output_tokens=3),
        model_name="m",
        finish_reason="tool_call",
    )
    found = clean(given)
    assert list(found.parts) == list(given.parts)
    kept = ("usage", "model_name", "finish_reason", "timestamp")
    assert [getattr(found, name) for name in kept] == [getattr(given, name) for name in kept]
    assert withheld(found) == []


def test_secrets_are_gone_from_every_part_and_the_calls_that_held_one_are_noted() -> None:
    found = clean(
        answer(
            ThinkingPart(f"the key was {AWS}"),
            TextPart(f"use {TOKEN}"),
            ToolCallPart("lab-look", json.dumps({"name": f'say "{TOKEN}"', "n": 1}), "call_1"),
            ToolCallPart("lab-look", '{"name": "x"}', TOKEN),
            ToolCallPart(TOKEN, {"deep": [{"password": "x"}]}, "call_3"),
            provider_details={"odd": AWS},
            model_name=TOKEN,
        )
    )
    shown = history.dump([found]).decode()
    assert TOKEN not in shown
    assert AWS not in shown
    calls = history.calls_of(found)
    assert calls[0].args_as_dict() == {"name": 'say "[redacted github token]"', "n": 1}
    assert [call.tool_name for call in calls] == ["lab-look", "lab-look", "redacted"]
    assert calls[2].args_as_dict() == {"deep": [{"password": "[redacted]"}]}
    assert withheld(found) == [0, 2]
    numbered = history.numbers([history.number(found, 1, "run-1", (), {})])
    assert [call.withheld for call in numbered.values()] == [True, False, True]
    assert all("[" not in id for id in numbered)


HARD = {
    "a quote after the secret": r'{"q": "password=abcdef\"x\""}',
    "a line end inside": r'{"q": "secret:\nabcdefgh"}',
    "a key twice": f'{{"q": "{TOKEN}", "q": "x"}}',
    "escaped letters": r'{"q": "\u0067hp_' + "a1" * 18 + '"}',
}


@pytest.mark.parametrize("args", HARD.values(), ids=HARD)
def test_arguments_parse_afterwards_and_hold_nothing_more(args: str) -> None:
    (call,) = history.calls_of(clean(answer(ToolCallPart("t", args, "c"))))
    parsed = call.args_as_dict()
    assert redact_value(parsed) == parsed
    assert "a1a1" not in str(call.args)


@pytest.mark.parametrize("args", ['{"name": ', "", "[" * 50_000, '{"a":' * 3000 + "1" + "}" * 3000, '{"a": "\ud800"'])
def test_arguments_that_are_no_json_or_too_deep_stay_an_answer_that_can_be_stored(args: str) -> None:
    found = clean(answer(ToolCallPart("t", args, "c"), ToolCallPart("t", f"{TOKEN} {args}", "d")))
    assert history.load(history.dump([found])) == [found]
    assert TOKEN not in history.dump([found]).decode()


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists)


@given(st.dictionaries(st.text(), JSON))
def test_what_is_clean_goes_through_with_the_same_meaning(args: dict[str, Any]) -> None:
    args = redact_value(args)
    (call,) = history.calls_of(found := clean(answer(ToolCallPart("t", json.dumps(args), "c"))))
    assert call.args_as_dict() == args
    assert withheld(found) == []


async def test_a_call_with_a_secret_is_not_made_and_the_model_is_told_what_to_do(tmp_path: Path) -> None:
    """What would run is not what the model meant: no person is asked, and the marker never becomes an argument."""
    uses = [Use("lab-append", {"name": f"{TOKEN}-free"}), Use("lab-append", {"name": "[redacted]-free"})]
    with LlmServer(turns(Answer("", uses), Answer("I left it out"))) as server:
        async with desk(tmp_path, f"sqlite:///{tmp_path / 'sysop.db'}", server.url, policy=FREE) as bot:
            run = await bot.end()
            assert bot.effects == [f"{run.id}:a1.1"], "quoting what was redacted before is no secret"
            assert await bot.pending() == []
    assert "leave it out, actions are given the credentials they need" in server.asked[1].results[0]
    assert run.conclusion["summary"] == "I left it out"
