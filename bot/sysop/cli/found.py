"""What one check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "failed"]


@dataclass(frozen=True, slots=True)
class Found:
    """One line. A note is worth knowing and keeps nothing from working; `fix` says what to do."""

    name: str
    status: Status
    detail: str
    fix: str = ""
