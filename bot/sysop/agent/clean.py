"""A model's answer without secrets: before anything of it is numbered, stored, run, shown or sent back.

Cleaning only what is stored would not do: what ran and what the history says ran would differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse

from sysop.redact import redact_value

OURS: Final = "sysop"
"""The key of our own notes in an answer's metadata, which is never sent to a model."""
_NO_NAME: Final = "redacted"  # servers take letters, digits, `_` and `-` only


def clean(answer: ModelResponse) -> ModelResponse:
    """Redact every text of an answer, in parts of whatever kind, and note the calls whose arguments held a secret.

    Raises ValueError for an answer that has not the shape of one.
    """
    whole = ModelMessagesTypeAdapter.dump_python([answer], mode="json")[0]
    parts = [_part(part) for part in whole.pop("parts")]
    calls = [(part, altered) for part, altered in parts if part["part_kind"] == "tool-call"]
    withheld = [position for position, (_, altered) in enumerate(calls) if altered]
    cleaned = {**redact_value(whole), "parts": [part for part, _ in parts], "metadata": {OURS: {"withheld": withheld}}}
    (found,) = ModelMessagesTypeAdapter.validate_python([cleaned])
    if not isinstance(found, ModelResponse):
        raise ValueError("the answer is no answer of a model")
    return found


def _part(part: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a part without secrets, and whether its arguments held one."""
    rest = redact_value({name: value for name, value in part.items() if name != "args"})
    if "args" not in part:
        return rest, False
    args, altered = _arguments(part["args"])
    name = part["tool_name"] if rest["tool_name"] == part["tool_name"] else _NO_NAME
    return {**rest, "tool_name": name, "args": args}, altered


def _arguments(args: Any) -> tuple[Any, bool]:
    """Return arguments without secrets, and whether there were any.

    Text is parsed first: a pattern that ran over JSON could swallow a quote. What is no JSON never runs anyway.
    """
    try:
        given = json.loads(args) if isinstance(args, str) else args
        cleaned = redact_value(given)
    except (ValueError, RecursionError):
        return redact_value(str(args)), False
    altered = bool(cleaned != given)
    return json.dumps(cleaned, ensure_ascii=False) if isinstance(args, str) else cleaned, altered
