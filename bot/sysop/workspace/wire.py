"""Reading what arrives: arguments in the query, a form or JSON, in whatever mix the SDK sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sysop.workspace.errors import SlackError

Json = dict[str, Any]


async def arguments(request: web.Request) -> Json:
    """Return a call's arguments: query, then form, then JSON, the later one wins."""
    found: Json = dict(request.query)
    if request.content_type == "application/json":
        found.update(_object(await request.read()))
    elif request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        try:
            found.update(await request.post())
        except (ValueError, LookupError):
            raise SlackError("invalid_form_data") from None
    return found


def _object(raw: bytes) -> Mapping[str, Any]:
    if not raw.strip():
        return {}
    body = parsed(raw, "invalid_json")
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body


def decoded(value: Any, error: str) -> Any:
    """Return a structured argument, which forms and queries carry as JSON text."""
    return parsed(value, error) if isinstance(value, str) else value


def parsed(text: str | bytes, error: str) -> Any:
    """Return JSON as what it means; too deep is as bad as broken."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SlackError(error) from None
