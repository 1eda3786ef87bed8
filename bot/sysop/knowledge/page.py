"""Markdown as far as runbooks need it: sections for search and citations, and the blocks a machine reads."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Final

from sysop.errors import RunbookError

_KINDS: Final = ("step", "conclude")
# Both never try a line twice (`++`, `*+`): a long line takes no longer than its length.
_FENCE: Final = re.compile(r"( {0,3})(`{3,}+|~{3,}+)[ \t]*+([^`]*+)")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]++(.*+)")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its text; `slug` is what a citation points at.

    `begins` is the line the text begins on, 0 where that is not known.
    """

    title: str
    slug: str
    text: str
    line: int
    begins: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block a machine reads."""

    kind: str
    text: str
    section: str
    line: int


@dataclass(slots=True)
class Page:
    """The Markdown below the front matter: headings, prose and the blocks a machine reads."""

    path: str
    source: list[str]
    start: int
    blocks: list[Block] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    _fence: re.Match[str] | None = None
    _opened: int = 0
    _comment: bool = False
    _slugs: dict[str, int] = field(default_factory=dict)
    _heading: tuple[str, str, int] = ("", "", 0)
    _text: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Fill `blocks` and `sections`. Raises RunbookError for a block that a reader or this would miss."""
        for number in range(self.start, len(self.source)):
            self._line(self.source[number], number)
        if self._fence is not None:
            raise RunbookError(
                f"{self.path}:{self._opened + 1}: the block does not end; close it with {self._fence[2]}"
            )
        self._close_section()

    def _line(self, line: str, number: int) -> None:
        if self._fence is not None:
            self._text.append(line)
            if _closes(line, self._fence[2]):
                self._close_fence(self._fence, number)
            return
        fence = _FENCE.fullmatch(line)
        self._refuse_hidden(line, fence, number)
        if not self._comment and fence is not None:
            self._fence, self._opened = fence, number
        elif not self._comment and (heading := _HEADING.fullmatch(line)):
            self._close_section()
            title = heading[2].rstrip(" \t").rstrip("#").rstrip(" \t")
            self._heading = (title, self._unique(slug(title)), number + 1)
            return
        else:
            self._comment = _in_comment(line, self._comment)
        self._text.append(line)

    def _refuse_hidden(self, line: str, fence: re.Match[str] | None, number: int) -> None:
        """A step must look like one to the person who reviews the page: no near misses, nothing out of sight."""
        where = f"{self.path}:{number + 1}"
        info = fence[3].rstrip(" \t") if fence is not None else _quoted_info(line)
        meant = _meant(info)
        if meant is None:
            return
        if fence is None or fence[1]:
            raise RunbookError(f"{where}: a {meant} block must not be indented or quoted; begin it in the first column")
        if info != meant:
            raise RunbookError(f"{where}: {info!r} is not a kind of block; write ```{meant}")
        if self._comment:
            raise RunbookError(f"{where}: a {meant} block inside a comment is invisible to readers; take it out")

    def _close_fence(self, fence: re.Match[str], number: int) -> None:
        kind = fence[3].strip()
        if kind in _KINDS:
            text = "\n".join(self.source[self._opened + 1 : number])
            self.blocks.append(Block(kind, text, self._heading[1], self._opened + 2))
        self._fence = None

    def _close_section(self) -> None:
        title, name, line = self._heading
        text = "\n".join(self._text).strip()
        if title or text:
            blank = next((n for n, one in enumerate(self._text) if one.strip()), 0)
            begins = (line or self.start) + 1 + blank
            self.sections.append(Section(title, name, text, line or self.start + 1, begins))
        self._text = []

    def _unique(self, name: str) -> str:
        count = self._slugs.get(name, 0)
        self._slugs[name] = count + 1
        return f"{name}-{count}" if count else name


def _quoted_info(line: str) -> str:
    """Return what follows a fence behind list or quote marks, or indented too far to be one."""
    return line.strip().lstrip("`~>-*+0123456789. \t") if "```" in line or "~~~" in line else ""


def _meant(info: str) -> str | None:
    """Return the kind of block that a fence's words name, also misspelt."""
    word = info.split()[0].lower() if info.split() else ""
    close = difflib.get_close_matches(word, _KINDS, 1, 0.85)
    return "conclude" if word == "conclusion" else close[0] if close else None


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(fence) and set(stripped) == {fence[0]} and not line.startswith("    ")


def _in_comment(line: str, inside: bool) -> bool:
    for mark in re.findall(r"<!--|-->", line):
        inside = mark == "<!--"
    return inside


def slug(title: str) -> str:
    """Return the anchor GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
