"""One reason why Slack would refuse a payload, and where it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Name a place by JSON pointer, what is wrong with it, and the error Slack answers."""

    pointer: str
    text: str
    code: str = "invalid_blocks"

    def __str__(self) -> str:
        return f"[ERROR] {self.text} [json-pointer:{self.pointer}]"
