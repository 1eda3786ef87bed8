"""Pages exported from a wiki as HTML: headings, lists, tables and code as Markdown text, hidden things left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from sysop.knowledge.library.hidden import Veil, hidden_selectors
from sysop.knowledge.library.outline import Heading, Outline
from sysop.knowledge.library.plain import first_title, hidden_note
from sysop.knowledge.library.rows import Rows
from sysop.knowledge.library.tags import Tag, Words, pieces
from sysop.knowledge.library.unseen import TOLD_OF_ELEMENTS, scrub

MAX_NESTING: Final = 200
_DEEPEST_LIST: Final = 4
_ANCHOR: Final = re.compile(r"[A-Za-z0-9_][\w.:-]{0,99}", re.ASCII)
_STYLED: Final = re.compile(r"<style", re.IGNORECASE)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_LISTS: Final = ("ul", "ol", "menu", "dl")
_BLOCKS: Final = frozenset(
    {
        "p",
        "div",
        "section",
        "article",
        "main",
        "header",
        "aside",
        "blockquote",
        "form",
        "fieldset",
        "details",
        "summary",
    }
    | {"figure", "figcaption", "address", "hr", "br", "li", "dt", "dd", "legend", "body", "html", "caption", *_LISTS}
)
_NESTING: Final = frozenset({"div", "section", "article", "blockquote", "ul", "ol", "table", "details", "span"})
_AROUND: Final = frozenset(
    {"nav", "footer", "#footer", "#breadcrumb-section", "#breadcrumbs", ".page-metadata", "#navigation"}
)
"""What exports put around a page."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A page as its reader sees it. `wrong` holds what was left out, a message each."""

    title: str
    headings: tuple[Heading, ...]
    wrong: tuple[str, ...] = ()


def exported(page: str, path: str) -> Exported:
    """Return an HTML page. Takes time in proportion to its length, and is not harmed by tags that never close."""
    classes = hidden_selectors(pieces(page)) if _STYLED.search(page) else frozenset()
    reader = _Reader(page, veil=Veil(classes, _AROUND))
    headings = tuple(reader.read())
    wrong = [hidden_note(path, reader.hidden if reader.hidden >= TOLD_OF_ELEMENTS else 0)]
    if reader.deepest > MAX_NESTING:
        wrong.append(f"{path}: nested more than {MAX_NESTING} deep; it is read as flat text")
    return Exported(first_title(headings) or reader.named, headings, tuple(filter(None, wrong)))


@dataclass(slots=True)
class _Reader:
    page: str
    veil: Veil
    named: str = ""  # by <title>
    hidden: int = 0
    deepest: int = 0
    _outline: Outline = field(default_factory=Outline)
    _text: list[str] = field(default_factory=list)
    _rows: Rows = field(default_factory=Rows)
    _heading: Tag | None = None
    _verbatim: bool = False
    _lists: int = 0
    _item: str = ""
    _nested: int = 0
    _line: int = 1
    _counted: int = 0

    def read(self) -> list[Heading]:
        for piece in pieces(self.page):
            if self.veil.covers(piece):
                if isinstance(piece, Words) and self.veil.secret:
                    self.hidden += len("".join(piece.text.split()))
            elif isinstance(piece, Words):
                self._words(piece)
            else:
                self._tag(piece)
        self._end_block()
        self._end_rows()
        return self._outline.end()

    def _words(self, words: Words) -> None:
        text = scrub(words.text)
        if words.raw == "title":
            self.named = self.named or _tidy(text)
        else:
            self._text.append(text)

    def _tag(self, tag: Tag) -> None:
        name = tag.name
        self._count(tag)
        if name in _HEADINGS:
            self._head(tag)
        elif name in ("td", "th", "tr", "table", "thead", "tbody", "tfoot"):
            self._table(tag)
        elif name == "pre":
            self._pre(tag)
        elif name == "code" and not self._verbatim and self._heading is None:
            self._text.append("`")
        elif name in _BLOCKS:
            self._block(tag)

    def _count(self, tag: Tag) -> None:
        if tag.name in _NESTING:
            self._nested = max(self._nested + (-1 if tag.close else 1), 0)
            self.deepest = max(self.deepest, self._nested)

    def _block(self, tag: Tag) -> None:
        if self._verbatim:
            self._text.append("\n" if tag.name in ("br", "div", "p") and not tag.close else "")
            return
        if self._rows.open or (self._heading is not None and tag.name == "br"):
            self._text.append(" ")
            return
        if self._heading is not None and not "".join(self._text).strip():
            self._text = []  # a heading may hold a block
            return
        self._end_block()
        if tag.name in _LISTS:
            self._lists = max(self._lists + (-1 if tag.close else 1), 0)
        if tag.name in ("li", "dd") and not tag.close:
            self._item = "  " * (min(max(self._lists, 1), _DEEPEST_LIST) - 1) + "- "

    def _head(self, tag: Tag) -> None:
        self._end_block()
        self._end_rows()
        if not tag.close:
            self._heading = tag

    def _end_block(self) -> None:
        """Write down the text so far, as the heading, the code or the line that it is."""
        text, self._text = "".join(self._text), []
        if self._verbatim:
            self._verbatim = False
            self._code(text)
        elif self._heading is not None:
            self._section(self._heading, _tidy(text))
            self._heading = None
        elif tidy := _tidy(text):
            self._outline.line(self._item + tidy)
            self._item = ""

    def _section(self, tag: Tag, title: str) -> None:
        self._line += self.page.count("\n", self._counted, tag.start)
        self._counted = tag.start
        anchor = tag.attributes.get("id", "")
        if not title:
            return
        if anchor == "title-heading":  # the wiki writes `Space : Page`
            title = title.partition(" : ")[2] or title
        self._outline.heading(_HEADINGS[tag.name], title, self._line, anchor if _ANCHOR.fullmatch(anchor) else "")

    def _code(self, text: str) -> None:
        ticks = max((len(run) for run in re.findall("`{3,}+", text)), default=2) + 1
        for line in ("`" * ticks, *text.strip("\n").split("\n"), "`" * ticks):
            self._outline.line(line.rstrip())

    def _pre(self, tag: Tag) -> None:
        if self._rows.open:
            self._text.append(" ")
            return
        self._end_block()
        self._verbatim = not tag.close

    def _table(self, tag: Tag) -> None:
        if not self._rows.open:
            self._end_block()
        text, self._text = _tidy("".join(self._text)), []
        for line in self._rows.take(tag, text):
            self._outline.line(line)

    def _end_rows(self) -> None:
        text, self._text = _tidy("".join(self._text)), []
        for line in self._rows.end(text):
            self._outline.line(line)


def _tidy(text: str) -> str:
    return " ".join(text.split())
