"""Cursors: where a list went on."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

from sysop.workspace.errors import SlackError
from sysop.workspace.methods.method import Call
from sysop.workspace.wire import Json

Item = TypeVar("Item")


def page(call: Call, items: Sequence[Item], default: int, most: int) -> tuple[list[Item], Json]:
    """Return one page of a list, and the `response_metadata` that leads to the next."""
    limit, start = call.number("limit", default, most), _start(call.text("cursor"))
    more = start + limit < len(items)
    cursor = base64.urlsafe_b64encode(f"next:{start + limit}".encode()).decode() if more else ""
    return list(items[start : start + limit]), {"response_metadata": {"next_cursor": cursor}}


def _start(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
        if word != "next":
            raise ValueError(cursor)
        return int(number)
    except ValueError:
        raise SlackError("invalid_cursor") from None
