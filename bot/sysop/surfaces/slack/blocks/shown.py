"""What a builder returns for a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A message: blocks, and the one line of mrkdwn for notifications and for clients that draw no blocks.

    Whatever is in `text` is inert already, and at most 3,000 characters long.
    """

    text: str
    blocks: list[Block]


def shown(text: str, *blocks: Block | None) -> Shown:
    """Return a message without the blocks that are None."""
    return Shown(text if text.strip() else "–", [block for block in blocks if block is not None])
