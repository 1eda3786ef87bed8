"""How fast Slack may be asked: a budget for each method and workspace, and a slower one for each channel's posts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

POST: Final = "chat.postMessage"
UPDATE: Final = "chat.update"
EPHEMERAL: Final = "chat.postEphemeral"
PUBLISH: Final = "views.publish"
UPLOAD: Final = "files.completeUploadExternal"
START: Final = "chat.startStream"
APPEND: Final = "chat.appendStream"
STOP: Final = "chat.stopStream"
REPLIES: Final = "conversations.replies"
HISTORY: Final = "conversations.history"
STATUS: Final = "agents.sessions.setStatus"
OLD_STATUS: Final = "assistant.threads.setStatus"
REACT: Final = "reactions.add"
TEST: Final = "auth.test"

A_MINUTE: Final = {START: 20, STOP: 20, UPDATE: 50, STATUS: 50, OLD_STATUS: 50, REACT: 50, REPLIES: 50, HISTORY: 50}
"""Calls a minute in one workspace, the least that Slack promises; whatever is not named here may be made 100 times."""
USUAL: Final = 100
CHANNEL_BURST: Final = 3
"""So many posts a channel takes at once; after that one a second."""
LONGEST_S: Final = 600.0
FORGET_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Lane:
    """What is counted together: a method in a workspace, or the posts to one channel."""

    team: str
    method: str
    channel: str = ""


@dataclass(slots=True)
class _Bucket:
    size: float
    per_s: float
    level: float
    at: float

    def wait(self, now: float) -> float:
        self.level = min(self.size, self.level + max(0.0, now - self.at) * self.per_s)
        self.at = max(self.at, now)
        return max(0.0, (1.0 - self.level) / self.per_s) if self.level < 1.0 - 1e-9 else 0.0


def _size_and_speed(lane: Lane) -> tuple[float, float]:
    """Return a burst and a speed that together stay within the promised number in every minute."""
    if lane.method == POST:
        return CHANNEL_BURST, 1.0
    most = A_MINUTE.get(lane.method, USUAL)
    burst = most / 5
    return burst, (most - burst) / 60


class Rates:
    """Budgets of one process. A method that Slack has told to wait waits; the others go on.

    `times` is for a stand-in whose clock runs so many times faster.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        times: float = 1.0,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._times = times
        self._buckets: dict[Lane, _Bucket] = {}
        self._held: dict[tuple[str, str], float] = {}
        self._wanted: frozenset[Lane] = frozenset()

    def wait(self, lane: Lane) -> float:
        """Return in how many seconds a call could be made; 0 means now. Nothing is spent."""
        held = self._held.get((lane.team, lane.method), 0.0) - self._clock()
        return max(held, self._bucket(lane).wait(self._clock()), 0.0)

    def want(self, lanes: Iterable[Lane]) -> None:
        """Keep the next calls of these for what is urgent, until this is said anew."""
        self._wanted = frozenset(lanes)

    def take(self, lane: Lane, *, urgent: bool = False) -> float:
        """Spend one call if it can be made now and return 0, else return how long to wait."""
        wait = self.wait(lane)
        if wait == 0.0 and lane in self._wanted and not urgent:
            return 1.0 / self._bucket(lane).per_s
        if wait == 0.0:
            self._bucket(lane).level -= 1.0
        return wait

    def give_back(self, lane: Lane) -> None:
        """Return a call that was spent and not made."""
        bucket = self._bucket(lane)
        bucket.level = min(bucket.size, bucket.level + 1.0)

    async def turn(self, lane: Lane, *, urgent: bool = False) -> None:
        """Wait until a call can be made, and spend it."""
        while (wait := self.take(lane, urgent=urgent)) > 0.0:
            await self._sleep(wait)

    def hold(self, team: str, method: str, seconds: float) -> None:
        """Make no call of a method for a while: Slack has said so."""
        until = self._clock() + min(max(seconds, 0.0), LONGEST_S)
        self._held[team, method] = max(until, self._held.get((team, method), 0.0))

    def _bucket(self, lane: Lane) -> _Bucket:
        found = self._buckets.get(lane)
        if found is None:
            self._tidy()
            size, speed = _size_and_speed(lane)
            found = self._buckets[lane] = _Bucket(size, speed * self._times, size, self._clock())
        return found

    def _tidy(self) -> None:
        """Forget what is full again: channels and workspaces come and go."""
        old = self._clock() - FORGET_S
        for lane in [lane for lane, bucket in self._buckets.items() if bucket.at < old]:
            del self._buckets[lane]


class Pass:
    """A call that was spent before it is known whether it will be made. Close it.

    Further calls of what is urgent do not wait behind those of what is not.
    """

    def __init__(self, rates: Rates, lane: Lane | None = None, *, urgent: bool = False) -> None:
        self._rates = rates
        self._lane = lane
        self._urgent = urgent

    async def use(self, lane: Lane) -> None:
        """Be allowed to make a call: with this pass if it is for that, else when its turn comes."""
        if self._lane == lane:
            self._lane = None
        else:
            await self._rates.turn(lane, urgent=self._urgent)

    def room(self, lane: Lane) -> float:
        """Return in how many seconds a further call could be made."""
        return 0.0 if self._lane == lane else self._rates.wait(lane)

    def close(self) -> None:
        """Give back what was not used."""
        if self._lane is not None:
            self._rates.give_back(self._lane)
            self._lane = None
