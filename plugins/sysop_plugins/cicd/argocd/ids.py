"""The ids of operations at Argo CD: by when one began, or as the one after another that was the last then."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysop.api import InvalidCall

_ID = re.compile(r"argocd:([a-z0-9][a-z0-9.-]{0,252}):(after-)?(0|[1-9]\d{0,14})")


@dataclass(frozen=True, slots=True)
class OperationId:
    """An operation of an application that began at `at`, or the first that began after it; milliseconds."""

    application: str
    at: int
    after: bool = False

    def __str__(self) -> str:
        """Return the id as text."""
        return f"argocd:{self.application}:{'after-' if self.after else ''}{self.at}"


def parse(build: str) -> OperationId:
    """Return what an id names. Raises InvalidCall for text that is none."""
    found = _ID.fullmatch(build)
    if found is None:
        raise InvalidCall(f"build: {build!r} is no id of Argo CD's; they look like argocd:checkout:1790000000000")
    return OperationId(found[1], int(found[3]), found[2] is not None)
