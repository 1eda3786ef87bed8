"""What Jenkins holds: jobs, what waits in the queue, and builds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sysop.testing.wire import Outcome, Progress


@dataclass(slots=True)
class Item:
    """What was asked for. It waits until it was looked at once, then it is a build with a number."""

    id: int
    parameters: Mapping[str, str]
    since: int
    progress: Progress
    number: int | None = None
    cancelled: bool = False
    forgotten: bool = False


@dataclass
class Job:
    """A job in its folders. It takes the parameters it declares and silently drops others, as Jenkins does."""

    path: str
    parameters: Sequence[str]
    items: list[Item] = field(default_factory=list)
    script: deque[Outcome] = field(default_factory=deque)

    def next(self, *outcomes: Outcome) -> None:
        """Say how what is started next will go; without it, well."""
        self.script.extend(outcomes)

    def progress(self, now: int) -> Progress:
        """Begin something."""
        return Progress(self.script.popleft() if self.script else Outcome(), now)

    @property
    def builds(self) -> list[Item]:
        """Return what has a number, newest first."""
        return sorted((one for one in self.items if one.number is not None), key=lambda one: -(one.number or 0))
