"""Makes a document of a page's bytes, whatever its format, and says what is wrong with it."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sysop.errors import RunbookError
from sysop.knowledge import runbook
from sysop.knowledge.document import Document
from sysop.knowledge.library.front import STRICT, Front
from sysop.knowledge.library.html import exported
from sysop.knowledge.library.outline import Heading, sections
from sysop.knowledge.library.plain import Prose, hidden_note, named, prose
from sysop.knowledge.library.source import HTML, too_large
from sysop.knowledge.library.unseen import TOLD_OF_ELEMENTS, scrub, written_unseen
from sysop.knowledge.runbook import Runbook

_MACHINE: Final = re.compile(r"^[ \t>*+-]*(?:`{3,}+|~{3,}+)[ \t]*(?:step|conclu(?:de|sion))\b", re.I | re.M)
_CLAIMS: Final = frozenset({"alerts", "services", "autonomy"})
_CHARSET: Final = re.compile(rb"""charset\s{0,9}=\s{0,9}["']?([A-Za-z0-9_.:-]{1,40})""", re.I)
_OLD: Final = frozenset({"iso8859-1", "iso8859-15", "cp1252"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a page. `raw` are the bytes of a runbook, `reason` why it is not used or not wholly.

    `strict` says that it would be one in the format of runbooks, and has a mistake.
    """

    digest: str
    document: Document | None
    raw: bytes | None = None
    reason: str = ""
    strict: bool = False


def read(data: bytes, *, id: str, path: str, url: str = "") -> Reading:
    """Return the document of a page. Nothing is raised for what a page holds."""
    digest = hashlib.sha256(data).hexdigest()
    html = path.lower().endswith(HTML)
    try:
        if reason := too_large(len(data)):
            raise RunbookError(f"{path}: {reason}")
        text = _decoded(data, path, html)
    except RunbookError as bad:
        return Reading(digest, None, reason=str(bad))
    empty = Document(id=id, path=path, digest=digest, title="", sections=(), url=url)
    found = _from_html(text, empty) if html else _from_markdown(text, data, empty)
    count = written_unseen(text)
    told = hidden_note(path, count if count >= TOLD_OF_ELEMENTS else 0)
    return replace(found, reason="\n".join(filter(None, (found.reason, told))))


def _decoded(data: bytes, path: str, html: bool) -> str:
    """Return text with `\\n` between lines. Old exports may say that they are Latin-1."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        named = _CHARSET.search(data, 0, 2048) if html else None
        name = named[1].decode("ascii") if named else ""
        if not _is_old(name):
            raise RunbookError(f"{path}: not valid UTF-8 ({bad}); save the file as UTF-8") from None
        text = data.decode(name, "replace")
    text = text.replace("\r\n", "\n")
    return text.replace("\r", " " if "\n" in text else "\n")


def _is_old(name: str) -> bool:
    try:
        return codecs.lookup(name).name in _OLD
    except LookupError:
        return False


def _from_html(text: str, empty: Document) -> Reading:
    page = exported(text, empty.path)
    title = page.title or named(empty.path)
    return Reading(
        empty.digest,
        replace(empty, title=title, sections=sections(page.headings, title)),
        reason="\n".join(page.wrong),
    )


def _from_markdown(text: str, data: bytes, empty: Document) -> Reading:
    page = prose(scrub(text), empty.path)
    document = replace(
        empty,
        title=page.title,
        sections=sections(page.headings, page.title),
        alerts=page.front.alerts,
        services=page.front.services,
        environments=page.front.environments,
        owner=page.front.owner,
        reviewed=page.front.reviewed,
        url=page.front.url or empty.url,
    )
    if not (_MACHINE.search(text) or _claims(page.front)):
        return Reading(empty.digest, document, reason="\n".join(page.wrong))
    try:
        book = runbook.parse(data, empty.path)
    except RunbookError as bad:
        told = dict.fromkeys((str(bad), *page.wrong))
        return Reading(empty.digest, document, reason="\n".join(told), strict=True)
    return _from_runbook(book, page, document, data)


def _claims(front: Front) -> bool:
    """Tell whether front matter is that of a runbook: then the page is held to the format, steps or not."""
    return bool(front.keys & _CLAIMS) and front.keys <= STRICT


def _from_runbook(book: Runbook, page: Prose, prose: Document, data: bytes) -> Reading:
    """Return what the format says of a page, with the text as a reader sees it."""
    title = scrub(book.title)
    document = replace(
        prose,
        title=title,
        sections=sections(_headings(book, page.seen), title),
        alerts=book.alerts,
        services=book.services,
        environments=book.environments,
        owner=scrub(book.owner),
        reviewed=book.reviewed,
        kind="runbook" if book.steps else "page",
    )
    return Reading(book.digest, document, data if book.steps else None, "\n".join(page.wrong))


def _headings(book: Runbook, seen: Sequence[str]) -> Iterator[Heading]:
    """Yield the sections as the format cuts them, so that a citation means the same to people and steps."""
    ends = [section.line - 1 for section in book.sections[1:]] + [len(seen)]
    for section, end in zip(book.sections, ends, strict=True):
        begin = section.line if section.title else section.line - 1
        line = seen[section.line - 1].lstrip(" ") if section.title else ""
        level = len(line) - len(line.lstrip("#"))
        yield Heading(level, scrub(section.title), section.slug, section.line, "\n".join(seen[begin:end]).strip())
