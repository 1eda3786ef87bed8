"""The conversation with the model: numbering, what is still open, and a shorter view of a long one.

The stored conversation is never shortened and its calls are never touched: only what is sent is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from pydantic_ai import DeferredToolResults
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from sysop.agent.clean import OURS
from sysop.agent.guard import Made, bounded, call_key, heading
from sysop.agent.session import Numbered
from sysop.extension import Tool
from sysop.knowledge.citation import Citation, of_json
from sysop.model import Risk
from sysop.store.conversations import Turn

CONCLUDE: Final = "conclude"
CHARS_PER_TOKEN: Final = 3  # JSON and ids; prose has more, so the estimate errs on the safe side
_REASON: Final = 500
_WORTH: Final = 400
_HEARD: Final = 16 * 1024


def load(stored: bytes | None) -> list[ModelMessage]:
    """Return the stored conversation."""
    return ModelMessagesTypeAdapter.validate_json(stored) if stored else []


def dump(messages: Sequence[ModelMessage]) -> bytes:
    """Return a conversation as stored."""
    return ModelMessagesTypeAdapter.dump_json(list(messages))


def calls_of(message: ModelMessage) -> list[ToolCallPart]:
    """Return the calls a message asks for, in order."""
    return [p for p in message.parts if isinstance(p, ToolCallPart)] if isinstance(message, ModelResponse) else []


def all_calls(messages: Sequence[ModelMessage]) -> list[ToolCallPart]:
    """Return every call of a conversation, without the one that ends it."""
    return [call for message in messages for call in calls_of(message) if call.tool_name != CONCLUDE]


def answered(messages: Sequence[ModelMessage]) -> dict[str, ToolReturnPart | RetryPromptPart]:
    """Return what the calls were answered with, by their ids."""
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    return {p.tool_call_id: p for p in parts if isinstance(p, ToolReturnPart | RetryPromptPart) and p.tool_call_id}


def pending_results(messages: Sequence[ModelMessage]) -> DeferredToolResults | None:
    """Return what a resumed conversation must be given so that no open call is forgotten.

    Where some calls of an answer are answered and others wait, all that wait are named: the gate decides each of them
    again. Where the conversation ends with the answer itself, nothing: all its calls are made again.
    """
    if not messages or isinstance(messages[-1], ModelResponse):
        return None
    waiting = open_calls(messages)
    return DeferredToolResults(approvals=dict.fromkeys(waiting, True)) if waiting else None


def open_calls(messages: Sequence[ModelMessage]) -> list[str]:
    """Return the ids of the newest answer's calls that have no answer of their own yet."""
    newest = next((m for m in reversed(messages) if isinstance(m, ModelResponse)), None)
    done = answered(messages)
    return [c.tool_call_id for c in (calls_of(newest) if newest else ()) if c.tool_call_id not in done]


def settled(messages: Sequence[ModelMessage]) -> tuple[list[ModelMessage], str | None]:
    """Return the stored conversation to go on with and, where it had come to its end in plain text, that text.

    The library would ask the model once more about its own last answer; an empty one is no answer at all.
    """
    last = messages[-1] if messages else None
    if not isinstance(last, ModelResponse) or calls_of(last):
        return list(messages), None
    text = (last.text or "").strip()
    return (list(messages), text) if text else (list(messages[:-1]), None)


def append(request: ModelRequest, words: Mapping[str, str]) -> None:
    """Append what people said, by the names of the messages, to a request that is about to be sent."""
    known = unheard([request])
    new = {ts: text for ts, text in words.items() if ts not in known}
    request.parts = [*request.parts, *map(UserPromptPart, new.values())]
    if new:
        note(request, "heard", [*known, *new])


def note(request: ModelRequest, name: str, value: Any) -> None:
    """Note something of a request that is stored with it, and that no model is ever sent."""
    metadata = request.metadata or {}
    request.metadata = {**metadata, OURS: {**metadata.get(OURS, {}), name: value}}


def noted_pages(citations: Iterable[Citation]) -> dict[str, Any]:
    """Return the note of what may be cited, for the metadata of a result."""
    return {OURS: {"pages": [one.as_json() for one in citations]}}


def pages(messages: Sequence[ModelMessage]) -> dict[str, Citation]:
    """Return the sections that a conversation holds, by their citations, each as it was read last."""
    noted = [metadata.get(OURS, {}).get("pages", ()) for message in messages for metadata in _metadata(message)]
    return {one.ref: one for every in noted for one in map(of_json, every)}


def _metadata(message: ModelMessage) -> Iterator[Mapping[str, Any]]:
    if isinstance(message, ModelRequest):
        parts = [part.metadata for part in message.parts if isinstance(part, ToolReturnPart)]
        yield from (one for one in (message.metadata, *parts) if isinstance(one, Mapping))


def unheard(messages: Sequence[ModelMessage]) -> list[str]:
    """Return the names of the messages of people that stand in a last request without an answer."""
    last = messages[-1] if messages else None
    notes = (last.metadata or {}).get(OURS, {}) if isinstance(last, ModelRequest) else {}
    return list(notes.get("heard", ()))


def fitting(turns: Sequence[Turn]) -> list[Turn]:
    """Return the first of what people said, as much as one request should bring; the rest waits for the next."""
    taken: list[Turn] = []
    for turn in turns:
        if taken and sum(len(one.text) for one in taken) + len(turn.text) > _HEARD:
            break
        taken.append(turn)
    return taken


def number(
    response: ModelResponse, answer: int, run: str, taken: Collection[str], releases: Mapping[str, str]
) -> ModelResponse:
    """Number an answer, and note the release of every tool it calls.

    A call gets another id where the conversation has seen its own (some servers send `call_0` always) or where a
    secret stood in it.
    """
    used, parts, given = set(taken), list(response.parts), {}
    calls = [index for index, part in enumerate(parts) if isinstance(part, ToolCallPart)]
    for position, index in enumerate(calls):
        call = parts[index]
        assert isinstance(call, ToolCallPart)
        fit = call.tool_call_id not in used and "[redacted" not in call.tool_call_id
        id = call.tool_call_id if fit else _free_id(f"{run}:{answer}.{position}", used)
        used.add(id)
        given[id] = call.tool_call_id
        parts[index] = replace(call, tool_call_id=id)
    called = {call.tool_name for call in calls_of(response)}
    notes = {"answer": answer, "provider_ids": given, "releases": {t: r for t, r in releases.items() if t in called}}
    return replace(response, parts=parts, metadata={OURS: {**_notes(response), **notes}})


def _notes(response: ModelResponse) -> dict[str, Any]:
    """Return what we have noted of an answer, which no model is ever sent."""
    return dict((response.metadata or {}).get(OURS, {}))


def _free_id(seed: str, used: Collection[str]) -> str:
    """Return nine letters and digits, which every known server takes as an id; the same for the same call."""
    salt = 0
    while True:
        id = hashlib.sha256(f"{seed}/{salt}".encode()).hexdigest()[:9]
        if id not in used:
            return id
        salt += 1


def answer_of(response: ModelResponse) -> int:
    """Return the number of an answer."""
    return int(_notes(response)["answer"])


def numbers(messages: Sequence[ModelMessage]) -> dict[str, Numbered]:
    """Return our ids of all calls by their ids in the conversation."""
    return dict(pair for message in messages if isinstance(message, ModelResponse) for pair in _numbers(message))


def _numbers(response: ModelResponse) -> Iterator[tuple[str, Numbered]]:
    answer, notes = answer_of(response), _notes(response)
    reason = (response.text or "").strip()[:_REASON]
    for position, call in enumerate(calls_of(response)):
        yield (
            call.tool_call_id,
            Numbered(
                id=f"a{answer}.{position}",
                tool=call.tool_name,
                provider_id=notes["provider_ids"].get(call.tool_call_id),
                reason=reason,
                release=notes.get("releases", {}).get(call.tool_name),
                withheld=position in notes.get("withheld", ()),
            ),
        )


def made(messages: Sequence[ModelMessage], actions: Mapping[str, str], tools: Mapping[str, Tool]) -> list[Made]:
    """Return every call of a conversation for the search for circles."""
    done = answered(messages)
    return [_made(call, done, tools.get(actions.get(call.tool_name, ""))) for call in all_calls(messages)]


def _made(call: ToolCallPart, done: Mapping[str, Any], tool: Tool | None) -> Made:
    part = done.get(call.tool_call_id)
    succeeded = isinstance(part, ToolReturnPart) and part.outcome == "success"
    changed = tool is not None and tool.risk is not Risk.READ and succeeded
    return Made(call_key(call.tool_name, arguments(call), tool.schema if tool else {}), changed)


def arguments(call: ToolCallPart) -> dict[str, Any] | str:
    """Return a call's arguments, as text where they are no JSON object."""
    try:
        return call.args_as_dict()
    except (ValueError, AssertionError):
        return str(call.args)


def compact(messages: list[ModelMessage], limit: int) -> list[ModelMessage]:
    """Return a view of a conversation that fits a number of tokens: results lose their data, oldest first.

    Pairs of call and answer stay whole. The results the model has not seen yet go last of all; where that is not
    enough, long words of people lose their middle, but for those the run began with.
    """
    view, over = _shortened(messages, sum(map(_size, messages)) - limit * CHARS_PER_TOKEN, _without_data)
    return [*view[:1], *_shortened(view[1:], over, _in_short)[0]]


def _shortened(
    messages: list[ModelMessage], over: int, shorten: Callable[[ModelRequestPart], ModelRequestPart]
) -> tuple[list[ModelMessage], int]:
    """Shorten parts, oldest first, until nothing is over; return the view and what is over still."""
    view = list(messages)
    for index, message in enumerate(view):
        if over <= 0:
            break
        if isinstance(message, ModelRequest):
            shorter = [shorten(part) for part in message.parts]
            over -= sum(_length(a) - _length(b) for a, b in zip(message.parts, shorter, strict=True))
            view[index] = replace(message, parts=shorter)
    return view, over


def _in_short(part: ModelRequestPart) -> ModelRequestPart:
    if isinstance(part, UserPromptPart) and isinstance(part.content, str) and len(part.content) > 2 * _WORTH:
        return replace(part, content=bounded(part.content, 2 * _WORTH))
    return part


def _without_data(part: ModelRequestPart) -> ModelRequestPart:
    if isinstance(part, ToolReturnPart) and isinstance(part.content, str) and len(part.content) > _WORTH:
        shorter: ModelRequestPart = replace(cast(Any, part), content=heading(part.content))
        return shorter
    return part


def _size(message: ModelMessage) -> int:
    return sum(_length(part) for part in message.parts)


def _length(part: Any) -> int:
    content = getattr(part, "content", None)
    arguments = getattr(part, "args", None)
    return sum(len(value if isinstance(value, str) else str(value)) for value in (content, arguments) if value)
