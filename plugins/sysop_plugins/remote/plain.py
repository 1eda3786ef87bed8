"""What a program wrote for a terminal, as lines of text."""

from __future__ import annotations

import re

_RETURNS = re.compile(r"\r+\n?")
_CODES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and movements of the cursor
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # titles and links
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def plain(text: str) -> str:
    """Return text without codes for a terminal. What a lone carriage return wrote over stays, as a line of its own."""
    return _CODES.sub("", _RETURNS.sub("\n", text))
