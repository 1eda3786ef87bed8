"""The part of Jenkins's remote access API that pipelines need."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlencode, urlsplit

from sysop.api import Context, InvalidCall, Response
from sysop_plugins.cicd.jenkins import replies
from sysop_plugins.cicd.jenkins.ids import BuildId
from sysop_plugins.cicd.jenkins.settings import JenkinsSettings
from sysop_plugins.remote.wire import Wire, body_of, retry_after

REMEMBERED = 100
_NOTES = "actions[parameters[name,value],causes[userId]]"
_CHANGES = "changeSets[items[commitId,msg,author[fullName],affectedPaths]]"
_BUILD = f"number,building,result,timestamp,duration,queueId,url,{_NOTES},{_CHANGES}"
_ITEM = f"id,inQueueSince,why,cancelled,task[url],executable[number],{_NOTES}"
_QUEUED = re.compile(r"/queue/item/(\d+)/?$")
_STARTED = frozenset({201})
_STOPPED = frozenset({200, 204, 302})
_PAGE = re.compile(r"<[^>]*>")


class Api:
    """Jenkins as one call sees it."""

    def __init__(self, ctx: Context, settings: JenkinsSettings) -> None:
        signed = base64.b64encode(f"{settings.user}:{ctx.secret(settings.token_secret)}".encode()).decode()
        name = "plugins.cicd.jenkins.token_secret"
        headers = {"authorization": f"Basic {signed}"}
        self._wire = Wire(ctx.http, "jenkins", settings.url, headers, name, settings.timeout, retry_after, _said)

    async def build(self, id: BuildId) -> replies.BuildReply:
        """Return a build."""
        return await self._wire.read(replies.BUILD, f"{_at(id.job)}/{id.number}/api/json", tree=_BUILD)

    async def builds(self, job: str) -> tuple[replies.BuildReply, ...]:
        """Return the newest builds of a job, newest first."""
        tree = f"builds[{_BUILD}]{{0,{REMEMBERED}}}"
        return (await self._wire.read(replies.BUILDS, f"{_at(job)}/api/json", tree=tree)).builds

    async def waiting(self, job: str) -> list[replies.QueueItem]:
        """Return what waits of a job."""
        found = await self._wire.read(replies.QUEUE, "/queue/api/json", tree=f"items[{_ITEM}]")
        return [item for item in found.items if _is_of(item, job)]

    async def item(self, job: str, number: int) -> replies.QueueItem | None:
        """Return what waits of a job, or waited until some minutes ago; None where it is forgotten or another job's."""
        try:
            found = await self._wire.read(replies.ITEM, f"/queue/item/{number}/api/json", tree=_ITEM)
        except InvalidCall:
            return None
        return found if _is_of(found, job) else None

    async def start(self, job: str, parameters: Mapping[str, str]) -> int:
        """Ask for a build and return its place in the queue."""
        path = f"{_at(job)}/buildWithParameters?{urlencode(parameters)}" if parameters else f"{_at(job)}/build"
        answer = await self._wire.change("POST", path, ok=_STARTED)
        found = _QUEUED.search(answer.headers.get("location", ""))
        if found is None:
            raise self._wire.failure("the answer does not tell the place of the build in the queue")
        return int(found[1])

    async def stop(self, id: BuildId) -> None:
        """Ask for a build to stop, or take it out of the queue."""
        path = f"/queue/cancelItem?id={id.number}" if id.waits else f"{_at(id.job)}/{id.number}/stop"
        await self._wire.change("POST", path, ok=_STOPPED)

    async def log(self, id: BuildId) -> str:
        """Return what a build wrote."""
        return await self._wire.text(f"{_at(id.job)}/{id.number}/consoleText")


def _is_of(item: replies.QueueItem, job: str) -> bool:
    """Tell whether what waits is a job's, by its address without the server's part: a server may have several names."""
    _, at, rest = urlsplit(item.task.url).path.partition("/job/")
    return unquote(at + rest).rstrip("/") == unquote(_at(job))


def _at(job: str) -> str:
    return "".join(f"/job/{quote(part)}" for part in job.split("/"))


def _said(answer: Response) -> str:
    """Return why Jenkins refused: mostly a header, else a page whose tags are left out."""
    return answer.headers.get("x-error") or str(body_of(answer).get("message") or _PAGE.sub(" ", answer.text))
