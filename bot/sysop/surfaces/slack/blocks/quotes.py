"""What pages say, as quotes: whatever a page holds, nobody takes it for words of Sysop's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from sysop.knowledge.excerpt import Line
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, said, section, styled
from sysop.surfaces.slack.text import one_line

_MARK: Final = "> "
_BOLD: Final = re.compile(r"\*\*([^*\n]+)\*\*")
_MOST: Final = 40
_WIDTH: Final = 400


def passages(text: str, links: Links) -> list[Element]:
    """Return a text in paragraphs; its lines that begin with `> ` are quotes, in which `**` makes words bold."""
    lines = text.split("\n")
    pieces = [(marked, list(some)) for marked, some in groupby(lines, key=lambda line: line.startswith(_MARK))]
    if len(pieces) > _MOST:
        return [section(*said(text, links))]
    return [
        quote(_joined(_bold(line.removeprefix(_MARK), links) for line in some))
        if marked
        else section(*said("\n".join(some), links))
        for marked, some in pieces
        if "".join(some).strip()
    ] or [section(*said("", links))]


def quote(elements: Sequence[Element]) -> Element:
    """Return a quoted paragraph."""
    return {"type": "rich_text_quote", "elements": list(elements)}


def highlighted(lines: Sequence[Line], links: Links) -> Element:
    """Return lines of a page as a quote, with the words that were asked for in bold."""
    return quote(_joined([_piece(span.text, span.found, links) for span in line] for line in lines))


def _joined(lines: Iterable[Iterable[Element | list[Element]]]) -> list[Element]:
    found: list[Element] = []
    for line in lines:
        found += [styled("\n")] if found else []
        for piece in line:
            found += piece if isinstance(piece, list) else [piece]
    return found or [styled("")]


def _bold(line: str, links: Links) -> Iterator[list[Element]]:
    for number, piece in enumerate(_BOLD.split(line)):
        if piece:
            yield _piece(piece, number % 2 == 1, links)


def _piece(text: str, bold: bool, links: Links) -> list[Element]:
    return [styled(one_line(text, _WIDTH) or text, "bold")] if bold else said(text, links, _WIDTH)
