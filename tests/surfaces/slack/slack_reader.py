"""Reads what we post as Slack would, and names what in it pings or leads somewhere, without our code."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

HOSTS = ("example.com", "docs.corp.example")
USERS = ("U0LEAD", "U0ONCALL", "U0ASKER")

_TOKEN = re.compile(r"<([^<>\n]*)>")
_MENTION = re.compile(r"[@#!]")
_OUR_DATE = re.compile(r"!date\^\d+\^\{date_short_pretty\} \{time\}\|\d{4}-\d\d-\d\d \d\d:\d\d UTC")
_CODE = re.compile(r"(?<![\w`])`[^`\n]+`(?![\w`])")
_GROUP = re.compile(r"@(here|channel|everyone)\b", re.I)
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.\-]*://|(?<![^\W\d_])www\.(?!\u200b))[^\s<]+|(?<![^\W\d_])(?:mailto|tel|javascript|data):[\w/+@(][^\s<]*|[^\W_][\w-]*[.。．｡][^\W\d_]{2,}[^\s<]*",
    re.I,
)
_BREAK = "\u200b"


def leads_off(url: str) -> bool:
    """Tell whether an address leads to a host that is not on the list, as a browser would read it."""
    url = url.rstrip(".,;:!?*_)]}'\"")
    try:
        parts = urlsplit(url.replace("\\", "/"))
        where = (parts.scheme, parts.hostname, parts.username, parts.port)
    except ValueError:
        return True
    return where not in {(scheme, host, None, None) for scheme in ("http", "https") for host in HOSTS}


def words(text: str) -> Iterator[str]:
    """Yield what bare text does in a client that looks for names and addresses."""
    yield from (f"pings {found[0]}" for found in _GROUP.finditer(text))
    yield from (f"leads to {found[0]}" for found in _ADDRESS.finditer(text) if leads_off(found[0]))


def mrkdwn(text: str, users: Collection[str] = ()) -> list[str]:
    """Return what a mrkdwn text does beside being read."""
    found: list[str] = []
    for token in _TOKEN.finditer(text):
        inner = token[1]
        if _MENTION.match(inner):
            ours = inner[:1] == "@" and inner[1:] in users
            found += [] if ours or _OUR_DATE.fullmatch(inner) else [f"pings <{inner}>"]
        elif leads_off(inner.partition("|")[0].replace("&amp;", "&")):
            found.append(f"leads to <{inner}>")
    rest = _CODE.sub(" ", _TOKEN.sub(" ", text))
    return [*found, *(["an open control sequence"] if "<" in rest or ">" in rest else []), *words(rest)]


_PARSERS = (MarkdownIt("commonmark"), MarkdownIt("commonmark").enable(["table", "strikethrough"]))
_CONTROL = re.compile(r"<[!@#]")


def markdown(text: str) -> list[str]:
    """Return what a Markdown text does beside being read, by plain CommonMark and with tables."""
    return [problem for parser in _PARSERS for token in parser.parse(text) for problem in _token(token)]


def _token(token: Token) -> Iterator[str]:
    if token.type == "html_block":
        yield f"is HTML: {token.content!r}"
    if token.type in ("fence", "code_block"):
        yield from (f"pings in code: {token.content!r}" for _ in _CONTROL.finditer(token.content))
    depth = 0
    for child in token.children or ():
        if child.type in ("image", "html_inline"):
            yield f"is {child.type}: {child.content!r}"
        if child.type == "link_open":
            depth += 1
            if leads_off(str(child.attrs["href"])):
                yield f"leads to {child.attrs['href']}"
        depth -= child.type == "link_close"
        if child.type in ("text", "code_inline") and (_CONTROL.search(child.content) or _GROUP.search(child.content)):
            yield f"pings: {child.content!r}"
        if child.type == "text" and not depth:
            yield from words(child.content)


def rich_text(element: Any, users: Collection[str] = ()) -> list[str]:
    """Return what rich text does beside being read."""
    if isinstance(element, list):
        return [problem for one in element for problem in rich_text(one, users)]
    if not isinstance(element, dict):
        return []
    kind = element.get("type")
    if kind == "link":
        return [f"leads to {element['url']}"] if leads_off(element["url"]) else []
    if kind == "user":
        return [] if element["user_id"] in users else [f"pings {element['user_id']}"]
    if kind in ("broadcast", "usergroup", "channel", "team"):
        return [f"pings a {kind}"]
    return rich_text(element.get("elements"), users)


def blocks(value: Any, users: Collection[str] = USERS) -> list[str]:
    """Return what blocks or a view do beside being read; buttons that open pages count as links."""
    if isinstance(value, list):
        return [problem for one in value for problem in blocks(one, users)]
    if not isinstance(value, dict):
        return []
    kind = value.get("type")
    if kind == "rich_text":
        return rich_text(value, users)
    if kind == "mrkdwn":
        said = mrkdwn(value["text"], users)
        return said if value.get("verbatim") is True else [*said, "mrkdwn that Slack may read more into"]
    if kind == "markdown":
        return markdown(value["text"])
    mine = [f"leads to {value['url']}"] if isinstance(value.get("url"), str) and leads_off(value["url"]) else []
    return [*mine, *[problem for inner in value.values() for problem in blocks(inner, users)]]
