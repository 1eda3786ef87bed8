"""Text that others wrote, put into Markdown so that it is nothing but text there: no structure, link or mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

BREAK: Final = "\u200b"
"""Zero width: parts what would mean something together."""
LONGEST: Final = 600
LONGEST_NAME: Final = 100
MOST_NAMES: Final = 30
_STRUCTURE: Final = re.compile(r"[\\`*\[\]<>&|~$#]|(?<![^\W_])_|_(?![^\W_])")
_BEGINS: Final = re.compile(r"[+=-]")
_NUMBERED: Final = re.compile(r"(\d+)[.)]")
_MENTION: Final = re.compile(r"@(?=\S)")
_ISSUE: Final = re.compile(r"#(?=\d)")
_ADDRESS: Final = re.compile(r"://|\bwww\.|\b(?:mailto|xmpp):", re.IGNORECASE)


def text(foreign: str, limit: int = LONGEST) -> str:
    """Return text as one line of Markdown that reads as it was written; what could hide in it is written out."""
    flat = _visible(" ".join(foreign[: limit * 4].split()))
    cut = flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
    return _unlinked(_begin(_STRUCTURE.sub(r"\\\g<0>", cut))) if cut else "–"


def code(ours: str) -> str:
    """Return an id of ours in code; a backtick in it, which none has, would end it and is taken out."""
    return f"`{_visible(ours).replace('`', '').replace('|', '')}`"


def names(foreign: Iterable[str]) -> str:
    """Return names that others chose, side by side; each is cut to what a name needs, and so is their number."""
    every = list(foreign)
    more = f" and {len(every) - MOST_NAMES} more" if len(every) > MOST_NAMES else ""
    return f"{', '.join(text(name, LONGEST_NAME) for name in every[:MOST_NAMES])}{more}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; what is in its cells has been made inert."""
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _visible(line: str) -> str:
    return "".join(char if char.isprintable() else f"(u+{ord(char):04x})" for char in line)


def _begin(line: str) -> str:
    """Return a line that cannot be taken for a heading, a list, a quotation or a rule."""
    numbered = _NUMBERED.match(line)
    if numbered:
        return f"{numbered[1]}\\{line[numbered.end(1) :]}"
    return f"\\{line}" if _BEGINS.match(line) else line


def _unlinked(line: str) -> str:
    parted = _ADDRESS.sub(lambda found: f"{found[0][0]}{BREAK}{found[0][1:]}", line)
    return _ISSUE.sub(rf"#{BREAK}", _MENTION.sub(rf"@{BREAK}", parted))
