"""What is wrong between pages, which no page shows by itself."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Final
from urllib.parse import unquote, urlsplit

from sysop.errors import RunbookError
from sysop.inventory import nearest
from sysop.knowledge.index import Index
from sysop.knowledge.lint.finding import Finding
from sysop.knowledge.lint.prose import line_of, prose
from sysop.knowledge.runbook import Runbook

# `[text](target)`, `![text](target)` and `[name]: target`; the target in angle brackets or up to a space.
_LINK: Final = re.compile(r"\]\(\s*(<[^<>\n]*>|[^\s()<>]+)|^ {0,3}\[[^\]\n]+\]:[ \t]+(\S+)", re.MULTILINE)
_ANCHOR: Final = re.compile(r"""(?i)<a\s[^<>]*?\b(?:id|name)\s*=\s*["']?([^\s"'<>]+)""")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_READ_BY_PEOPLE: Final = frozenset({"http", "https", "mailto", "tel", "ftp", "sftp", "ssh", "slack"})


def together(index: Index) -> list[Finding]:
    """Return what is wrong between the pages of an index, in the order of their paths and lines."""
    found = [*leads(index), *links(index), *rivals(index)]
    return sorted(found, key=lambda finding: (finding.file, finding.line, finding.message))


def leads(index: Index) -> list[Finding]:
    """Return where endings lead to a page that is not there or has no steps, over all pages at once."""
    return [
        Finding(page.path, ending.line, "", "error", f"follow: {problem}", "name another page without .md")
        for page in index.runbooks.values()
        for ending in page.endings
        if ending.follow and (problem := _no_lead(index, ending.follow))
    ]


def _no_lead(index: Index, name: str) -> str:
    try:
        target = index.get(name)
    except RunbookError as unknown:
        return str(unknown)
    return "" if target.steps else f"{target.path} has no steps"


def links(index: Index) -> list[Finding]:
    """Return the links of pages to other pages and sections that are not there. Nothing is fetched."""
    places = {page.path: _anchors(page) for page in index.runbooks.values()}
    broken = {one.path for one in index.broken}
    return [
        Finding(page.path, line, "", "error", message, fix)
        for page in index.runbooks.values()
        for line, target in _targets(page)
        for message, fix in _wrong(page.path, target, places, broken)
    ]


def rivals(index: Index) -> list[Finding]:
    """Return a warning on both of two pages that name the same alert for services and environments they share.

    A page that names a service is preferred to one for any service, so those two are no rivals.
    """
    return [
        Finding(one.path, one.lines.get("alerts", 1), "", "warning", f"{other.path} names {_several(shared)} too", _FIX)
        for pair in combinations(index.runbooks.values(), 2)
        for one, other in (pair, pair[::-1])
        if (shared := [a for a in dict.fromkeys(one.alerts) if a in other.alerts]) and _meet(one, other)
    ]


_FIX: Final = "leave each alert to one page, or give them different services or environments"


def _several(names: list[str]) -> str:
    return f"the alert{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _meet(one: Runbook, other: Runbook) -> bool:
    environments = not one.environments or not other.environments or set(one.environments) & set(other.environments)
    named = (set(one.services) - {"*"}) & (set(other.services) - {"*"})
    return bool(environments) and bool(named or (_general(one) and _general(other)))


def _general(page: Runbook) -> bool:
    return not page.services or "*" in page.services


def _anchors(page: Runbook) -> frozenset[str]:
    named = (name for section in page.sections for name in _ANCHOR.findall(prose(section.text)))
    return frozenset(name.lower() for name in (*(section.slug for section in page.sections), *named))


def _targets(page: Runbook) -> Iterator[tuple[int, str]]:
    for section in page.sections:
        text = prose(section.text)
        for link in _LINK.finditer(text):
            yield line_of(section, text.count("\n", 0, link.start())), (link[1] or link[2]).strip("<> ")


def _wrong(path: str, target: str, places: Mapping[str, frozenset[str]], broken: set[str]) -> Iterator[tuple[str, str]]:
    if scheme := _SCHEME.match(target):
        yield from _absolute(target, scheme[1].lower())
        return
    name, _, anchor = target.partition("#")
    page = (
        posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(name.partition("?")[0]))) if name else path
    )
    if page not in places:
        if page not in broken and _is_ours(page, name, places):
            known = nearest(page, places)
            yield f"the link {target!r} leads to a page that is not there", f"correct it or remove it{known}"
    elif anchor and unquote(anchor).lower() not in places[page]:
        fix = f"name a section of {page}{nearest(unquote(anchor).lower(), places[page])}"
        yield f"the link {target!r} leads to a section that is not there", fix


def _is_ours(page: str, name: str, places: Mapping[str, frozenset[str]]) -> bool:
    """Tell whether a path would be a page of these folders: what lies outside of them is not known here."""
    if name.startswith("/") or not page.lower().endswith(".md") or posixpath.basename(page).upper() == "README.MD":
        return False
    return page.partition("/")[0] in {known.partition("/")[0] for known in places}


def _absolute(target: str, scheme: str) -> Iterator[tuple[str, str]]:
    if scheme not in _READ_BY_PEOPLE:
        yield f"the link {target!r} is none that people can follow", "write an address that begins with https://"
    elif scheme in ("http", "https") and not _host(target):
        yield f"the link {target!r} names no host", "write it as https://host/path"


def _host(target: str) -> str:
    try:
        return urlsplit(target).hostname or ""
    except ValueError:  # a bracket or a port that cannot be
        return ""
