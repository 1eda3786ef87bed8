"""From GitLab's words to ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sysop_plugins.cicd.gitlab.ids import PipelineId
from sysop_plugins.cicd.gitlab.replies import Compared, Deployment, Job, PipelineReply
from sysop_plugins.cicd.provider import Build, BuildState, Commit, Comparison
from sysop_plugins.cicd.record import Record

SHORT = 12
"""So much of a commit's name stands for it."""
KEY, BY, SERVICE, CHANGE = "SYSOP_KEY", "SYSOP_BY", "SYSOP_SERVICE", "SYSOP_CHANGE"
NAME = "SYSOP_PIPELINE"
"""The variables under which a pipeline we start remembers why."""
_STATES: dict[str, BuildState] = {
    "running": "running",
    "canceling": "running",
    "success": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
    "skipped": "cancelled",
}


def attempt_of(jobs: Iterable[Job]) -> int:
    """Return how often the most retried job was tried, one where there is none yet."""
    return max(Counter(job.name for job in jobs).values(), default=1)


def build_of(project: str, name: str, it: PipelineReply, attempt: int, variables: Mapping[str, str]) -> Build:
    """Return a pipeline as a build. One that waits for a person (`manual`) counts as queued."""
    state = _STATES.get(it.status, "queued")
    ended = state in ("succeeded", "failed", "cancelled")
    return Build(
        id=str(PipelineId(project, it.id, attempt)),
        pipeline=name,
        state=state,
        parameters={key.lower(): value for key, value in variables.items() if not key.startswith("SYSOP_")},
        created_at=it.created_at,
        started_at=it.started_at if state != "queued" else None,
        finished_at=(it.finished_at or it.updated_at or it.created_at) if ended else None,
        reason=it.status if ended and state != "succeeded" else "",
        url=it.web_url,
        requested_by=variables.get(BY) or (it.user.username if it.user else ""),
        commit=it.sha,
    )


def deployed(project: str, name: str, service: str, it: Deployment) -> Record:
    """Return a deployment that nobody asked us for. One that no pipeline made is not called like one."""
    pipeline = it.deployable.pipeline if it.deployable else None
    state = _STATES.get(it.status, "queued")
    ended = state in ("succeeded", "failed", "cancelled")
    version = it.ref if it.deployable and it.deployable.tag else it.sha[:SHORT]
    build = Build(
        id=str(PipelineId(project, pipeline.id, 1)) if pipeline else f"gitlab:{project}:deployment:{it.id}",
        pipeline=name,
        state=state,
        parameters={"service": service, "version": version},
        created_at=it.created_at,
        started_at=it.created_at if state != "queued" else None,
        finished_at=it.updated_at if ended else None,
        requested_by=it.user.username if it.user else "",
        commit=it.sha,
    )
    return Record(build, service, version)


def comparison_of(service: str, one: str, other: str, found: Compared) -> Comparison:
    """Return what lies between two refs; lines are counted in the differences GitLab shows."""
    commits = tuple(Commit(id=it.id, author=it.author_name, message=it.title) for it in found.commits)
    lines = [line for diff in found.diffs for line in diff.diff.splitlines()]
    return Comparison(
        service=service,
        one=one,
        other=other,
        commits=commits,
        authors=tuple(sorted({commit.author for commit in commits if commit.author})),
        files=tuple(diff.new_path for diff in found.diffs),
        additions=sum(line.startswith("+") for line in lines),
        deletions=sum(line.startswith("-") for line in lines),
        url=found.web_url,
    )
