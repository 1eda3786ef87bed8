"""What is sent to the app, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sysop.workspace.wire import Json

ACK_SECONDS = 3.0
LATE = ("timeout", "http_timeout")
EVENT, COMMAND, INTERACTIVE = "events_api", "slash_commands", "interactive"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One thing for the app. `answerable` says that what the app answers is looked at."""

    kind: str
    payload: Json
    answerable: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Which attempt this is, counted from 1, and why the one before failed."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the app did. Without `reason` it acknowledged; `body` is what it answered."""

    reason: str = ""
    body: Any = None
    status: int = 200
    no_retry: bool = False

    @property
    def acknowledged(self) -> bool:
        """Tell whether the app took the envelope in time."""
        return not self.reason

    def as_json(self) -> Json:
        """Return what the control API says of it."""
        late = self.reason in LATE
        return {"acknowledged": self.acknowledged, "late": late, "reason": self.reason, "answer": self.body}
