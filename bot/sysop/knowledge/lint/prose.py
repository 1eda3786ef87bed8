"""The prose of a section: its text without what stands in blocks and between backticks."""

from __future__ import annotations

import re
from typing import Final

from sysop.knowledge.page import Section

_FENCE: Final = re.compile(r" {0,3}(`{3,}+|~{3,}+)")
_CODE: Final = re.compile(r"(?<!`)(`++)(?!`)[^\n]*?(?<!`)\1(?!`)")
_LONG: Final = 1_000
"""Characters of a line in which code is looked for; beyond that it is no line a person wrote."""


def prose(text: str) -> str:
    """Return a text with every block and all code between backticks blanked, line for line."""
    lines, fence = [], ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark is not None and mark[1].startswith(fence) and not line.strip(f" \t{fence[0]}"):
                fence = ""
            lines.append("")
        elif mark is not None:
            fence = mark[1]
            lines.append("")
        else:
            lines.append(_CODE.sub(lambda code: " " * len(code[0]), line) if len(line) < _LONG else line)
    return "\n".join(lines)


def line_of(section: Section, number: int) -> int:
    """Return the line of the page on which a line of a section's text stands, counted from 0 in the text."""
    return section.begins + number if section.begins else section.line
