"""Puts the sections of a page together: each with the headings above it, an anchor of its own, and its text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sysop.knowledge.page import Section, slug

MAX_SECTIONS: Final = 2_000
"""Of one page; what follows stays in the last one."""
LONGEST_TITLE: Final = 200
_BETWEEN: Final = " > "


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and the text below it, up to the next one. Level 0 is what stands before the first."""

    level: int
    title: str
    slug: str
    line: int
    text: str = ""


@dataclass(slots=True)
class Outline:
    """Takes headings and lines in their order."""

    headings: list[Heading] = field(default_factory=list)
    _open: Heading = field(default_factory=lambda: Heading(0, "", "", 1))
    _lines: list[str] = field(default_factory=list)
    _slugs: dict[str, int] = field(default_factory=dict)

    def heading(self, level: int, title: str, line: int, anchor: str = "") -> None:
        """Begin a section. Without an `anchor` it gets the one that GitHub gives a heading."""
        if len(self.headings) >= MAX_SECTIONS:
            self._lines.append(title)
            return
        self._close()
        self._open = Heading(level, title, self._unique(anchor or slug(title)), line)

    def line(self, text: str) -> None:
        """Add a line to the section."""
        self._lines.append(text)

    def end(self) -> list[Heading]:
        """Close the last section and return them all."""
        self._close()
        return self.headings

    def _close(self) -> None:
        text = "\n".join(self._lines).strip()
        if self._open.title or text:
            at = self._open
            self.headings.append(Heading(at.level, at.title, at.slug, at.line, text))
        self._lines = []

    def _unique(self, name: str) -> str:
        count, unique = self._slugs.get(name, 0), name
        while unique in self._slugs:
            count += 1
            unique = f"{name}-{count}"
        self._slugs[name] = count
        self._slugs.setdefault(unique, 0)
        return unique


def sections(headings: Iterable[Heading], title: str) -> tuple[Section, ...]:
    """Return the sections of a page called `title`, the headings above each joined with ` > `.

    The page's own title is not repeated above the others.
    """
    found: list[Section] = []
    above: list[Heading] = []
    for heading in headings:
        while above and above[-1].level >= heading.level:
            above.pop()
        names = [_short(h.title) for h in (*above, heading) if h.title]
        found.append(Section(_BETWEEN.join(names), heading.slug, heading.text, heading.line))
        if heading.level > 1 or _short(heading.title) != _short(title):
            above.append(heading)
    return tuple(found)


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
