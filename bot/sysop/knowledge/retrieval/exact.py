"""Pages that a question names: by the name of an alert, or by the address of its runbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from sysop.knowledge.document import Document
from sysop.knowledge.retrieval.words import MAX_WORD

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]")
_URL = re.compile(r"https?://[^\s\"'<>)\]}]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def called(document: Document) -> list[str]:
    """Return by what a page is named before any other: its file, its alerts, its address."""
    names = (document.id.rpartition("/")[2], *document.alerts)
    found = [key for name in names for key in _keys(name)]
    if document.url:
        found.append(_address(document.url))
    return list(dict.fromkeys(found))


def titled(document: Document) -> list[str]:
    """Return by what else a page is named: its title. One of one word does not count: `Summary` begins many texts."""
    return [key for key in _keys(document.title) if not key[0].isupper()]


def named(text: str) -> list[str]:
    """Return what a question may name exactly, in its order: identifiers and addresses."""
    found = [key for url in _URL.findall(text) for key in _of_url(url)]
    found += [key for word in _IDENTIFIER.findall(_URL.sub(" ", text)) for key in _keys(word)]
    return list(dict.fromkeys(found))


def _keys(name: str) -> Iterator[str]:
    """Yield an identifier as it is compared: of several parts in any spelling, of one part only with its capital."""
    if not _IDENTIFIER.fullmatch(name) or len(name) > MAX_WORD:
        return
    parts = _PART.findall(name)
    if len(parts) > 1:
        yield "".join(parts).lower()
    elif name[0].isupper() and len(name) > 6:
        yield name


def _of_url(url: str) -> Iterator[str]:
    """Yield an address, the page it ends in, and the place in the page."""
    yield _address(url)
    parts = urlsplit(url)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    for name in (re.sub(r"\.(?:md|markdown|html?)$", "", last), unquote(parts.fragment)):
        yield from _keys(name)


def _address(url: str) -> str:
    return "url:" + url.partition("#")[0].rstrip("/").lower()
