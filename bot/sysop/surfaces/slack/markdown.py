"""Standard Markdown that others wrote, made inert without taking its looks: for markdown blocks and streamed text.

Only three things keep a meaning: code, formatting, and links on the allow-list. Code is written anew, in one form
that every parser reads alike, and each sign that could open anything else is parted from what follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sysop.surfaces.slack.links import Links, pieces
from sysop.surfaces.slack.text import BREAK, TICK, cut, readable, spaced, ungroup, width

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([A-Za-z0-9_+-]*)[^`\n]*")
_CODE: Final = re.compile(r"(?<![`\\])(`{1,2})(?!`)([^`\n|]+)\1(?!`)")
_LINK: Final = re.compile(
    r"(!?)\[([^\[\]\n`]*)\]\([ \t]*<?([^\s<>()`]*)>?(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'))?[ \t]*\)"
)
_ESCAPED: Final = re.compile(r"\\([!#&()./:<>@\[\]`])")
_OPENS: Final = re.compile(r"<|&(?=[#A-Za-z])|\](?=[(\[:])|!(?=\[)|~(?=~~)")
_TOUCHES: Final = re.compile(r"[^\s(\[{\"'*_~>]$")
_SLACK: Final = 40  # so much more is cut away at each try


def markdown(text: str, links: Links, limit: int = 12_000) -> str:
    """Return inert Markdown of at most `limit`, cut before it is made inert, so that nothing is left half open."""
    room = limit
    while True:
        inert = "\n".join(_lines(cut(text, room), links))
        needs = width(inert)
        if needs <= limit or room == 0:
            return inert[:limit]
        room = max(0, min(room, width(text)) * limit // needs - _SLACK)


def _lines(text: str, links: Links) -> Iterator[str]:
    fence = ""
    for line in readable(text).split("\n"):
        found = _FENCE.fullmatch(line)
        if fence:
            closes = found is not None and found[1].startswith(fence) and not line.strip(" \t`~")
            fence = "" if closes else fence
            yield "```" if closes else _code(line)
        elif found:
            fence = found[1]
            yield f"```{found[2]}"
        else:
            yield _prose(line, links)
    if fence:
        yield "```"


def _code(text: str) -> str:
    """Return what is inside code: it links nowhere, and pings nobody even where it is not read as code."""
    return ungroup(text.replace("`", TICK).replace("<", f"<{BREAK}"))


def _prose(line: str, links: Links) -> str:
    return spaced(_parts(_ESCAPED.sub(r"\1", line), links))


def _parts(line: str, links: Links) -> Iterator[tuple[str, bool]]:
    done = 0
    for code in _CODE.finditer(line):
        yield from _linked(line[done : code.start()], links)
        yield _span(code[2])
        done = code.end()
    yield from _linked(line[done:], links)


def _span(text: str) -> tuple[str, bool]:
    return (f"`{_code(text.strip())}`", True) if text.strip() else ("", False)


def _linked(text: str, links: Links) -> Iterator[tuple[str, bool]]:
    done = 0
    for link in _LINK.finditer(text):
        before = text[done : link.start()]
        yield from _words(before, links)
        if _TOUCHES.search(before):
            yield " ", False
        yield from _link(link, links)
        done = link.end()
    yield from _words(text[done:], links)


def _link(link: re.Match[str], links: Links) -> Iterator[tuple[str, bool]]:
    image, label, url = link.groups()
    shown = spaced(_words(label, links))
    if not image and shown.strip() and "`" not in shown and "://" not in shown and links.allows(url):
        yield f"[{shown}]({url})", False
    elif url.strip():
        yield from ((f"{shown} (", False), _span(url), (")", False))
    else:
        yield f"{shown} ", False


def _words(text: str, links: Links) -> Iterator[tuple[str, bool]]:
    for piece in pieces(text.replace("`", TICK), links):
        if piece.kind == "code":
            yield _span(piece.text)
        else:
            yield (piece.text if piece.kind == "link" else _inert(piece.text)), False


def _inert(text: str) -> str:
    return ungroup(_OPENS.sub(rf"\g<0>{BREAK}", text))
