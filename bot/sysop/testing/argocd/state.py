"""What Argo CD holds: applications, the operation that goes on, and the history of those that succeeded."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sysop.testing.wire import Outcome, Progress, iso

REMEMBERED = 10
"""So many entries an application keeps, unless its `revisionHistoryLimit` says otherwise."""


def commit(version: str) -> str:
    """Return the commit a tag stands for."""
    return hashlib.sha1(version.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Operating:
    """An operation: what was asked for, how far it has come, and what it brings live."""

    operation: dict[str, Any]
    revision: str
    progress: Progress
    began: int | None = None


@dataclass
class Application:
    """An application whose versions are tags of its repository."""

    name: str
    tags: tuple[str, ...]
    target: str = "main"
    automated: bool = False
    annotations: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    last: Operating | None = None
    before: Operating | None = None
    health: str = "Healthy"
    script: deque[Outcome] = field(default_factory=deque)
    _entries: int = 0

    def next(self, *outcomes: Outcome) -> None:
        """Say how what is started next will go; without it, well."""
        self.script.extend(outcomes)

    @property
    def busy(self) -> bool:
        """Tell whether an operation waits or goes on."""
        return self.last is not None and self.last.progress.ended is None

    def begin(self, operation: dict[str, Any], revision: str, now: int) -> None:
        """Begin an operation."""
        self.before = self.last
        self.last = Operating(operation, revision, Progress(self.script.popleft() if self.script else Outcome(), now))

    def look(self, now: int) -> None:
        """Go on by one state, and remember what has succeeded."""
        it = self.last
        if it is None or it.progress.ended is not None:
            return
        it.began = it.began or now
        it.progress.look(now)
        if it.progress.state == "good":
            self._entries += 1
            self.history = [*self.history, self._entry(it, now)][-REMEMBERED:]

    def _entry(self, it: Operating, now: int) -> dict[str, Any]:
        return {
            "id": self._entries,
            "revision": it.revision,
            "deployedAt": iso(now),
            "deployStartedAt": iso(it.began or now),
            "source": self.source,
            "initiatedBy": it.operation["initiatedBy"],
        }

    @property
    def source(self) -> dict[str, Any]:
        """Return where its manifests come from."""
        return {"repoURL": "https://git.test/shop.git", "path": self.name, "targetRevision": self.target}
