"""What the linter tells of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. `step` is empty where it concerns the page or an ending."""

    file: str
    line: int
    step: str
    level: Level
    message: str
    fix: str

    def __str__(self) -> str:
        step = f"step {self.step}: " if self.step else ""
        return f"{self.file}:{self.line}: {self.level}: {step}{self.message}; {self.fix}"
