"""Messages: to us alone, and what is said to us in threads. Everything else was dropped unread."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import SysopError
from sysop.surfaces.slack import hearing, talk
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener
from sysop.surfaces.slack.words import without_mention

EVENT = "message"
PATIENCE = 3
"""So often, over some seconds, a thread is looked for whose root we posted and may not have stored yet."""
NO_WORDS = "I can only read text; write what to look into."


CHANGED = (
    "I do not read what messages are changed to: I go by what this one said at first. Write a new one; just “stop” ends"
    " what is under way."
)


class NotYet(SysopError):
    """A thread whose root was posted a moment ago and is not stored yet; it is looked for again."""


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to messages that people write: with files, about themselves, or shown in the channel as well."""
    for subtype in hearing.SUBTYPES:
        app.event({"type": EVENT, "subtype": subtype})(listener(desk, said, Need.ACCOUNT))

    app.event({"type": EVENT, "subtype": hearing.CHANGED})(listener(desk, changed, Need.ACCOUNT))


async def changed(desk: Desk, asking: Asking) -> Shown | None:
    """Tell whoever changed a message while something was under way that goes by it."""
    return notice(CHANGED) if await desk.store.read(lambda conn: hearing.taken_up(conn, asking.it)) else None


async def said(desk: Desk, asking: Asking) -> Shown | None:
    """Take up what was said."""
    it, direct = asking.it, hearing.direct(asking.it)
    ours = await desk.clients.at(it.team)
    if not direct and (hearing.to_others(it, ours.identity.user) or not await _ours(desk, asking)):
        return None
    text = without_mention(it.text, ours.identity.user)
    if text:
        return await talk.hear(desk, asking, text)
    return notice(NO_WORDS) if direct else None


async def _ours(desk: Desk, asking: Asking) -> bool:
    """Tell whether what is said in a thread is said to us. Raises NotYet while that may become known any moment."""
    heard = await desk.store.read(lambda conn: hearing.heard(conn, asking.it))
    if heard is not None:
        return heard
    if asking.attempt <= PATIENCE:
        raise NotYet("this thread is not known yet")
    return False
