"""From GitHub's words to ours."""

from __future__ import annotations

from collections.abc import Sequence

from sysop_plugins.cicd.github.ids import DeploymentId, RunId
from sysop_plugins.cicd.github.replies import Compared, Deployment, DeploymentStatus, RunReply
from sysop_plugins.cicd.provider import Build, BuildState, Commit, Comparison

_CONCLUDED: dict[str, BuildState] = {
    "success": "succeeded",
    "neutral": "succeeded",
    "skipped": "succeeded",
    "cancelled": "cancelled",
}
_STATUS: dict[str, BuildState] = {
    "in_progress": "running",
    "success": "succeeded",
    "failure": "failed",
    "error": "failed",
}


def build_of(repository: str, pipeline: str, run: RunReply) -> Build:
    """Return a run as a build. Its inputs are not told again by GitHub."""
    state = _run_state(run)
    ended = run.status == "completed"
    said = run.conclusion or ""
    return Build(
        id=str(RunId(repository, run.id, run.run_attempt)),
        pipeline=pipeline,
        state=state,
        parameters={},
        created_at=run.created_at,
        started_at=run.run_started_at if state != "queued" else None,
        finished_at=run.updated_at if ended else None,
        reason=said if ended and said != "success" else "",
        url=run.html_url,
        requested_by=run.triggering_actor.login if run.triggering_actor else "",
        commit=run.head_sha,
    )


def _run_state(run: RunReply) -> BuildState:
    if run.status == "completed":
        return _CONCLUDED.get(run.conclusion or "", "failed")
    return "running" if run.status == "in_progress" else "queued"


def deployed(repository: str, pipeline: str, service: str, it: Deployment, said: Sequence[DeploymentStatus]) -> Build:
    """Return a deployment as a build. `said` is what became of it, newest first."""
    state, at = _deployment_state(said)
    begun = next((one.created_at for one in reversed(said) if one.state == "in_progress"), None)
    newest = said[0] if said else None
    return Build(
        id=str(DeploymentId(repository, it.id)),
        pipeline=pipeline,
        state=state,
        parameters={"service": service, "version": it.ref},
        created_at=it.created_at,
        started_at=begun or (at if state != "queued" else None),
        finished_at=at if state in ("succeeded", "failed", "cancelled") else None,
        reason=(newest.description or newest.state) if newest and state in ("failed", "cancelled") else "",
        url=(newest.log_url or newest.target_url or "") if newest else "",
        requested_by=it.noted("by") or (it.creator.login if it.creator else ""),
        commit=it.sha,
    )


def _deployment_state(said: Sequence[DeploymentStatus]) -> tuple[BuildState, int | None]:
    """Return the state and since when. A deployment that a later one replaced is `inactive`, and had its end before."""
    if not said:
        return "queued", None
    newest = said[0]
    if newest.state != "inactive":
        return _STATUS.get(newest.state, "queued"), newest.created_at
    before = next((one for one in said if _STATUS.get(one.state) in ("succeeded", "failed")), None)
    return (_STATUS[before.state], before.created_at) if before else ("cancelled", newest.created_at)


def comparison_of(service: str, one: str, other: str, found: Compared) -> Comparison:
    """Return what lies between two refs."""
    commits = [
        Commit(
            id=commit.sha,
            author=commit.author.login if commit.author else (commit.commit.author and commit.commit.author.name) or "",
            message=commit.commit.message.partition("\n")[0],
        )
        for commit in found.commits
    ]
    return Comparison(
        service=service,
        one=one,
        other=other,
        commits=tuple(commits),
        more=max(0, found.total_commits - len(commits)),
        authors=tuple(sorted({commit.author for commit in commits if commit.author})),
        files=tuple(file.filename for file in found.files),
        additions=sum(file.additions for file in found.files),
        deletions=sum(file.deletions for file in found.files),
        url=found.html_url,
    )
