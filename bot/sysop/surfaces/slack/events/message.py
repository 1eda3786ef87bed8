"""Messages: to us alone, and in threads that are conversations of ours. Everything else was dropped unread."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import SysopError
from sysop.store import conversations
from sysop.surfaces.slack import talk
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener
from sysop.surfaces.slack.words import without_mention

EVENT = "message"
SUBTYPES = (None, "file_share")
PATIENCE = 3
"""So often, over some seconds, a thread is looked for whose root we posted and may not have stored yet."""
NO_WORDS = "I can only read text; write what to look into."


class NotYet(SysopError):
    """A thread whose root was posted a moment ago and is not stored yet; it is looked for again."""


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to messages that people write, with and without files."""
    for subtype in SUBTYPES:
        app.event({"type": EVENT, "subtype": subtype})(listener(desk, said, Need.ACCOUNT))


async def said(desk: Desk, asking: Asking) -> Shown | None:
    """Take up what was said."""
    it = asking.it
    direct = it.event.get("channel_type") == "im"
    if not direct and not await _ours(desk, asking):
        return None
    ours = await desk.clients.at(it.team)
    text = without_mention(it.text, ours.identity.user)
    if text:
        return await talk.hear(desk, asking, text)
    return notice(NO_WORDS) if direct else None


async def _ours(desk: Desk, asking: Asking) -> bool:
    """Tell whether a thread is a conversation of ours. Raises NotYet while that may become known any moment."""
    it = asking.it
    if await desk.store.read(lambda conn: conversations.at(conn, it.team, it.channel, it.thread)) is not None:
        return True
    if asking.attempt <= PATIENCE:
        raise NotYet("this thread is not known yet")
    return False
