"""Conversations as Slack begins them: in the thread of a message, or with a root message of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sysop.conversations import Begun
from sysop.errors import InvalidRequest
from sysop.store import conversations
from sysop.surfaces.slack import hearing
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import SURFACE, Asking, Desk
from sysop.surfaces.slack.incoming import words
from sysop.surfaces.slack.text import one_line

MAX_TITLE: Final = 150
REDACTED: Final = "[redacted"
IN_CHANNEL: Final = "On it. The answer comes in a thread here; run {run}."
IN_MESSAGES: Final = "On it. The answer comes in your messages with Sysop; run {run}."
AMONG_PEOPLE: Final = "Here I answer only what names me, and “stop”; the rest of this thread is left to people."
IN_THREAD: Final = "On it, in the thread of that message; run {run}."


async def begin(desk: Desk, asking: Asking, text: str, *, channel: str) -> Shown | None:
    """Begin a conversation with a root message of our own, and say where the answer comes.

    The text is what was typed, without Slack's escapes: forms deliver it so.
    """
    channel, where = await _place(desk, asking, channel)
    return told(await _begin(desk, asking, text, channel=channel, root=None), where)


async def call(desk: Desk, asking: Asking, action: str, args: Mapping[str, Any], *, channel: str) -> Shown | None:
    """Begin a conversation about one call, which runs through the gate, and say where the answer comes."""
    if REDACTED in json.dumps(args, default=str):  # the inbox keeps no secrets: what is left is not what was typed
        raise InvalidRequest("the arguments hold what looks like a credential; name a secret instead")
    channel, where = await _place(desk, asking, channel)
    title = title_of(f"{action} {' '.join(f'{key}={value}' for key, value in args.items())}")
    begun = await _begin(desk, asking, "", channel=channel, root=None, title=title, action=action, args=args)
    return told(begun, where)


async def in_thread(
    desk: Desk, asking: Asking, text: str, *, title: str, also: Sequence[str], reachable: bool
) -> Shown | None:
    """Take up what a message says, in its thread; where we cannot write, in the messages of whoever asks.

    `also` are the ids of those whose words the text quotes.
    """
    it = asking.it
    if reachable:
        begun = await _begin(desk, asking, text, channel=it.channel, root=it.thread, title=title, ts=it.key, also=also)
        return told(begun, IN_THREAD)
    channel = await desk.clients.direct(it.team, it.user)
    return told(await _begin(desk, asking, text, channel=channel, root=None, title=title, also=also), IN_MESSAGES)


async def hear(desk: Desk, asking: Asking, text: str) -> Shown | None:
    """Take up what somebody said to us: as the beginning of a conversation, or as a turn of one."""
    it, ts = asking.it, words(asking.it.event.get("ts"))
    found = await desk.store.read(lambda conn: conversations.at(conn, it.team, it.channel, it.thread))
    if found is not None:
        heard = await desk.conversations.hear(found.id, ts, asking.actor, text)
        return notice(heard.text, desk.links) if heard.text else None
    heard = (await _begin(desk, asking, text, channel=it.channel, root=it.thread, ts=ts)).heard
    how = AMONG_PEOPLE if heard.run and it.thread != ts and not hearing.direct(it) else ""
    said = f"{heard.text} {how}".strip()
    return notice(said, desk.links) if said else None


async def _begin(desk: Desk, asking: Asking, text: str, *, channel: str, title: str = "", **more: Any) -> Begun:
    return await desk.conversations.begin(
        surface=SURFACE,
        team=asking.it.team,
        channel=channel,
        actor=asking.actor,
        text=text,
        title=title or title_of(text),
        delivery=asking.key,
        **more,
    )


def told(begun: Begun, where: str) -> Shown | None:
    """Return what to tell about a conversation that was begun, or why it was not."""
    heard = begun.heard
    if begun.run is not None and (heard.kind in ("run", "looking") or not heard.text):
        return notice(f"{where.format(run=begun.run)} {heard.text}".strip())
    return notice(heard.text) if heard.text else None


async def _place(desk: Desk, asking: Asking, channel: str) -> tuple[str, str]:
    """Return the channel to answer in and how to say so.

    What was begun in the Home is answered in messages with us, and so is what was typed in messages between others,
    where we can neither read nor write.
    """
    if channel and not channel.startswith("D"):
        return channel, IN_CHANNEL
    own = await desk.clients.direct(asking.it.team, asking.it.user)
    return own, IN_CHANNEL if channel == own else IN_MESSAGES


def title_of(text: str) -> str:
    """Return the first words of a wish."""
    return one_line(text, MAX_TITLE) or "a request"
