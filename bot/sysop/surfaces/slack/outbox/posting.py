"""Sends what is not streamed: messages that are posted once and updated, one-off posts, ephemerals, files, Homes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from sysop import blockkit
from sysop.store.conversations import Conversation
from sysop.store.outbox import Item, Message
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.outbox import payload
from sysop.surfaces.slack.outbox.failures import CallFailed, Kind
from sysop.surfaces.slack.outbox.sending import Sending
from sysop.surfaces.slack.text import cut, split

_FOLLOWS = ("approval", "plan")

log = logging.getLogger(__name__)


async def message(s: Sending, shown: Shown, facts: Mapping[str, Any] | None = None) -> None:
    """Post a message, or change the one that stands; nothing is called where it shows this already."""
    digest = payload.digest(payload.content(shown))
    stands = s.message
    if stands is not None and stands.digest == digest and not stands.open:
        await s.sent(stands.ts)
        return
    ts = None if stands is None else await _changed(s, shown, stands)
    if ts is None:
        ts = await posted(s, shown)
    assert s.item.key is not None
    note = {**(facts or {}), "at": s.now}
    await s.sent(ts, Message(s.item.key, s.talk.id, s.talk.channel, ts, "post", False, None, note, digest))


async def first(s: Sending, key: str, shown: Shown) -> None:
    """Begin the thread of a row with the message that belongs there, whose own row came to nothing."""
    content = payload.content(shown)
    if not payload.fits(content, what=key):
        content = payload.plain_update(shown.text)
    try:
        ts = await _part(s, content, payload.FIRST)
    except CallFailed as failed:
        if failed.kind is not Kind.PAYLOAD or "blocks" not in content:
            raise
        log.error("Slack refused the blocks of %s (%s); it goes out as plain text", key, failed)
        ts = await _part(s, payload.plain_update(shown.text), payload.FIRST)
    await s.begun(first_message(s, ts))


def first_message(s: Sending, ts: str) -> Message:
    """Return the message a thread begins with. What it shows is not known, so that it is brought up to date."""
    return Message(first_key(s.talk), s.talk.id, s.talk.channel, ts, "post", False, None, {"at": 0}, "")


def begins(item: Item) -> bool:
    """Tell whether a row may begin a thread: an opening may, of any part; what follows one and mere words may not."""
    return item.kind == "message" and (item.key or "").partition(":")[0] not in _FOLLOWS


def first_key(talk: Conversation) -> str:
    """Return the key of the only message a thread may begin with."""
    return keys.incident(talk.incident) if talk.incident is not None else keys.root(talk.id)


async def _changed(s: Sending, shown: Shown, stands: Message) -> str | None:
    """Change a message; None if it cannot be changed any more and must be posted anew."""
    content = payload.content(shown)
    try:
        if payload.fits(content, update=True, what=s.what):
            try:
                await s.line.update(stands.channel, stands.ts, content)
                return stands.ts
            except CallFailed as failed:
                if failed.kind is not Kind.PAYLOAD:
                    raise
                log.error("Slack refused the blocks of %s (%s); it shows plain text", s.what, failed)
        await s.line.update(stands.channel, stands.ts, payload.plain_update(shown.text))
    except CallFailed as failed:
        if failed.kind not in (Kind.MESSAGE, Kind.STREAM):
            raise
        log.warning("%s cannot be changed any more (%s); it is posted anew", s.what, failed)
        return None
    return stands.ts


async def post(s: Sending) -> None:
    """Say something once; a very long text becomes a file."""
    shown = payload.of_payload(s.item.payload or {})
    parts = split(shown.text, payload.MAX_PLAIN)
    if not shown.blocks and len(parts) > payload.MOST_PARTS:
        comment = cut(shown.text, 1000, "… the rest is in the file")
        await _upload(s, "message.txt", "The whole message", shown.text, comment)
        return
    await s.sent(await posted(s, shown))


async def posted(s: Sending, shown: Shown) -> str:
    """Post a message into the thread and return its ts; as plain text where Slack does not take the blocks."""
    content = payload.content(shown)
    if shown.blocks and payload.fits(content, what=s.what):
        try:
            return await _part(s, content, 0)
        except CallFailed as failed:
            if failed.kind is not Kind.PAYLOAD:
                raise
            log.error("Slack refused the blocks of %s (%s); it goes out as plain text", s.what, failed)
    found = [await _part(s, part, number) for number, part in enumerate(payload.plain(shown.text), bool(shown.blocks))]
    return found[0]


async def _part(s: Sending, content: Mapping[str, Any], number: int) -> str:
    if number in s.have:
        return s.have[number]
    made = {key: value for key, value in content.items() if value}
    ts = await s.line.post(s.talk.channel, s.talk.root, {**made, "metadata": payload.metadata(s.item.id, number)})
    s.probe("posted")
    s.doubtful = True
    s.begins(ts)
    return ts


async def ephemeral(s: Sending) -> None:
    """Show something to one user. Nobody can find out later whether it was shown, so it is tried once."""
    given = s.item.payload or {}
    shown = payload.of_payload(given)
    user = str(given.get("user") or "")
    content = payload.content(shown)
    if not payload.fits(content, what=s.what):
        content = payload.plain_update(shown.text)
    try:
        await s.line.whisper(s.talk.channel, s.talk.root, user, content)
    except CallFailed as failed:
        if failed.kind is not Kind.PAYLOAD or "blocks" not in content:
            raise
        log.error("Slack refused the blocks of %s (%s); it goes out as plain text", s.what, failed)
        await s.line.whisper(s.talk.channel, s.talk.root, user, payload.plain_update(shown.text))
    await s.sent(None)


async def file(s: Sending) -> None:
    """Share a text as a file."""
    given = {name: str(value) for name, value in (s.item.payload or {}).items() if value is not None}
    name = given.get("filename", "file.txt")
    content = given.get("content") or "(empty)\n"
    await _upload(s, name, given.get("title", name), content, given.get("comment", ""))


async def _upload(s: Sending, name: str, title: str, content: str, comment: str) -> None:
    if not s.have:
        named = file_name(name, s.item.id)
        await s.line.upload(s.talk.channel, s.talk.root, named, title, content, cut(comment, payload.MAX_PLAIN))
    await s.sent(None)


def file_name(name: str, item: int) -> str:
    """Return a file's name with the row's id in it: a shared file carries nothing else by which we could find it."""
    path = PurePath(name)
    return f"{path.stem[:80] or 'file'}-{item}{path.suffix[:16] or '.txt'}"


async def home(s: Sending, view: Mapping[str, Any]) -> None:
    """Show somebody's Home, if it is not shown so already."""
    assert s.item.key is not None
    digest = payload.digest(view)
    stands = s.message
    if (stands is not None and stands.digest == digest) or payload.problems_logged(blockkit.check_view(view), s.what):
        await s.sent(None)
        return
    team, _, user = keys.parse(s.item.key).id.partition(".")
    hash = stands.shown.get("hash") if stands is not None else None
    try:
        shown = await s.line.publish(user, view, hash)
    except CallFailed as failed:
        if failed.code != "hash_conflict":
            raise
        shown = await s.line.publish(user, view, None)
    note = {"hash": shown.get("hash"), "team": team}
    await s.sent(None, Message(s.item.key, None, user, str(shown.get("id") or ""), "post", False, None, note, digest))
