"""What a person types, as Slack stores it: escaped, with mentions, channels and links in angle brackets."""

from __future__ import annotations

import re

from sysop.workspace.state.world import World
from sysop.workspace.wire import Json

_TOKEN = re.compile(
    r"<(?P<ref>[@#!][\w^]+)(?:\|[^<>]*)?>"
    r"|(?P<url>https?://[^\s<>|]+[^\s<>|.,:;!?)\]}'\"])"
    r"|(?<![\w@#])@(?P<name>[\w.-]*\w)"
    r"|(?<![\w@#])\#(?P<channel>[\w-]+)"
)
_WIRE = re.compile(r"<(?P<kind>@|#|!subteam\^|!|)(?P<rest>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")
_BROADCAST = ("here", "channel", "everyone")


def escape(text: str) -> str:
    """Return text with the three characters escaped that mean something."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """Return escaped text as it reads."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def stored(world: World, text: str, *, labels: bool = False, references: bool = True) -> str:
    """Return typed text as it is stored; `labels` adds names, as commands have them."""
    parts, at = [], 0
    for match in _TOKEN.finditer(text):
        parts.append(escape(text[at : match.start()]))
        known = _reference(world, match, labels) if references else None
        parts.append(known or escape(match.group()))
        at = match.end()
    return "".join([*parts, escape(text[at:])])


def _reference(world: World, match: re.Match[str], labels: bool) -> str | None:
    if url := match["url"]:
        return f"<{escape(url)}>"
    if ref := match["ref"]:
        return _by_id(world, ref, labels)
    if name := match["channel"]:
        return _channel(world, name, labels)
    return _person(world, match["name"], labels)


def _by_id(world: World, ref: str, labels: bool) -> str | None:
    if ref[0] == "@":
        return _person(world, ref[1:], labels) if world.people.get(ref[1:]) else None
    if ref[0] == "#":
        return _channel(world, ref[1:], labels)
    word = ref[1:]
    group = world.people.groups.get(word.removeprefix("subteam^"))
    if group is not None:
        return f"<!subteam^{group.id}|@{group.handle}>" if labels else f"<!subteam^{group.id}>"
    return f"<!{word}>" if word in _BROADCAST else None


def _channel(world: World, name: str, labels: bool) -> str | None:
    channel = world.channels.named(name)
    if channel is None or channel.kind == "dm":
        return None
    return f"<#{channel.id}|{channel.name}>" if labels else f"<#{channel.id}>"


def _person(world: World, name: str, labels: bool) -> str | None:
    user = world.people.named(name)
    if user is not None:
        return f"<@{user.id}|{user.name}>" if labels else f"<@{user.id}>"
    group = world.people.group(name)
    if group is not None:
        return _by_id(world, f"!subteam^{group.id}", labels)
    return f"<!{name}>" if name in _BROADCAST else None


def rich_text(world: World, text: str) -> Json:
    """Return stored text as the `rich_text` block a client would have sent."""
    elements: list[Json] = []
    at = 0
    for match in _WIRE.finditer(text):
        _add_text(elements, text[at : match.start()])
        elements.append(_element(match))
        at = match.end()
    _add_text(elements, text[at:])
    section = {"type": "rich_text_section", "elements": elements}
    return {"type": "rich_text", "block_id": world.ids.hex()[:5], "elements": [section]}


def _add_text(elements: list[Json], text: str) -> None:
    if text:
        elements.append({"type": "text", "text": unescape(text)})


def _element(match: re.Match[str]) -> Json:
    kind, rest = match["kind"], match["rest"]
    if kind == "@":
        return {"type": "user", "user_id": rest}
    if kind == "#":
        return {"type": "channel", "channel_id": rest}
    if kind == "!subteam^":
        return {"type": "usergroup", "usergroup_id": rest}
    if kind == "!":
        return {"type": "broadcast", "range": rest}
    return {"type": "link", "url": unescape(rest)}
