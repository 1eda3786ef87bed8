"""From Jenkins's words to ours."""

from __future__ import annotations

from collections.abc import Iterable

from sysop_plugins.cicd.jenkins.ids import BuildId
from sysop_plugins.cicd.jenkins.replies import BuildReply, Note, QueueItem
from sysop_plugins.cicd.provider import Build, BuildState

BY = "sysop_by"
_RESULTS: dict[str, BuildState] = {"SUCCESS": "succeeded", "ABORTED": "cancelled", "NOT_BUILT": "cancelled"}


def given(notes: Iterable[Note | None]) -> dict[str, str]:
    """Return the parameters of a build."""
    return {one.name: str(one.value) for note in notes if note for one in note.parameters if one.value is not None}


def build_of(job: str, name: str, it: BuildReply, hidden: str | None) -> Build:
    """Return a build. `hidden` is the parameter that holds our key, which is none of the pipeline's own."""
    ended = not it.building and it.result is not None
    state = _RESULTS.get(it.result or "", "failed") if ended else "running"
    return Build(
        id=str(BuildId(job, it.number)),
        pipeline=name,
        state=state,
        parameters={key: value for key, value in given(it.actions).items() if key != hidden},
        created_at=it.timestamp,
        started_at=it.timestamp,
        finished_at=it.timestamp + it.duration if ended else None,
        reason=(it.result or "").lower() if state in ("failed", "cancelled") else "",
        url=it.url,
        requested_by=_who(it.actions),
        commit=it.changeSets[-1].items[-1].commitId if it.changeSets and it.changeSets[-1].items else "",
    )


def waiting_of(job: str, name: str, it: QueueItem, hidden: str | None) -> Build:
    """Return what waits as a build."""
    return Build(
        id=str(BuildId(job, it.id, waits=True)),
        pipeline=name,
        state="cancelled" if it.cancelled else "queued",
        parameters={key: value for key, value in given(it.actions).items() if key != hidden},
        created_at=it.inQueueSince,
        finished_at=it.inQueueSince if it.cancelled else None,
        reason="taken out of the queue" if it.cancelled else it.why or "",
        requested_by=_who(it.actions),
    )


def _who(notes: Iterable[Note | None]) -> str:
    return next((cause.userId for note in notes if note for cause in note.causes if cause.userId), "")
