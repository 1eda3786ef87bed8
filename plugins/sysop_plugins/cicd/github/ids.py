"""The ids of builds at GitHub: a run of a workflow with its attempt, or a deployment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysop.api import InvalidCall

_ID = re.compile(
    r"github:([A-Za-z0-9-]+/[A-Za-z0-9._-]+):(?:([1-9]\d{0,19}):([1-9]\d{0,5})|deployment:([1-9]\d{0,19}))"
)


@dataclass(frozen=True, slots=True)
class RunId:
    """A run. `attempt` counts from one."""

    repository: str
    number: int
    attempt: int

    def __str__(self) -> str:
        """Return the id as text."""
        return f"github:{self.repository}:{self.number}:{self.attempt}"


@dataclass(frozen=True, slots=True)
class DeploymentId:
    """A deployment."""

    repository: str
    number: int

    def __str__(self) -> str:
        """Return the id as text."""
        return f"github:{self.repository}:deployment:{self.number}"


def parse(build: str) -> RunId | DeploymentId:
    """Return what an id names. Raises InvalidCall for text that is none."""
    found = _ID.fullmatch(build)
    if found is None:
        raise InvalidCall(f"build: {build!r} is no id of GitHub's; they look like github:owner/name:123:1")
    repository, run, attempt, deployment = found.groups()
    return DeploymentId(repository, int(deployment)) if deployment else RunId(repository, int(run), int(attempt))
