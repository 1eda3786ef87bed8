"""HTML in pieces: text, and the tags between, in one pass over the page.

The standard parser is not used here: on pages made to harm, such as thousands of comments that never end, its time
grows with the square of their size, and on some declarations it raises AssertionError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Final

RAW: Final = frozenset({"script", "style", "title", "textarea", "xmp", "noembed", "noframes", "iframe"})
"""Elements whose content is text, whatever tags it seems to hold."""
VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "param"}
)
"""Elements without content."""

_NAME: Final = re.compile(r"</?([A-Za-z][^\s/>]{0,99}+)")
_TO_END: Final = re.compile(r"""[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""")
_ATTRIBUTE: Final = re.compile(
    r"""([^\s"'<>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?+""",
)


@dataclass(frozen=True, slots=True)
class Tag:
    """`<name …>`, `</name>` with `close` or `<name …/>` with `slash`. `start` and `end` are its place in the page."""

    name: str
    close: bool
    start: int
    end: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    slash: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Text between tags, entities resolved. `raw` is the element it is all the content of, for `RAW` elements."""

    text: str
    start: int
    end: int
    raw: str = ""


def pieces(page: str) -> Iterator[Tag | Words]:
    """Yield the tags and texts of a page in order. Comments and declarations are left out; nothing is ever refused."""
    return _Reader(page).pieces()


@dataclass(slots=True)
class _Reader:
    page: str
    _quotes: bool = True  # until a quote was found that does not end: then quotes hold nothing together
    _raw_ends: dict[str, int] = field(default_factory=dict)

    def pieces(self) -> Iterator[Tag | Words]:
        page, at, look = self.page, 0, 0  # where text not yet yielded begins, where the next tag is looked for
        last = page.rfind(">")
        while (start := page.find("<", look, max(last, look))) >= 0:
            declaration = page.startswith(("<!", "<?"), start)
            named = None if declaration else _NAME.match(page, start)
            if not declaration and named is None:
                look = start + 1
                continue
            if start > at:
                yield Words(unescape(page[at:start]), at, start)
            if named is None:
                at = look = self._after_declaration(start)
                continue
            tag = self._tag(start, named)
            yield tag
            at = look = self._raw(tag) if tag.name in RAW and not tag.close else tag.end
            if at > tag.end:
                yield Words(unescape(page[tag.end : at]), tag.end, at, tag.name)
        if at < len(page):
            yield Words(unescape(page[at:]), at, len(page))

    def _after_declaration(self, start: int) -> int:
        """Return where a comment or declaration ends; one that does not end hides the rest, as in a browser."""
        page = self.page
        if page.startswith("<!--", start):
            if page.startswith((">", "->"), start + 4):
                return page.index(">", start) + 1
            end = page.find("-->", start + 4)
            return end + 3 if end >= 0 else len(page)
        if page.startswith("<![CDATA[", start):
            end = page.find("]]>", start)
            return end + 3 if end >= 0 else len(page)
        return page.index(">", start) + 1  # there is one: `last`

    def _tag(self, start: int, named: re.Match[str]) -> Tag:
        end = self._after_tag(named.end())
        close, inner = named[0].startswith("</"), self.page[named.end() : end - 1]
        attributes = _attributes(inner) if inner and not close else {}
        return Tag(named[1].lower(), close, start, end, attributes, inner.endswith("/"))

    def _after_tag(self, at: int) -> int:
        if self._quotes:
            if found := _TO_END.match(self.page, at):
                return found.end()
            self._quotes = False
        return self.page.index(">", at) + 1

    def _raw(self, tag: Tag) -> int:
        """Return where the content of an element of text ends; one that does not end holds the rest."""
        found = re.compile(rf"</{tag.name}(?=[\s/>])", re.IGNORECASE).search(self.page, tag.end)
        return found.start() if found else len(self.page)


def _attributes(text: str) -> dict[str, str]:
    """Return the attributes of a tag; the first of a name counts."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), unescape(double or single or bare))
    return found
