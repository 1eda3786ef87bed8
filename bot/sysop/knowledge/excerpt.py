"""The lines of a section that answer best, with the words that were asked for told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.page import Section
from sysop.knowledge.retrieval.words import spelled, terms

LINES: Final = 3
WIDTH: Final = 240
_LOOK: Final = 64 * 1024  # of a very long section the beginning is looked at
_WORD: Final = re.compile(r"[^\W_]\w*")
_FENCE: Final = re.compile(r"\s*(`{3,}|~{3,})\s*(\w*)")
_LIST: Final = re.compile(r"^\s*(?:[-*+]|\d{1,3}[.)]|>|#{1,6})\s+")
_LINK: Final = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,2000}(?:\s+\"[^\"\n]{0,300}\")?\)")
_FOLLOWED: Final = frozenset({"step", "conclude"})
"""Blocks that only a machine reads."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line; `found` where it is a word that was asked for."""

    text: str
    found: bool


Line = tuple[Span, ...]


def excerpt(section: Section, asked: str, most: int = LINES, width: int = WIDTH) -> list[Line]:
    """Return the lines of a section with most of the words, in the section's order; its first where it has none."""
    stems = frozenset(terms(asked))
    lines = [_cut(_plain(line), stems, width) for line in prose(section.text[:_LOOK])]
    found = [len(_stems(line) & stems) for line in lines]
    ranked = sorted(range(len(lines)), key=lambda at: (-found[at], at))[:most]
    best = [at for at in ranked if found[at]] or ranked[:1]
    return [marked(lines[at], stems) for at in sorted(best)]


def marked(text: str, stems: Set[str]) -> Line:
    """Return a text in pieces, nothing left out."""
    found, at = [], 0
    for word in _WORD.finditer(text):
        if _stems(word[0]) & stems:
            found += [Span(text[at : word.start()], False), Span(word[0], True)]
            at = word.end()
    return tuple(span for span in (*found, Span(text[at:], False)) if span.text)


def prose(text: str) -> Iterator[str]:
    """Yield what people read, a paragraph a line, without the blocks that only a machine reads."""
    paragraph: list[str] = []
    fence = kind = ""
    for line in text.splitlines():
        opening = _FENCE.match(line)
        if opening and (not fence or opening[1].startswith(fence)):
            fence, kind = ("", "") if fence else (opening[1], opening[2].lower())
        elif fence and kind in _FOLLOWED:
            continue
        elif line.strip() and not fence and not _LIST.match(line):
            paragraph.append(line.strip())
            continue
        if paragraph:
            yield " ".join(paragraph)
            paragraph = []
        if line.strip() and not opening:
            paragraph = [_LIST.sub("", line).strip()]
    if paragraph:
        yield " ".join(paragraph)


def _plain(line: str) -> str:
    """Return a line without emphasis and with the words of its links alone: where they lead is the page's affair."""
    return _LINK.sub(r"\1", line).replace("**", "").replace("__", "")


def _stems(text: str) -> frozenset[str]:
    return frozenset(word for word, _ in spelled(text))


def _cut(line: str, stems: Set[str], width: int) -> str:
    """Return as much of a line as fits, from its beginning or around the first word that was asked for."""
    if len(line) <= width:
        return line
    first = next((word.start() for word in _WORD.finditer(line) if _stems(word[0]) & stems), 0)
    start = max(first - width // 4, 0) if first > width * 3 // 4 else 0
    piece = f"{'…' if start else ''}{line[start:]}"
    return piece if len(piece) <= width else f"{piece[: width - 1].rstrip()}…"
