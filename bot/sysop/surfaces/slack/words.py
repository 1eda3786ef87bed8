"""What is typed behind a command, parsed: an action and its arguments, an id and a reason."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sysop.errors import InvalidRequest
from sysop.gate.bind import bind
from sysop.host import Host
from sysop.inventory import Inventory, nearest
from sysop.model import Call

_MENTION = re.compile(r"<([@#!])([A-Za-z0-9^]+)(?:\|[@#]?([^<>]*))?>")
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})
"""What keyboards of phones make of quotes."""
_LINK = re.compile(r"<((?:https?://|mailto:)([^|>]+))(?:\|([^>]*))?>")
_QUOTED = re.compile(r"""\"(?:\\.|[^"\\])*\"|(?<!\w)'[^']*'|\\.|(?<=\w)'(?=\w)""", re.DOTALL)
"""A whole quotation, an escaped character, or an apostrophe inside a word."""
_RAW_QUOTED = re.compile(r"""\"[^"]*\"|(?<!\w)'[^']*'|(?<=\w)'(?=\w)""")
_HELD = "\ue000"
"""Stands for an apostrophe where no backslash can."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An action with what was typed of its arguments; `missing` are those it needs besides."""

    action: str
    args: Mapping[str, Any]
    missing: tuple[str, ...]


def wish(host: Host, inventory: Inventory, text: str) -> Wish | None:
    """Return which action is wanted, None for no words at all. Raises InvalidRequest or InvalidCall.

    Whatever is typed in full is checked here as the gate will: a misspelt call never becomes a run.
    """
    typed = split(text)
    if not typed:
        return None
    name, given = typed[0], _pairs(typed[1:])
    action = host.find(name)
    if action is None:
        raise InvalidRequest(f"there is no action {name!r}{nearest(name, host.actions)}")
    fields = action.parameters.model_fields
    for key in given:
        if key not in fields:
            raise InvalidRequest(f"{name}: there is no argument {key!r}{nearest(key, fields)}")
    missing = tuple(key for key, field in fields.items() if field.is_required() and key not in given)
    if not missing:
        bind(host, inventory, "check", Call("check", name, given))
    return Wish(name, given, missing)


def split(text: str) -> list[str]:
    """Return words, quoted ones together; an apostrophe inside a word is no quote. Raises InvalidRequest."""
    typed = plain(text).translate(_QUOTES)
    try:
        return shlex.split(_QUOTED.sub(lambda found: "\\'" if found[0] == "'" else found[0], typed))
    except ValueError:
        raise InvalidRequest(_open_quote(typed)) from None


def split_raw(text: str) -> list[str]:
    """Return words as `split` does, with every backslash as it was typed: patterns have a meaning for them."""
    typed = plain(text).translate(_QUOTES)
    found = shlex.shlex(_RAW_QUOTED.sub(lambda one: _HELD if one[0] == "'" else one[0], typed), posix=True)
    found.whitespace_split, found.commenters, found.escape = True, "", ""
    try:
        return [word.replace(_HELD, "'") for word in found]
    except ValueError:
        raise InvalidRequest(_open_quote(typed)) from None


def _open_quote(typed: str) -> str:
    """Return which word opens a quote that is never closed, and how it can be written."""
    left = _QUOTED.sub(lambda found: "_" * len(found[0]), typed)
    quote = re.search("[\"']", left)
    if quote is None:
        return "a backslash stands at the end, with nothing behind it"
    begin = max((found.end() for found in re.finditer(r"\s", left[: quote.start()])), default=0)
    word = typed[begin:].split(maxsplit=1)[0]
    key, equals, value = word.partition("=")
    fixed = f'{key}{equals}"{value}"' if equals else f'"{word}"'
    fix = f"write {fixed}" if quote[0] == "'" else "close it, or leave it out"
    return f"a quote is opened and never closed, in {word}; {fix}"


def _pairs(typed: list[str]) -> dict[str, Any]:
    """Return KEY=TEXT and KEY:=JSON as arguments."""
    given: dict[str, Any] = {}
    for word in typed:
        key, equals, value = word.partition("=")
        key, is_json = (key[:-1], True) if key.endswith(":") else (key, False)
        if not equals or not key:
            raise InvalidRequest(f"{word!r} is no argument; write KEY=VALUE")
        if key in given:
            raise InvalidRequest(f"{key!r} is given twice")
        given[key] = _json(key, value) if is_json else value
    return given


def _json(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest(f"{key}: what stands behind := must be JSON") from None


def plain(text: str) -> str:
    """Return what a person typed: Slack's escapes undone, links as their address, mentions as names where told.

    A name like `web-1.example.com` is no address to whoever typed it, though Slack makes a link of it.
    """
    shown = _LINK.sub(lambda found: found[2] if found[2] == found[3] else found[1], text)
    shown = _MENTION.sub(lambda found: f"{found[1]}{found[3] or found[2]}", shown)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def without_mention(text: str, user: str) -> str:
    """Return what was said to us, without our own name wherever it stands."""
    ours = rf"<@{re.escape(user)}(?:\|[^>]*)?>"
    return plain(re.sub(rf"^\s*{ours}[\s:,]*|[\s,]*{ours}(?=\s*[?!.])|\s*{ours}", "", text))


def id_and_reason(text: str) -> tuple[str, str]:
    """Return the first word and the rest."""
    id, _, reason = plain(text).partition(" ")
    return id, reason.strip()
