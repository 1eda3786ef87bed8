"""conversations.history and conversations.replies: reading back what was said."""

from __future__ import annotations

import re

from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.method import Call, Method
from sysop.workspace.methods.paging import page
from sysop.workspace.state import shapes
from sysop.workspace.state.messages import Message
from sysop.workspace.wire import Json

SCOPES = ("channels:history", "groups:history", "im:history", "mpim:history")
_TS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,20})?")


def history(call: Call) -> Json:
    """Return a channel's messages, newest first."""
    channel = call.channel(family="history")
    found = _between(call, list(call.world.messages.top_level(channel.id)))
    messages, more = page(call, found[::-1], 100, 999)
    shown = _shown(call, messages)
    pins = sum(message.pinned for message in call.world.messages.everything(channel.id))
    more_there = bool(more["response_metadata"]["next_cursor"])
    return {"messages": shown, "has_more": more_there, "pin_count": pins} | (more if more_there else {})


def replies(call: Call) -> Json:
    """Return a thread: its root first, then its replies, oldest first."""
    channel = call.channel(family="history")
    named = call.world.messages.get(channel.id, call.need("ts"))
    root = call.world.messages.get(channel.id, named.root) if named is not None else None
    if root is None:
        raise SlackError("thread_not_found")
    found = _between(call, call.world.messages.replies(channel.id, root.ts))
    messages, more = page(call, [root, *found], 1000, 1000)
    more_there = bool(more["response_metadata"]["next_cursor"])
    return {"messages": _shown(call, messages), "has_more": more_there} | (more if more_there else {})


def _between(call: Call, messages: list[Message]) -> list[Message]:
    """Keep what is after `oldest` and before `latest`; the ends themselves with `inclusive`."""
    oldest, latest = _bound(call, "oldest"), _bound(call, "latest")
    if call.flag("inclusive"):
        return [m for m in messages if (oldest is None or m.ts >= oldest) and (latest is None or m.ts <= latest)]
    return [m for m in messages if (oldest is None or m.ts > oldest) and (latest is None or m.ts < latest)]


def _bound(call: Call, name: str) -> str | None:
    """Return a bound in the shape of a ts, so that both compare as text."""
    value = call.text(name)
    if not value or value == "0":
        return None
    if not _TS.fullmatch(value):
        raise SlackError(f"invalid_ts_{name}")
    seconds, _, micros = value.partition(".")
    return f"{int(seconds):010d}.{micros[:6]:0<6}"


def _shown(call: Call, messages: list[Message]) -> list[Json]:
    metadata = call.flag("include_all_metadata")
    return [shapes.message(call.world, message, metadata=metadata) for message in messages]


METHODS = (
    Method("conversations.history", history, Tier.THREE, SCOPES),
    Method("conversations.replies", replies, Tier.THREE, SCOPES),
)
