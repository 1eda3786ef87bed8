"""The part of GitLab's REST API, version 4, that pipelines and deployments need."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from sysop.api import Context, Response
from sysop_plugins.cicd.gitlab import replies
from sysop_plugins.cicd.gitlab.ids import PipelineId
from sysop_plugins.cicd.gitlab.settings import GitLabSettings
from sysop_plugins.remote.wire import Forbidden, Wire, body_of, retry_after

_NEXT = re.compile(r'<([^<>]+)>;\s*rel="next"')
_OK, _CREATED = frozenset({200, 201}), frozenset({201})
PAGE = "100"


class Api:
    """GitLab as one call sees it."""

    def __init__(self, ctx: Context, settings: GitLabSettings) -> None:
        headers = {"private-token": ctx.secret(settings.token_secret)}
        place, name = f"{settings.url}/api/v4", "plugins.cicd.gitlab.token_secret"
        self._wire = Wire(ctx.http, "gitlab", place, headers, name, settings.timeout, retry_after, _said)

    async def pipeline(self, project: str, number: int) -> replies.PipelineReply:
        """Return a pipeline."""
        return await self._wire.read(replies.PIPELINE, f"{_at(project)}/pipelines/{number}")

    async def pipelines(self, project: str, **only: str) -> AsyncIterator[replies.PipelineReply]:
        """Yield the pipelines of a project, newest first."""
        path = f"{_at(project)}/pipelines"
        async for page in self._wire.pages(
            replies.PIPELINES, path, _next, per_page=PAGE, order_by="id", sort="desc", **only
        ):
            for pipeline in page:
                yield pipeline

    async def variables(self, project: str, number: int) -> dict[str, str] | None:
        """Return the variables a pipeline was started with.

        None where they are not shown: only maintainers may read those of pipelines that others started.
        """
        try:
            found = await self._wire.read(replies.VARIABLES, f"{_at(project)}/pipelines/{number}/variables")
        except Forbidden:
            return None
        return {one.key: one.value for one in found}

    async def start(self, project: str, ref: str, variables: Mapping[str, str]) -> replies.PipelineReply:
        """Start a pipeline."""
        body = {"ref": ref, "variables": [{"key": key, "value": value} for key, value in variables.items()]}
        answer = await self._wire.change("POST", f"{_at(project)}/pipeline", body, ok=_CREATED)
        return self._wire.fits(replies.PIPELINE, answer)

    async def retry(self, id: PipelineId) -> replies.PipelineReply:
        """Run the jobs of a pipeline that failed or were cancelled again."""
        path = f"{_at(id.project)}/pipelines/{id.number}/retry"
        return self._wire.fits(replies.PIPELINE, await self._wire.change("POST", path, ok=_OK))

    async def cancel(self, id: PipelineId) -> replies.PipelineReply:
        """Ask for a pipeline to stop."""
        path = f"{_at(id.project)}/pipelines/{id.number}/cancel"
        return self._wire.fits(replies.PIPELINE, await self._wire.change("POST", path, ok=_OK))

    async def jobs(self, project: str, number: int) -> tuple[replies.Job, ...]:
        """Return the jobs of a pipeline with those that were retried, newest first, at most a hundred."""
        path = f"{_at(project)}/pipelines/{number}/jobs"
        return await self._wire.read(replies.JOBS, path, per_page=PAGE, include_retried="true")

    async def log(self, project: str, job: int) -> str:
        """Return what a job wrote."""
        return await self._wire.text(f"{_at(project)}/jobs/{job}/trace")

    async def deployments(self, project: str, environment: str) -> AsyncIterator[replies.Deployment]:
        """Yield the deployments to an environment, newest first."""
        path = f"{_at(project)}/deployments"
        async for page in self._wire.pages(
            replies.DEPLOYMENTS, path, _next, per_page=PAGE, environment=environment, order_by="id", sort="desc"
        ):
            for deployment in page:
                yield deployment

    async def compare(self, project: str, one: str, other: str) -> replies.Compared:
        """Return what lies between two refs."""
        return await self._wire.read(
            replies.COMPARED, f"{_at(project)}/repository/compare", **{"from": one, "to": other}
        )


def since(milliseconds: int) -> str:
    """Return a time as GitLab's searches take it."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _at(project: str) -> str:
    return f"/projects/{quote(project, safe='')}"


def _next(answer: Response) -> str | None:
    found = _NEXT.search(answer.headers.get("link", ""))
    return found[1] if found else None


def _said(answer: Response) -> str:
    """Return why GitLab refused, in its words: they come under either of two names, and in several shapes."""
    found = body_of(answer)
    told = found.get("message") or found.get("error") or answer.text
    if isinstance(told, dict):
        told = [f"{name}: {_listed(what)}" for name, what in told.items()]
    return "; ".join(map(str, told)) if isinstance(told, list) else str(told)


def _listed(what: object) -> str:
    return ", ".join(map(str, what)) if isinstance(what, list) else str(what)
