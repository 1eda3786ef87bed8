"""The ids of builds at Buildbot: the request for a build, which is there before the build and stays the same."""

from __future__ import annotations

import re

from sysop.api import InvalidCall

_ID = re.compile(r"buildbot:([1-9]\d{0,12})")


def build_id(request: int) -> str:
    """Return the id of what was asked for."""
    return f"buildbot:{request}"


def parse(build: str) -> int:
    """Return the request that an id names. Raises InvalidCall for text that is none."""
    found = _ID.fullmatch(build)
    if found is None:
        raise InvalidCall(f"build: {build!r} is no id of Buildbot's; they look like buildbot:45")
    return int(found[1])
