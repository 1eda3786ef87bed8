"""What a project holds: refs, pipelines with their jobs, and the environment its pipelines of a tag deploy to."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sysop.testing.wire import Outcome, Progress


@dataclass(slots=True)
class Try:
    """One job of a pipeline, tried once."""

    id: int
    progress: Progress


@dataclass(slots=True)
class Pipeline:
    """A pipeline. It has one job, `build`, which is tried again and again.

    `deployed` is how its deployment ended, where that is not how the pipeline did.
    """

    id: int
    ref: str
    variables: Mapping[str, str]
    created: int
    tries: list[Try]
    source: str = "api"
    deployed: str | None = None

    @property
    def newest(self) -> Progress:
        """Return the last try."""
        return self.tries[-1].progress


@dataclass
class Project:
    """A project. `refs` are its branches and tags; a pipeline on a tag deploys to `environment`.

    Where it `shows_variables_to_maintainers`, the token that may read belongs to a developer, who started none.
    """

    name: str
    refs: Sequence[str]
    environment: str = "production"
    number: int = 1
    shows_variables_to_maintainers: bool = False
    pipelines: list[Pipeline] = field(default_factory=list)
    script: deque[Outcome] = field(default_factory=deque)

    def next(self, *outcomes: Outcome) -> None:
        """Say how what is started next will go; without it, well."""
        self.script.extend(outcomes)

    def progress(self, now: int) -> Progress:
        """Begin something."""
        return Progress(self.script.popleft() if self.script else Outcome(), now)
