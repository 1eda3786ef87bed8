"""Whole payloads: a message, a view, and the chunks of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sysop.blockkit import limits
from sysop.blockkit.checks import Check, anything, boolean, choice, items, shape, string, typed
from sysop.blockkit.limits import Surface
from sysop.blockkit.objects import ID, SOURCE, plain
from sysop.blockkit.problem import Problem
from sysop.blockkit.whole import check_blocks


def check_message(payload: Mapping[str, Any], update: bool = False) -> list[Problem]:
    """Return why Slack would refuse a message; `update` holds it to chat.update's shorter text."""
    return [*_words(payload, update), *_parts(payload), *_metadata(payload.get("metadata"))]


def advise_message(payload: Mapping[str, Any]) -> list[Problem]:
    """Return what Slack takes but should not be sent: a long text, and metadata so large that it may be refused."""
    found = []
    text = payload.get("text")
    if isinstance(text, str) and len(text) > limits.ADVISED_TEXT:
        found.append(Problem("/text", f"should be less than {limits.ADVISED_TEXT + 1} characters", "advice"))
    if payload.get("metadata") and _size(payload["metadata"]) >= limits.ADVISED_METADATA_BYTES:
        found.append(Problem("/metadata", f"should be less than {limits.ADVISED_METADATA_BYTES} bytes", "advice"))
    return found


def _words(payload: Mapping[str, Any], update: bool) -> Iterator[Problem]:
    text, markdown = payload.get("text"), payload.get("markdown_text")
    for name, value in (("text", text), ("markdown_text", markdown)):
        if value is not None and not isinstance(value, str):
            yield Problem(f"/{name}", "must be a string", "invalid_arguments")
    if not any(payload.get(key) for key in ("text", "markdown_text", "blocks", "attachments")):
        yield Problem("/text", "must provide text, blocks or attachments", "no_text")
    if markdown and (text or payload.get("blocks")):
        yield Problem("/markdown_text", "must not stand with text or blocks", "markdown_text_conflict")
    most = limits.UPDATE_TEXT if update else limits.MESSAGE_TEXT
    for name, value, length in (("text", text, most), ("markdown_text", markdown, limits.MARKDOWN)):
        if isinstance(value, str) and len(value) > length:
            yield Problem(f"/{name}", f"must be less than {length + 1} characters", "msg_too_long")


def _parts(payload: Mapping[str, Any]) -> Iterator[Problem]:
    attachments = payload.get("attachments") or []
    if payload.get("blocks") is not None:
        yield from check_blocks(payload["blocks"], "message")
    if not isinstance(attachments, list):
        yield Problem("/attachments", "must be an array", "invalid_attachments")
        return
    if len(attachments) > limits.ATTACHMENTS:
        yield Problem("/attachments", f"no more than {limits.ATTACHMENTS} allowed", "too_many_attachments")
    for index, one in enumerate(attachments):
        if not isinstance(one, dict):
            yield Problem(f"/attachments/{index}", "must be an object", "invalid_attachments")
        elif one.get("blocks"):
            inside = check_blocks(one["blocks"], "message")
            yield from (replace(found, pointer=f"/attachments/{index}{found.pointer}") for found in inside)


def _metadata(metadata: Any) -> Iterator[Problem]:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        yield Problem("/metadata", "must be an object", "invalid_metadata_format")
        return
    for name, kind, says in (("event_type", str, "must be a string"), ("event_payload", dict, "must be an object")):
        if not isinstance(metadata.get(name), kind):
            yield Problem(f"/metadata/{name}", says, "invalid_metadata_schema")


_WORD = plain(limits.VIEW_WORD)
_COMMON: dict[str, Check] = {
    "blocks": items(anything, least=0),
    "private_metadata": string(limits.VIEW_METADATA, least=0),
    "callback_id": string(limits.ID, least=0),
    "external_id": string(limits.ID, least=0),
}
_VIEWS: dict[str, Check] = {
    "home": shape({"type": choice("home"), **_COMMON}, required=("type", "blocks")),
    "modal": shape(
        {
            "type": choice("modal"),
            "title": _WORD,
            "submit": _WORD,
            "close": _WORD,
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            **_COMMON,
        },
        required=("type", "title", "blocks"),
    ),
}
_VIEW = typed(_VIEWS, "view")


def check_view(view: Any) -> list[Problem]:
    """Return why Slack would refuse a modal or an App Home; views answer `invalid_arguments`."""
    return [one if one.code == "view_too_large" else replace(one, code="invalid_arguments") for one in _view(view)]


def _view(view: Any) -> Iterator[Problem]:
    yield from _VIEW(view, "/view")
    if not isinstance(view, dict) or view.get("type") not in tuple(_VIEWS):
        return
    if _size(view) > limits.VIEW_BYTES:
        yield Problem("/view", f"must be less than {limits.VIEW_BYTES + 1} bytes", "view_too_large")
    surface: Surface = view["type"]
    blocks = view.get("blocks")
    if isinstance(blocks, list):
        yield from (replace(one, pointer=f"/view{one.pointer}") for one in check_blocks(blocks, surface))
        inputs = [one for one in blocks if isinstance(one, dict) and one.get("type") == "input"]
        if surface == "modal" and inputs and not view.get("submit"):
            yield Problem("/view/submit", "is required when there is an input block")


_CHUNKS: dict[str, Check] = {
    "markdown_text": shape(
        {"type": choice("markdown_text"), "text": string(limits.MARKDOWN, least=0)}, required=("type", "text")
    ),
    "plan_update": shape(
        {"type": choice("plan_update"), "title": string(limits.TASK_TITLE)}, required=("type", "title")
    ),
    "task_update": shape(
        {
            "type": choice("task_update"),
            "id": ID,
            "title": string(limits.TASK_TITLE),
            "status": choice("pending", "in_progress", "complete", "error"),
            "details": string(limits.TASK_TEXT, least=0),
            "output": string(limits.TASK_TEXT, least=0),
            "sources": items(SOURCE, least=0),
        },
        required=("type", "id", "title", "status"),
    ),
    "blocks": shape({"type": choice("blocks"), "blocks": items(anything)}, required=("type", "blocks")),
}
_CHUNK = items(typed(_CHUNKS, "chunk"))


def check_chunks(chunks: Any) -> list[Problem]:
    """Return why Slack would refuse the chunks of one streaming call; blocks among them keep their own errors."""
    found = [replace(one, code="invalid_chunks") for one in _CHUNK(chunks, "/chunks")]
    good = [one for one in chunks if isinstance(one, dict)] if isinstance(chunks, list) else []
    words = [one["text"] for one in good if one.get("type") == "markdown_text" and isinstance(one.get("text"), str)]
    if sum(map(len, words)) > limits.MARKDOWN:
        found.append(Problem("/chunks", f"no more than {limits.MARKDOWN} characters allowed", "msg_too_long"))
    blocks = [one["blocks"] for one in good if one.get("type") == "blocks" and isinstance(one.get("blocks"), list)]
    together = [block for some in blocks for block in some]
    found += [replace(one, pointer=f"/chunks{one.pointer}") for one in check_blocks(together, "message")]
    return found


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
