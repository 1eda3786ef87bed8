"""What a repository holds: refs, workflows, runs and deployments, each with the script of how it will go."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sysop.testing.wire import Outcome, Progress


@dataclass(slots=True)
class Run:
    """A run of a workflow."""

    id: int
    workflow: str
    ref: str
    inputs: dict[str, str]
    title: str
    created: int
    attempts: list[Progress]

    @property
    def newest(self) -> Progress:
        """Return the last attempt."""
        return self.attempts[-1]


@dataclass(slots=True)
class Deployment:
    """A deployment, and how it goes."""

    id: int
    body: Mapping[str, Any]
    created: int
    attempt: Progress
    replaced: int | None = None


@dataclass(slots=True)
class Workflow:
    """A workflow that can be dispatched: its inputs, True where required. `run_name` may hold `{input}`."""

    file: str
    inputs: Mapping[str, bool]
    run_name: str


@dataclass
class Repository:
    """A repository. `refs` are its branches and tags."""

    name: str
    refs: Sequence[str]
    workflows: dict[str, Workflow] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    checks_pass: bool = True
    script: deque[Outcome] = field(default_factory=deque)

    def workflow(self, file: str, inputs: Mapping[str, bool] | None = None, run_name: str = "") -> None:
        """Add a workflow."""
        self.workflows[file] = Workflow(file, inputs or {}, run_name or file)

    def next(self, *outcomes: Outcome) -> None:
        """Say how what is started next will go; without it, well."""
        self.script.extend(outcomes)

    def attempt(self, now: int) -> Progress:
        """Begin something."""
        return Progress(self.script.popleft() if self.script else Outcome(), now)
