"""How sending goes, for the health page and the doctor."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """What went wrong lately. `stopped` are workspaces whose token does not work, with the reason."""

    sending: bool = False
    stopped: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Rows given up, by the reason; the newest of each."""
    sent: int = 0
    dead: int = 0
    resent: int = 0
    """Rows sent again after nothing was found in their thread: each may be there twice if it landed afterwards."""
    missing: dict[str, str] = field(default_factory=dict)
    """Threads that wait for a scope the token does not have, with what Slack says is needed."""
    absent: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Threads that wait until somebody brings us into their channel: the channel, and what Slack says."""
    retry_at: dict[str, float] = field(default_factory=dict)

    @property
    def red(self) -> bool:
        """Tell whether somebody must look: something waits that will not go out by itself."""
        return bool(self.stopped or self.missing or self.absent)

    def stop(self, team: str, reason: str, seconds: float) -> None:
        """Send nothing to a workspace for a while."""
        self.stopped[team] = reason
        self.retry_at[team] = time.monotonic() + seconds

    def go_on(self, team: str) -> None:
        """Send again."""
        self.stopped.pop(team, None)
        self.retry_at.pop(team, None)

    def as_json(self) -> dict[str, object]:
        """Return what to show."""
        return {
            "sending": self.sending,
            "stopped": dict(self.stopped),
            "missing_scopes": sorted(set(self.missing.values())),
            "not_in": dict(self.absent.values()),
            "refused": dict(self.refused),
            "sent": self.sent,
            "dead": self.dead,
            "resent": self.resent,
        }
