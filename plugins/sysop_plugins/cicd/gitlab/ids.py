"""The ids of builds at GitLab: a pipeline and how often its jobs were tried."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysop.api import InvalidCall

_ID = re.compile(r"gitlab:([A-Za-z0-9_./-]+):([1-9]\d{0,18}):([1-9]\d{0,5})")


@dataclass(frozen=True, slots=True)
class PipelineId:
    """A pipeline. `attempt` is one more than the most often that one of its jobs was retried."""

    project: str
    number: int
    attempt: int

    def __str__(self) -> str:
        """Return the id as text."""
        return f"gitlab:{self.project}:{self.number}:{self.attempt}"


def parse(build: str) -> PipelineId:
    """Return what an id names. Raises InvalidCall for text that is none."""
    found = _ID.fullmatch(build)
    if found is None:
        raise InvalidCall(f"build: {build!r} is no id of GitLab's; they look like gitlab:group/project:123:1")
    return PipelineId(found[1], int(found[2]), int(found[3]))
