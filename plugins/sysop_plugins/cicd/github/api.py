"""The part of GitHub's REST API that pipelines and deployments need."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sysop.api import ActionFailed, Context, Response
from sysop_plugins.cicd.github import replies
from sysop_plugins.cicd.github.ids import DeploymentId, RunId
from sysop_plugins.cicd.github.settings import GitHubSettings
from sysop_plugins.remote.wire import Wire, body_of, retry_after

_NEXT = re.compile(r'<([^<>]+)>;\s*rel="next"')
_OK, _CREATED, _ACCEPTED = frozenset({200, 204}), frozenset({201}), frozenset({202})
PAGE = "100"


class Api:
    """GitHub as one call sees it."""

    def __init__(self, ctx: Context, settings: GitHubSettings) -> None:
        headers = {
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
            "authorization": f"Bearer {ctx.secret(settings.token_secret)}",
        }
        name = "plugins.cicd.github.token_secret"
        self._http = ctx.http
        self._timeout = settings.timeout
        self._wire = Wire(ctx.http, "github", settings.api, headers, name, settings.timeout, _limit, _said)

    async def run(self, id: RunId) -> replies.RunReply:
        """Return an attempt of a run."""
        return await self._wire.read(
            replies.RUN, f"/repos/{id.repository}/actions/runs/{id.number}/attempts/{id.attempt}"
        )

    async def newest(self, id: RunId) -> replies.RunReply:
        """Return the newest attempt of a run."""
        return await self._wire.read(replies.RUN, f"/repos/{id.repository}/actions/runs/{id.number}")

    async def runs(self, repository: str, workflow: str, **only: str) -> AsyncIterator[replies.RunReply]:
        """Yield the runs of a workflow, newest first."""
        path = f"/repos/{repository}/actions/workflows/{quote(workflow)}/runs"
        async for page in self._wire.pages(replies.RUNS, path, _next, per_page=PAGE, **only):
            for run in page.workflow_runs:
                yield run

    async def dispatch(self, repository: str, workflow: str, ref: str, inputs: Mapping[str, str]) -> int | None:
        """Start a workflow and return its run, None where an older server does not tell."""
        path = f"/repos/{repository}/actions/workflows/{quote(workflow)}/dispatches"
        body = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        answer = await self._wire.change("POST", path, body, ok=_OK)
        return self._wire.fits(replies.STARTED, answer).workflow_run_id if answer.status == 200 else None

    async def rerun(self, id: RunId) -> None:
        """Run the failed jobs of a run again."""
        path = f"/repos/{id.repository}/actions/runs/{id.number}/rerun-failed-jobs"
        await self._wire.change("POST", path, ok=_CREATED)

    async def cancel(self, id: RunId) -> None:
        """Ask for a run to stop."""
        await self._wire.change("POST", f"/repos/{id.repository}/actions/runs/{id.number}/cancel", ok=_ACCEPTED)

    async def jobs(self, id: RunId) -> tuple[replies.Job, ...]:
        """Return the jobs of an attempt, at most a hundred."""
        path = f"/repos/{id.repository}/actions/runs/{id.number}/attempts/{id.attempt}/jobs"
        return (await self._wire.read(replies.JOBS, path, per_page=PAGE)).jobs

    async def annotations(self, repository: str, job: int) -> tuple[replies.Annotation, ...]:
        """Return what a job's steps pointed out."""
        return await self._wire.read(replies.ANNOTATIONS, f"/repos/{repository}/check-runs/{job}/annotations")

    async def log(self, repository: str, job: int) -> str:
        """Return a job's log, which lies at another server. Raises ActionFailed where that may not be asked."""
        there = await self._wire.elsewhere(f"/repos/{repository}/actions/jobs/{job}/logs")
        answer = await self._http.request("GET", there, timeout=self._timeout)  # its address is its own credential
        if answer.status != 200:
            raise ActionFailed(f"github: the log of job {job} cannot be read: {answer.status}")
        return answer.text

    async def deployments(self, repository: str, environment: str) -> AsyncIterator[replies.Deployment]:
        """Yield the deployments to an environment, newest first."""
        path = f"/repos/{repository}/deployments"
        async for page in self._wire.pages(
            replies.DEPLOYMENTS, path, _next, per_page=PAGE, environment=environment, task="deploy"
        ):
            for deployment in page:
                yield deployment

    async def deployment(self, id: DeploymentId) -> replies.Deployment:
        """Return a deployment."""
        return await self._wire.read(replies.DEPLOYMENT, f"/repos/{id.repository}/deployments/{id.number}")

    async def statuses(self, id: DeploymentId) -> tuple[replies.DeploymentStatus, ...]:
        """Return what became of a deployment, newest first."""
        path = f"/repos/{id.repository}/deployments/{id.number}/statuses"
        return await self._wire.read(replies.STATUSES, path, per_page=PAGE)

    async def deploy(self, repository: str, body: Mapping[str, Any]) -> replies.Deployment:
        """Ask for a deployment. GitHub refuses it (409) while checks of the commit have not passed."""
        answer = await self._wire.change("POST", f"/repos/{repository}/deployments", dict(body), ok=_CREATED)
        return self._wire.fits(replies.DEPLOYMENT, answer)

    async def compare(self, repository: str, one: str, other: str) -> replies.Compared:
        """Return what lies between two refs."""
        path = f"/repos/{repository}/compare/{quote(one, safe='')}...{quote(other, safe='')}"
        return await self._wire.read(replies.COMPARED, path)


def since(milliseconds: int) -> str:
    """Return a time as GitHub's searches take it."""
    return f">={datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _next(answer: Response) -> str | None:
    found = _NEXT.search(answer.headers.get("link", ""))
    return found[1] if found else None


def _limit(answer: Response) -> float | None:
    """Return how long to wait: GitHub refuses with 403 or 429, and then says when by one of two headers."""
    if answer.status not in (403, 429):
        return retry_after(answer)
    if (said := answer.headers.get("retry-after", "")).isdecimal():
        return float(said)
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(0.0, float(reset) - datetime.now(UTC).timestamp())
    return 30.0 if answer.status == 429 else None


def _said(answer: Response) -> str:
    """Return why GitHub refused, in its words."""
    found = body_of(answer)
    given = found.get("errors")  # objects, texts, or one text
    told = given if isinstance(given, list) else [given] if given else []
    errors = [str(one.get("message", one) if isinstance(one, dict) else one) for one in told]
    return "; ".join([str(found.get("message", "")), *errors]).strip("; ") or answer.text
