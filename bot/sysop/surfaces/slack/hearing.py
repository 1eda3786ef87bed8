"""What of all that people write is said to us: the rest is neither kept nor answered."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Connection

from sysop.conversations.fate import Words, words_of
from sysop.store import conversations, inbox, outbox
from sysop.store.conversations import Conversation
from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.words import plain

SUBTYPES: Final = (None, "file_share", "me_message", "thread_broadcast")
"""What Slack makes of messages that people write; every other one is about something that was written before."""
CHANGED: Final = "message_changed"
_ADDRESSED: Final = re.compile(r"\s*<(?:@|!subteam\^)([A-Za-z0-9]+)")


def direct(it: Incoming) -> bool:
    """Tell whether only its writer and we can read a message."""
    return it.event.get("channel_type") == "im"


def to_others(it: Incoming, us: str) -> bool:
    """Tell whether a message where others read, too, begins with the name of somebody else."""
    found = _ADDRESSED.match(it.text)
    return found is not None and found[1] != us and not direct(it)


def heard(conn: Connection, it: Incoming) -> bool | None:
    """Tell whether a message that does not name us is said to us; None where its thread is no conversation of ours.

    In a thread of people that we were called into it is not, but for words to stop what is under way there.
    """
    talk = conversations.at(conn, it.team, it.channel, it.thread)
    if talk is None:
        return None
    if _begun_with_us(conn, talk, it.thread):
        return True
    stops = words_of(plain(it.text)) in (Words.STOP, Words.STOP_WORK)
    return stops and bool(conversations.under_way(conn, talk.id))


def as_written(it: Incoming) -> Incoming:
    """Return a change of what a message says as if it were that message; anything else as it came.

    Slack wraps it up, so that who wrote it and in which thread stands one layer deeper.
    """
    now, before = edge.table(it.event.get("message")), edge.table(it.event.get("previous_message"))
    if it.event.get("subtype") != CHANGED or now.get("text") == before.get("text"):
        return it
    place = {name: it.event.get(name) for name in ("type", "subtype", "channel", "channel_type")}
    return edge.parse({**it.body, "event": {**now, **place}}) or it


def outdated(conn: Connection, it: Incoming) -> bool:
    """Tell whether something is under way that goes by what a changed message said before, or may be in a moment."""
    ts = edge.words(it.event.get("ts"))
    if ts and any(edge.table(body.get("event")).get("ts") == ts for body in inbox.open_in(conn, it.lane)):
        return True
    talk = conversations.at(conn, it.team, it.channel, it.thread)
    return talk is not None and taken_up(conn, it) and bool(conversations.under_way(conn, talk.id))


def taken_up(conn: Connection, it: Incoming) -> bool:
    """Tell whether a message that was changed was said to us."""
    talk = conversations.at(conn, it.team, it.channel, it.thread)
    return talk is not None and conversations.turn(conn, talk.id, edge.words(it.event.get("ts"))) is not None


def _begun_with_us(conn: Connection, talk: Conversation, root: str) -> bool:
    """Tell whether a thread is about an incident, or begins with a message of ours or to us."""
    if talk.incident is not None or conversations.turn(conn, talk.id, root) is not None:
        return True
    return outbox.find_message(conn, talk.channel, root) is not None
