"""What a page holds and its reader does not see: where instructions for machines would be hidden."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sysop.knowledge.library.tags import VOID, Tag, Words

_NOTHING: Final = r"[+-]?0*+(?:\.0*+)?+(?:[a-z]++|%)?+"
_UNSEEN: Final = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|content-visibility:hidden|color:transparent"
    rf"|opacity:{_NOTHING}|font-size:{_NOTHING}|transform:scale\({_NOTHING}\)|text-indent:-[0-9]{{3,}}+[^;]*+"
    r"|(?:left|top|right|bottom):-[0-9]{4,}+[^;]*+|clip:rect\([^;]*+|clip-path:inset\((?:50|100)%\)"
    r")(?:!important)?(?=;|$)"
)
_CUT: Final = re.compile(r"(?:^|;)overflow:(?:hidden|clip)(?:;|$)")
_NO_SIZE: Final = re.compile(rf"(?:^|;)(?:max-)?(?:height|width):{_NOTHING}(?:!important)?(?=;|$)")
_SIMPLE: Final = re.compile(r"[a-z]*[.#][\w-]+|[a-z][a-z0-9]*")

IGNORED: Final = frozenset(
    {"script", "style", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video", "noscript", "select"}
    | {"noembed", "noframes"}
)
_IMPLIED_END: Final = frozenset({"p", "li", "td", "th", "tr", "dt", "dd", "option", "thead", "tbody"})
"""Elements that end where the next of their kind begins, or what holds them ends."""


@dataclass(slots=True)
class Veil:
    """Follows the tags of a page and tells which pieces are out of sight.

    `classes` are the selectors that the page's own styles hide, `around` those of what stands around a page. An element
    that is hidden and never closed hides what follows, as in a browser.
    """

    classes: frozenset[str] = frozenset()
    around: frozenset[str] = frozenset()
    secret: bool = False
    """Whether what is covered right now was meant not to be seen."""
    _name: str = ""
    _depth: int = 0
    _inner: dict[str, int] = field(default_factory=dict)

    def covers(self, piece: Tag | Words) -> bool:
        """Take the next piece and tell whether it is hidden."""
        if isinstance(piece, Words):
            return bool(self._name) or piece.raw in IGNORED
        if not self._name:
            return self._begins(piece)
        return self._goes_on(piece)

    def _begins(self, tag: Tag) -> bool:
        if tag.close or not (tag.name in IGNORED or self._hides(tag) or _matches(self.around, tag)):
            return False
        self.secret = tag.name not in IGNORED and not _matches(self.around, tag)
        if tag.name not in VOID and not (tag.slash and tag.name in ("svg", "math")):
            self._name, self._depth, self._inner = tag.name, 1, {}
        return True

    def _goes_on(self, tag: Tag) -> bool:
        if tag.name in VOID:
            return True
        if self._name in _IMPLIED_END and self._ended_by(tag):
            self._name = ""
            return self._begins(tag)
        if tag.name == self._name:
            self._depth += -1 if tag.close else 1
            if self._depth <= 0:
                self._name = ""
        return True

    def _ended_by(self, tag: Tag) -> bool:
        """Tell whether a tag ends a hidden element that need not be closed."""
        if not tag.close:
            if tag.name == self._name:
                return not any(self._inner.values())
            self._inner[tag.name] = self._inner.get(tag.name, 0) + 1
            return False
        if tag.name == self._name:
            return False
        self._inner[tag.name] = self._inner.get(tag.name, 0) - 1
        return self._inner[tag.name] < 0

    def _hides(self, tag: Tag) -> bool:
        has = tag.attributes
        if "hidden" in has or has.get("aria-hidden", "").strip().lower() == "true":
            return True
        if tag.name == "input" and has.get("type", "").lower() == "hidden":
            return True
        if "style" in has and hides(has["style"]):
            return True
        return _matches(self.classes, tag)


def hides(style: str) -> bool:
    """Tell whether CSS declarations make text invisible."""
    compact = re.sub(r"[\s\\]+", "", _without_comments(style).lower())
    return bool(_UNSEEN.search(compact) or (_CUT.search(compact) and _NO_SIZE.search(compact)))


def hidden_selectors(page: Iterable[Tag | Words]) -> frozenset[str]:
    """Return the simple selectors that the styles of a page hide."""
    styles = (piece.text for piece in page if isinstance(piece, Words) and piece.raw == "style")
    return frozenset(selector for css in styles for selector in hidden_by(css))


def hidden_by(css: str) -> Iterator[str]:
    """Yield the simple selectors that a style sheet hides. Rules for print or for some screens do not count."""
    css = _without_comments(css)
    depth, selector, start = 0, "", 0
    for found in re.finditer(r"[{}]", css):
        text, start = css[start : found.start()], found.end()
        if found[0] == "{":
            depth += 1
            selector = text if depth == 1 else selector
            continue
        if depth == 1 and hides(text):
            names = (name.strip().lower() for name in selector.rpartition(";")[2].split(","))
            yield from (name for name in names if _SIMPLE.fullmatch(name))
        depth = max(depth - 1, 0)


def _without_comments(css: str) -> str:
    first, *others = css.split("/*")
    kept = [first]
    for part in others:  # one that does not end goes on in the next part
        kept.append(part.partition("*/")[2])
    return "".join(kept)


def _matches(selectors: frozenset[str], tag: Tag) -> bool:
    return bool(selectors) and not selectors.isdisjoint(_selectors(tag))


def _selectors(tag: Tag) -> Iterator[str]:
    yield tag.name
    for mark, attribute in ((".", "class"), ("#", "id")):
        for name in tag.attributes.get(attribute, "").lower().split()[:50]:
            yield f"{mark}{name}"
            yield f"{tag.name}{mark}{name}"
