"""What a chat completions request must look like; a wrong conversation fails loudly instead of going on quietly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_ROLES = {"system", "developer", "user", "assistant", "tool"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def problem_of(body: Mapping[str, Any]) -> str | None:
    """Return the first rule a request breaks, None where it breaks none."""
    return next(_problems(body), None)


def _problems(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body.get("messages")
    if not isinstance(body.get("model"), str) or not isinstance(messages, list) or not messages:
        yield "a request needs `model` and `messages`"
        return
    yield from _tools(body.get("tools", []))
    yield from _conversation(messages)


def _tools(tools: Any) -> Iterator[str]:
    names = []
    for tool in tools:
        function = tool.get("function") or {}
        names.append(function.get("name", ""))
        if tool.get("type") != "function" or not _NAME.fullmatch(names[-1]):
            yield f"tools: {names[-1]!r} is not a function with a valid name"
        if (function.get("parameters") or {}).get("type") != "object":
            yield f"tools: {names[-1]} has no parameters schema"
    if len(names) != len(set(names)):
        yield f"tools: a name is used twice: {names}"


def _conversation(messages: list[Mapping[str, Any]]) -> Iterator[str]:
    """Every call is answered once, right after its message, before anything else is said; no id is used twice."""
    waiting: set[str] = set()
    seen: set[str] = set()
    for index, message in enumerate(messages):
        where, role = f"messages[{index}]", message.get("role")
        if role not in _ROLES:
            yield f"{where}: there is no role {role!r}"
        if role == "tool":
            yield from _result(message, waiting, where)
        elif waiting:
            yield f"{where}: {role} speaks while {sorted(waiting)} wait for results"
        elif role != "assistant" and not message.get("content"):
            yield f"{where}: {role} says nothing"
        if role == "assistant":
            yield from _answer(message, waiting, seen, where)
    if waiting:
        yield f"the calls {sorted(waiting)} have no result"
    if messages[-1].get("role") == "assistant":
        yield "the conversation ends with the model's own answer"


def _result(message: Mapping[str, Any], waiting: set[str], where: str) -> Iterator[str]:
    id = str(message.get("tool_call_id"))
    if id not in waiting:
        yield f"{where}: a result for {id!r}, which waits for none"
    waiting.discard(id)


def _answer(message: Mapping[str, Any], waiting: set[str], seen: set[str], where: str) -> Iterator[str]:
    calls = message.get("tool_calls") or []
    if not calls and not message.get("content"):
        yield f"{where}: an answer without text and calls"
    for call in calls:
        function = call.get("function") or {}
        if call.get("type") != "function" or not call.get("id") or not function.get("name"):
            yield f"{where}: a call without type, id or name"
        if call.get("id") in seen:
            yield f"{where}: the call id {call.get('id')!r} is used twice"
        seen.add(str(call.get("id")))
        waiting.add(str(call.get("id")))
        try:
            json.loads(function.get("arguments", ""))
        except ValueError:
            yield f"{where}: the arguments of {call.get('id')} are not JSON"
