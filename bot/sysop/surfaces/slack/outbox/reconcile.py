"""Finds out what became of a row whose answer was lost, by looking into its thread."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from sysop.store.outbox import Message
from sysop.surfaces.slack.outbox import chunks, payload
from sysop.surfaces.slack.outbox.posting import file_name, first_message
from sysop.surfaces.slack.outbox.sending import Sending

SKEW_S: Final = 300
"""So far may Slack's clock be behind the database's."""
MOST_PAGES: Final = 20

log = logging.getLogger(__name__)
Json = Mapping[str, Any]


async def look(s: Sending) -> Mapping[int, str]:
    """Return the parts of a row that are in the thread, by number, with their ts; what was lost is sent again."""
    if s.item.kind == "home":
        return {}
    if s.item.kind == "message" and (s.item.key or "").startswith("plan:"):
        await _stream(s)
    wanted = _file(s)
    found: dict[int, str] = {}
    async for message in _ours(s):
        part = _part(message, s.item.id)
        if part is not None:
            found[part] = str(message["ts"])
        elif wanted in [file.get("name") for file in message.get("files") or ()]:
            found[0] = str(message["ts"])
    if (first := found.pop(payload.FIRST, None)) is not None:
        await s.begun(first_message(s, first))
    if found and s.item.kind == "message":
        await _posted(s, found)
        return {}
    return found


async def _posted(s: Sending, found: Mapping[int, str]) -> None:
    """Note that a message was posted. What it shows is not known, so that it is brought up to date."""
    assert s.item.key is not None
    ts = found[min(found)]
    known = s.message
    if known is None or known.ts != ts:
        await s.save(Message(s.item.key, s.talk.id, s.talk.channel, ts, "post", False, None, {"at": 0}, ""))


async def _stream(s: Sending) -> None:
    """Read back what an open stream shows, or take up one whose beginning was answered by nothing."""
    stands = s.message
    async for message in _ours(s):
        ts = str(message["ts"])
        if stands is not None and stands.open:
            if ts == stands.ts:
                s.written = chunks.written(message)
                return
        elif message.get("streaming_state") == "in_progress" and not await s.stands(ts):
            await _adopt(s, ts)
            return


async def _adopt(s: Sending, ts: str) -> None:
    """Go on with a stream that shows its title only: that is all a beginning holds."""
    assert s.item.key is not None
    stands = s.message
    note = chunks.begin("")[1] if stands is None else chunks.go_on("", stands.shown)[1]
    log.info("a stream of %s was begun after all; it goes on", s.what)
    await s.save(Message(s.item.key, s.talk.id, s.talk.channel, ts, "stream", True, s.now, {**note, "at": 0}, ""))


async def _ours(s: Sending) -> AsyncIterator[Json]:
    """Yield the messages of ours since the row was written, page by page."""
    oldest = f"{max(0, s.item.created_at // 1000 - SKEW_S)}.000000"
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await s.line.replies(s.talk.channel, s.talk.root, oldest, cursor)
        for message in page.get("messages") or ():
            if isinstance(message, dict) and message.get("bot_id") == s.line.identity.bot:
                yield message
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
        if cursor is None:
            return
    log.warning("the thread of %s is too long to look through; what is not in it so far counts as lost", s.what)


def _part(message: Json, item: int) -> int | None:
    """Return which part of a row a message is, None for another row's."""
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != payload.EVENT:
        return None
    told = metadata.get("event_payload")
    if not isinstance(told, dict) or told.get("outbox") != str(item):
        return None
    part = told.get("part", 0)
    return part if isinstance(part, int) else 0


def _file(s: Sending) -> str:
    given = s.item.payload or {}
    name = str(given.get("filename") or "file.txt") if s.item.kind == "file" else "message.txt"
    return file_name(name, s.item.id)
