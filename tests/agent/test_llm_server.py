"""The model server for tests is itself strict, and speaks both ways a client may ask."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from sysop.testing.llm import Answer, Asked, Fault, LlmServer, Use, turns

USER = {"role": "user", "content": "hello"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "x"}


def post(server: LlmServer, messages: list[dict[str, Any]], **more: Any) -> httpx2.Response:
    body = {"model": "m", "messages": messages, **more}
    return httpx2.post(f"{server.url}/chat/completions", json=body, timeout=5, trust_env=False)


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([USER, ASKED], r"the calls \['c1'\] have no result"),
        ([USER, ASKED, USER, RESULT], "user speaks while"),
        ([USER, RESULT], "a result for 'c1', which waits for none"),
        ([USER, ASKED, RESULT, RESULT], "a result for 'c1', which waits for none"),
        ([USER, ASKED, RESULT, ASKED, RESULT], "'c1' is used twice"),
        ([{"role": "robot", "content": "x"}], "there is no role 'robot'"),
        ([{"role": "user", "content": ""}], "user says nothing"),
        ([USER, {"role": "assistant", "content": "done"}], "ends with the model's own answer"),
        ([], "a request needs"),
    ],
)
def test_a_wrong_conversation_is_refused_loudly(messages: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(AssertionError, match=problem), LlmServer(lambda asked: Answer("x")) as server:
        assert post(server, messages).status_code == 400


def test_a_tool_without_a_schema_is_refused() -> None:
    tools = [{"type": "function", "function": {"name": "a.b"}}]
    with pytest.raises(AssertionError, match="valid name"), LlmServer(lambda asked: Answer("x")) as server:
        assert post(server, [USER], tools=tools).status_code == 400


def test_an_answer_whole_and_in_pieces() -> None:
    answer = Answer("let me see", [Use("f", {"a": 1}), Use("g", "not json", id="call_0")], usage=(7, 3))
    with LlmServer(turns(answer)) as server:
        whole = post(server, [USER]).json()
        pieces = post(server, [USER], stream=True, stream_options={"include_usage": True}).text
    message = whole["choices"][0]["message"]
    assert [c["function"]["name"] for c in message["tool_calls"]] == ["f", "g"]
    assert message["tool_calls"][1]["id"] == "call_0"
    chunks = [json.loads(line[6:]) for line in pieces.splitlines() if line.startswith("data: {")]
    assert pieces.rstrip().endswith("data: [DONE]")
    calls = [c for chunk in chunks for choice in chunk["choices"] for c in choice["delta"].get("tool_calls", [])]
    assert [c["function"]["arguments"] for c in calls] == ['{"a": 1}', "not json"]
    assert chunks[-1]["usage"] == whole["usage"]


def test_faults_and_keys() -> None:
    def script(asked: Asked) -> Answer | Fault:
        return [Fault("status", 429, {"Retry-After": "2"}), Fault("empty"), Fault("garbage"), Fault("cut")][
            asked.number
        ]

    with LlmServer(script, key="k") as server:
        assert post(server, [USER]).status_code == 401
        server.key = None
        limited = post(server, [USER])
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "2")
        assert post(server, [USER]).json()["choices"] == []
        with pytest.raises(ValueError, match="Expecting value"):
            post(server, [USER]).json()
        with pytest.raises(httpx2.RemoteProtocolError):
            post(server, [USER])
    assert len(server.asked) == 4
