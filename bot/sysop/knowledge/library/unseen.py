"""Leaves out of Markdown what its reader does not see: comments, hidden elements, characters without a shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sysop.knowledge.library.hidden import IGNORED, Veil, hidden_selectors
from sysop.knowledge.library.tags import RAW, Words, pieces

_SPACES: Final = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SHAPELESS: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_SECRET: Final = re.compile("[\u202d\u202e\U000e0001-\U000e01ef]")
_OPENS: Final = re.compile(r" {0,3}(`{3,}+(?=[^`]*+$)|~{3,}+)")
_MAY_HIDE: Final = re.compile(rf"hidden|style|<(?:{'|'.join(sorted(IGNORED))})", re.IGNORECASE)
_SWALLOWS: Final = re.compile(rf"<({'|'.join(sorted(IGNORED | RAW))})(?=[\s/>])", re.IGNORECASE)
_INLINE: Final = re.compile(r"`[^`\n]*+`")
_NOTE: Final = re.compile(r" {0,3}\[(?://|comment|_metadata_[^\]]{0,99})\]:", re.IGNORECASE)
TOLD_OF_ELEMENTS: Final = 20
TOLD_OF_COMMENTS: Final = 200
"""From how many hidden characters on a page is reported; shorter comments are what tools leave behind."""


def written_unseen(text: str) -> int:
    """Return how many characters a text holds that only serve to write unseen, or to show other than is written."""
    return len(_SECRET.findall(text))


def scrub(text: str) -> str:
    """Return text without control, bidirectional and zero-width characters; its lines stay as they are."""
    return _SHAPELESS.sub("", _SPACES.sub(" ", text))


@dataclass(slots=True)
class Visible:
    """The lines of a page as its reader sees them. `code` tells which stand in a fenced block."""

    lines: list[str] = field(default_factory=list)
    code: list[bool] = field(default_factory=list)
    hidden: int = 0
    """How many characters in elements or long comments were left out; 0 for what tools leave behind."""


def visible(text: str) -> Visible:
    """Return what a reader sees of Markdown. Every line keeps its number."""
    page = _Comments(text).page()
    whole = "\n".join(page.lines)
    if _MAY_HIDE.search(whole):
        spans = list(_hidden(whole, page))
        page.lines = _blanked(whole, spans).split("\n")
        count = sum(len(whole[start:end].split()) and end - start for start, end in spans)
        page.hidden += count if count >= TOLD_OF_ELEMENTS else 0
    return page


@dataclass(slots=True)
class _Comments:
    """Goes over the lines once, in a fence, in a comment or in neither."""

    text: str
    _fence: str = ""
    _inside: bool = False
    _cut: int = 0
    _line: int = 0
    _last: int = 0  # the last line on which a comment ends

    def page(self) -> Visible:
        lines = self.text.split("\n")
        self._last = self.text.count("\n", 0, max(self.text.rfind("-->"), 0)) if "-->" in self.text else -1
        page = Visible()
        for self._line, line in enumerate(lines):
            kept, code = self._take(line)
            page.lines.append(kept)
            page.code.append(code)
        page.hidden = self._cut if self._cut >= TOLD_OF_COMMENTS else 0
        return page

    def _take(self, line: str) -> tuple[str, bool]:
        if self._fence:
            if closes(line, self._fence):
                self._fence = ""
            return line, True
        if not self._inside and (opened := _OPENS.match(line)):
            self._fence = opened[1]
            return line, True
        if not self._inside and _NOTE.match(line):
            self._cut += len(line)
            return "", False
        kept = "".join(self._outside(line))
        self._cut += len(line) - len(kept)
        return kept, False

    def _outside(self, line: str) -> Iterator[str]:
        """Yield what of a line stands in no comment.

        A comment begins where it ends further on, or first on a line, as a block of HTML that may go on to the end.
        """
        at, ticks, last = 0, 0, line.rfind("-->")
        while at <= len(line):
            if self._inside:
                end = line.find("-->", at)
                if end < 0:
                    return
                self._inside, at = False, end + 3
            start = line.find("<!--", at)
            if start < 0:
                yield line[at:]
                return
            ticks += line.count("`", at, start)
            ends = self._last > self._line or last > start
            if ticks % 2 or not (ends or (at == 0 and not line[:start].strip())):
                yield line[at : start + 4]
                at = start + 4
                continue
            yield line[at:start]
            at = start + 4
            if line.startswith((">", "->"), at):
                at = line.index(">", at) + 1
            else:
                self._inside = True


def closes(line: str, fence: str) -> bool:
    """Tell whether a line ends a fenced block."""
    stripped = line.strip()
    return len(stripped) >= len(fence) and not stripped.strip(fence[0]) and not line.startswith("    ")


def _hidden(text: str, page: Visible) -> Iterator[tuple[int, int]]:
    """Yield where hidden elements stand. Tags in code are examples and hide nothing."""
    shown = (" " * len(line) if code else line for line, code in zip(page.lines, page.code, strict=True))
    masked = _INLINE.sub(lambda found: " " * len(found[0]), "\n".join(shown))
    found = list(pieces(_without_placeholders(masked)))
    veil = Veil(hidden_selectors(found))
    for piece in found:
        if veil.covers(piece) and isinstance(piece, Words):
            yield piece.start, piece.end


def _without_placeholders(text: str) -> str:
    """Return text of the same length in which `<script>` begins an element only where one ends further on.

    People write `<object>` for a name to be filled in, and that must not hide the rest of a page.
    """
    small = text.lower()
    last: dict[str, int] = {}

    def masked(found: re.Match[str]) -> str:
        name = found[1].lower()
        if name not in last:
            last[name] = small.rfind(f"</{name}")
        return found[0] if last[name] > found.start() else f" {found[1]}"

    return _SWALLOWS.sub(masked, text)


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in spans:
        kept += [text[at:start], "\n" * text.count("\n", start, end)]
        at = end
    return "".join((*kept, text[at:]))
