"""From Buildbot's words to ours."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sysop_plugins.cicd.buildbot.api import Asked
from sysop_plugins.cicd.buildbot.ids import build_id
from sysop_plugins.cicd.buildbot.replies import Properties, RequestReply
from sysop_plugins.cicd.buildbot.settings import REASON
from sysop_plugins.cicd.provider import Build, BuildState

SUCCESS, WARNINGS, SKIPPED, CANCELLED = 0, 1, 3, 6
_STATES: dict[int, BuildState] = {
    **dict.fromkeys((SUCCESS, WARNINGS), "succeeded"),
    **dict.fromkeys((SKIPPED, CANCELLED), "cancelled"),
}
_NOT_OURS = frozenset({REASON, "owner", "scheduler"})
_REASON = re.compile(r"sysop\[([^\]]*)\](?: (.*))?", re.DOTALL)
_MOST_SAID = 100
"""Buildbot's own database keeps 256 characters of a reason, with its own words before ours."""


def reason_of(key: str, change: str) -> str:
    """Return the reason that carries a key and what is new."""
    return f"sysop[{key}] {' '.join(change.split())[:_MOST_SAID]}".rstrip()


def text(properties: Properties | None, name: str) -> str:
    """Return a property, "" where it is not there or no text."""
    value, _ = (properties or {}).get(name, ("", ""))
    return value if isinstance(value, str) else ""


def key_of(request: RequestReply, key_parameter: str) -> str:
    """Return our key, "" where somebody else asked."""
    if key_parameter != REASON:
        return text(request.properties, key_parameter)
    found = _REASON.fullmatch(text(request.properties, REASON))
    return found[1] if found else ""


def change_of(request: RequestReply) -> str:
    """Return what is new, as whoever asked said it."""
    reason = text(request.properties, REASON)
    found = _REASON.fullmatch(reason)
    return (found[2] or "") if found else reason


def build_of(name: str, asked: Asked, takes: Iterable[str] | None, url: str) -> Build:
    """Return a build of a pipeline that `takes` some parameters; where it is not declared, all that are known."""
    request, build = asked
    known = {key: str(value) for key, (value, _) in (request.properties or {}).items()}
    shown = set(known) - _NOT_OURS if takes is None else set(takes)
    state = _state(request)
    at = f"{url}/#/builders/{request.builderid}/builds/{build.number}" if build else ""
    return Build(
        id=build_id(request.buildrequestid),
        pipeline=name,
        state=state,
        parameters={key: value for key, value in sorted(known.items()) if key in shown},
        created_at=_ms(request.submitted_at),
        started_at=_ms(request.claimed_at) if request.claimed_at and build else None,
        finished_at=_ms(request.complete_at) if request.complete and request.complete_at else None,
        reason=_why(asked) if state in ("failed", "cancelled") else "",
        url=at or f"{url}/#/buildrequests/{request.buildrequestid}",
        requested_by=text(request.properties, "owner"),
        commit=text(build.properties, "got_revision") if build else "",
    )


def _state(request: RequestReply) -> BuildState:
    if request.complete:
        return _STATES.get(request.results if request.results is not None else -1, "failed")
    return "running" if request.claimed else "queued"


def _why(asked: Asked) -> str:
    request, build = asked
    if build is not None:
        return build.state_string
    if request.results == SKIPPED:
        return "merged into a later request; collapseRequests=False for its builder keeps them apart"
    return "taken back before it began"


def _ms(seconds: int) -> int:
    """Return the last millisecond of a second: what was measured before a build's end must never count as after it."""
    return seconds * 1000 + 999
