"""The ids of builds at Jenkins: a build of a job, or its place in the queue before it has a number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysop.api import InvalidCall

_ID = re.compile(r"jenkins:([^:?#%]{1,150}):(queue:)?([1-9]\d{0,12})")


@dataclass(frozen=True, slots=True)
class BuildId:
    """A build by its number, or what waits by its place in the queue."""

    job: str
    number: int
    waits: bool = False

    def __str__(self) -> str:
        """Return the id as text."""
        return f"jenkins:{self.job}:{'queue:' if self.waits else ''}{self.number}"


def parse(build: str) -> BuildId:
    """Return what an id names. Raises InvalidCall for text that is none."""
    found = _ID.fullmatch(build)
    if found is None:
        raise InvalidCall(f"build: {build!r} is no id of Jenkins's; they look like jenkins:folder/job:45")
    return BuildId(found[1], int(found[3]), found[2] is not None)
