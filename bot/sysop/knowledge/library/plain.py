"""Markdown that people write for people: title, sections and whatever its front matter says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.library.front import Front, front
from sysop.knowledge.library.outline import Heading, Outline
from sysop.knowledge.library.unseen import Visible, visible

_UNDERLINE: Final = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*+")
_NO_PARAGRAPH: Final = ("-", "*", "+", ">", "|", "#", "<", "=", "```", "~~~", "    ", "\t")
_ITEM: Final = re.compile(r"[0-9]{1,9}[.)][ \t]")
_EXPORTED: Final = re.compile(r"[ _-](?:[0-9a-f]{32}|[0-9]{5,12})$")
_FOLDERS: Final = frozenset({"index", "_index", "overview", "default"})


@dataclass(frozen=True, slots=True)
class Prose:
    """A page as its reader sees it, `seen` line by line, those of the front matter empty.

    `wrong` holds what was left out or could not be read, a message each.
    """

    title: str
    headings: tuple[Heading, ...]
    front: Front
    seen: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def prose(text: str, path: str) -> Prose:
    """Return a Markdown page. Takes time in proportion to its length, whatever it holds."""
    lines = text.split("\n")
    begin = front(lines, path)
    page = visible("\n".join(lines[begin.body :]))
    headings = _headings(page, begin.body)
    title = begin.title or first_title(headings) or named(path)
    wrong = (begin.wrong, hidden_note(path, page.hidden))
    seen = (*[""] * begin.body, *page.lines)
    return Prose(title, tuple(headings), begin, seen, tuple(filter(None, wrong)))


def first_title(headings: Iterable[Heading]) -> str:
    """Return the first heading of the highest level, empty if there is none."""
    return next((h.title for h in headings if h.level == 1 and h.title), "")


def hidden_note(path: str, count: int) -> str:
    """Return the message about text that is out of sight, empty if there is none to speak of."""
    if not count:
        return ""
    return f"{path}: {count} characters that readers do not see are left out; show them or take them out of the page"


def named(path: str) -> str:
    """Return what a page is called by the name of its file: `node/node-down.md` is `Node down`."""
    folder, _, file = path.rpartition("/")
    stem = file.rpartition(".")[0] or file
    if stem.lower() in _FOLDERS and folder:
        stem = folder.rpartition("/")[2]
    stem = _EXPORTED.sub("", stem)
    spread = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", stem)
    words = re.sub(r"[\s_.\-]+", " ", spread).strip()
    return words[:1].upper() + words[1:] or stem


def _headings(page: Visible, first: int) -> list[Heading]:
    outline, number, lines = Outline(), 0, page.lines
    while number < len(lines):
        line = lines[number]
        if not page.code[number]:
            if found := _hashes(line):
                outline.heading(*found, first + number + 1)
                number += 1
                continue
            if level := _underlined(page, number):
                outline.heading(level, line.strip(), first + number + 1)
                number += 2
                continue
        outline.line(line)
        number += 1
    return outline.end()


def _hashes(line: str) -> tuple[int, str] | None:
    """Return level and title of a heading with `#`."""
    begun = line.lstrip(" ")
    if not begun.startswith("#") or len(line) - len(begun) > 3:
        return None
    rest = begun.lstrip("#")
    level = len(begun) - len(rest)
    if level > 6 or not rest.startswith((" ", "\t")):
        return None
    return level, rest.strip(" \t").rstrip("#").rstrip(" \t")


def _underlined(page: Visible, number: int) -> int:
    """Return the level of a heading of one line that is underlined, 0 if it is none."""
    line = page.lines[number]
    if number + 1 == len(page.lines) or page.code[number + 1] or not _UNDERLINE.fullmatch(page.lines[number + 1]):
        return 0
    if not line.strip() or line.startswith("    ") or line.lstrip(" ").startswith(_NO_PARAGRAPH):
        return 0
    if _ITEM.match(line.lstrip(" ")) or not _begins(page, number):
        return 0
    return 1 if "=" in page.lines[number + 1] else 2


def _begins(page: Visible, number: int) -> bool:
    """Tell whether a line is the first of its paragraph."""
    if number == 0 or page.code[number - 1]:
        return True
    above = page.lines[number - 1]
    return not above.strip() or _hashes(above) is not None or bool(_UNDERLINE.fullmatch(above))
