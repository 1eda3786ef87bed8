"""Response URLs: five uses, thirty minutes."""

from __future__ import annotations

from dataclasses import dataclass

from sysop.workspace.clock import Clock
from sysop.workspace.errors import SlackError
from sysop.workspace.ids import Ids

USES = 5
SECONDS = 1800.0


@dataclass
class Hook:
    """Where an answer to an interaction goes; `message_ts` is the message it came from, if any."""

    token: str
    user: str
    channel: str
    at: float
    message_ts: str | None = None
    ephemeral: bool = False
    uses: int = 0


class Hooks:
    """Every response URL given out, by the secret in it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hooks: dict[str, Hook] = {}

    def give(self, user: str, channel: str, message_ts: str | None = None, *, ephemeral: bool = False) -> str:
        """Return the path of a new response URL."""
        hook = Hook(Ids.secret(), user, channel, self._clock.now(), message_ts, ephemeral)
        self._hooks[hook.token] = hook
        return f"/hooks/{hook.token}"

    def use(self, token: str) -> Hook:
        """Count one use, or say why there is none left."""
        hook = self._hooks.get(token)
        if hook is None:
            raise SlackError("no_such_url")
        if self._clock.now() - hook.at > SECONDS:
            raise SlackError("expired_url")
        if hook.uses >= USES:
            raise SlackError("used_url")
        hook.uses += 1
        return hook
