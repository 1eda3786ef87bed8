"""What a person who reviews a page does not see of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sysop.knowledge.lint.finding import Finding
from sysop.knowledge.lint.prose import line_of, prose
from sysop.knowledge.page import Section
from sysop.knowledge.runbook import Runbook

MAX_COMMENT: Final = 200

_COMMENT: Final = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_STYLED: Final = re.compile(r"(?i)\bdisplay\s*:\s*none\b|\bvisibility\s*:\s*hidden\b")
# Marks without a width, those that turn the direction of text, and the tag characters. The joiners (200C, 200D)
# belong to words of some languages and to emoji, so they count only between plain letters.
_UNSEEN: Final = re.compile(
    "[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
    "|(?<=[!-~ ])[\u200c\u200d](?=[!-~ ])"
)


def hidden(runbook: Runbook) -> list[Finding]:
    """Return a warning for each text of a page that a machine reads and a person does not see."""
    found = [(1, what, fix) for what, fix in _unseen(runbook.title)]
    for section in runbook.sections:
        found += [(section.line, what, fix) for what, fix in _unseen(section.title)]
        found += _of_section(section)
    return [Finding(runbook.path, line, "", "warning", what, fix) for line, what, fix in dict.fromkeys(found)]


def _of_section(section: Section) -> Iterator[tuple[int, str, str]]:
    for number, text in enumerate(section.text.split("\n")):
        yield from ((line_of(section, number), what, fix) for what, fix in _unseen(text))
    readable = prose(section.text)
    for comment in _COMMENT.finditer(readable):
        if (length := len(comment[1].strip())) > MAX_COMMENT:
            line = line_of(section, readable.count("\n", 0, comment.start()))
            yield line, f"a comment hides {length} characters from readers", "write them as text, or take them out"
    for styled in _STYLED.finditer(readable):
        line = line_of(section, readable.count("\n", 0, styled.start()))
        yield line, f"`{styled[0]}` hides text from readers", "show the text, or take it out"


def _unseen(text: str) -> Iterator[tuple[str, str]]:
    if found := sorted({f"U+{ord(character):04X}" for character in _UNSEEN.findall(text)}):
        yield f"it has characters that cannot be seen ({', '.join(found)})", "type the line again without them"
