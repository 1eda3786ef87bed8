"""The HTTP side of Jenkins's remote access API."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sysop.testing.jenkins.state import Item, Job
from sysop.testing.wire import Clock, Refused, Reply, StandIn

USER = "sysop"
TOKEN = "token-of-a-test"  # noqa: S105  it opens nothing
LOOKER, LOOKERS_TOKEN = "looker", "lookers-token-of-a-test"
_RESULT = {"good": "SUCCESS", "bad": "FAILURE", "stopped": "ABORTED"}
_PAGE = "<html><head><title>Error {0}</title></head><body><h2>HTTP ERROR {0} {1}</h2></body></html>"

Handler = Callable[[Mapping[str, str], Mapping[str, str]], Reply]


class Jenkins(StandIn):
    """The server."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs: dict[str, Job] = {}
        self._clock = Clock()
        self._ids = 70
        job = "(?P<job>(?:/job/[^/]+)+)"
        table: tuple[tuple[str, str, Handler], ...] = (
            ("POST", f"{job}/buildWithParameters", self._start),
            ("POST", f"{job}/build", self._start),
            ("GET", f"{job}/api/json", self._builds),
            ("GET", f"{job}/(?P<number>[0-9]+)/api/json", self._build),
            ("GET", f"{job}/(?P<number>[0-9]+)/consoleText", self._log),
            ("GET", f"{job}/(?P<number>[0-9]+)/", self._page),
            ("POST", f"{job}/(?P<number>[0-9]+)/stop", self._stop),
            ("GET", "/queue/api/json", self._queue),
            ("GET", "/queue/item/(?P<id>[0-9]+)/api/json", self._item),
            ("POST", "/queue/cancelItem", self._cancel),
        )
        self._routes = [(method, re.compile(path), to) for method, path, to in table]

    def job(self, path: str, parameters: Sequence[str] = ()) -> Job:
        """Make a job."""
        self._jobs[path] = Job(path, parameters)
        return self._jobs[path]

    def forget_queue(self) -> None:
        """Forget what has left the queue, as Jenkins does after five minutes."""
        for item in self._items():
            item.forgotten = item.number is not None

    def refusal(self, status: int, message: str) -> Any:
        """Return the page with which Jenkins refuses."""
        return _PAGE.format(status, message)

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Reply:
        """Answer as Jenkins does."""
        self._may(method, headers.get("authorization", ""))
        for wanted, pattern, to in self._routes:
            found = pattern.fullmatch(path)
            if found and wanted == method:
                if method == "GET" and path.endswith("json") and not {"tree", "depth"} & set(query):
                    self.problems.append(f"{path}: without `tree` or `depth` it would answer with all it knows")
                return to({name: unquote(value) for name, value in found.groupdict().items()}, query)
        self.problems.append(f"{method} {path} is no address of Jenkins's")
        raise Refused(404, self.refusal(404, "Not Found"))

    def _may(self, method: str, said: str) -> None:
        user, _, token = base64.b64decode(said.removeprefix("Basic ")).decode().partition(":")
        if (user, token) not in ((USER, TOKEN), (LOOKER, LOOKERS_TOKEN)):
            raise Refused(401, self.refusal(401, "Unauthorized"))
        if method != "GET" and user == LOOKER:
            raise Refused(403, f"{LOOKER} is missing the Job/Build permission")

    def _job(self, at: Mapping[str, str]) -> Job:
        path = at["job"].replace("/job/", "/").strip("/")
        if path not in self._jobs:
            raise Refused(404, self.refusal(404, "Not Found"))
        return self._jobs[path]

    def _start(self, at: Mapping[str, str], query: Mapping[str, str]) -> Reply:
        job = self._job(at)
        self._ids += 1
        now = self._clock.now()
        kept = {name: query.get(name, "") for name in job.parameters}
        job.items.append(Item(self._ids, kept, now, job.progress(now)))
        self.changes.append(f"start {job.path}")
        return Reply(201, None, {"location": f"{self.url}/queue/item/{self._ids}/"})

    def _builds(self, at: Mapping[str, str], _: Mapping[str, str]) -> Reply:
        job = self._job(at)
        return Reply(
            200, {"_class": "hudson.model.FreeStyleProject", "builds": [self._told(job, b) for b in job.builds]}
        )

    def _build(self, at: Mapping[str, str], _: Mapping[str, str]) -> Reply:
        job = self._job(at)
        it = self._numbered(job, at)
        it.progress.look(self._clock.now())
        return Reply(200, self._told(job, it))

    def _log(self, at: Mapping[str, str], _: Mapping[str, str]) -> Reply:
        return Reply(200, self._numbered(self._job(at), at).progress.outcome.log)

    def _stop(self, at: Mapping[str, str], _: Mapping[str, str]) -> Reply:
        job = self._job(at)
        it = self._numbered(job, at)
        if it.progress.ended is None:
            it.progress.stopped = True
            self.changes.append(f"stop {it.number}")
        return Reply(302, None, {"location": f"{self.url}{_path(job)}/{it.number}/"})

    def _page(self, at: Mapping[str, str], _: Mapping[str, str]) -> Reply:
        return Reply(200, f"<html>build {self._numbered(self._job(at), at).number}</html>")

    def _queue(self, _: Mapping[str, str], __: Mapping[str, str]) -> Reply:
        waits = [self._place(one) for one in self._items() if one.number is None and not one.cancelled]
        return Reply(200, {"_class": "hudson.model.Queue", "items": waits})

    def _item(self, at: Mapping[str, str], _: Mapping[str, str]) -> Reply:
        it = self._waiting(at["id"])
        answer = self._place(it)
        if it.number is None and not it.cancelled:
            job = next(job for job in self._jobs.values() if it in job.items)
            it.number = len(job.builds) + 1
        return Reply(200, answer)

    def _cancel(self, _: Mapping[str, str], query: Mapping[str, str]) -> Reply:
        it = self._waiting(query.get("id", ""))
        if it.number is None and not it.cancelled:
            it.cancelled = True
            self.changes.append(f"unqueue {it.id}")
        return Reply(204)

    def _items(self) -> Iterator[Item]:
        return (item for job in self._jobs.values() for item in job.items)

    def _waiting(self, id: str) -> Item:
        found = [one for one in self._items() if str(one.id) == id and not one.forgotten]
        if not found:
            raise Refused(404, self.refusal(404, "Not Found"))
        return found[0]

    def _numbered(self, job: Job, at: Mapping[str, str]) -> Item:
        found = [one for one in job.builds if str(one.number) == at["number"]]
        if not found:
            raise Refused(404, self.refusal(404, "Not Found"))
        return found[0]

    def _notes(self, it: Item) -> list[dict[str, Any]]:
        parameters = [{"name": name, "value": value} for name, value in it.parameters.items()]
        return [
            {"_class": "hudson.model.ParametersAction", "parameters": parameters},
            {
                "_class": "hudson.model.CauseAction",
                "causes": [{"_class": "hudson.model.Cause$UserIdCause", "userId": USER}],
            },
            {},
        ]

    def _told(self, job: Job, it: Item) -> dict[str, Any]:
        progress = it.progress
        commit = {
            "commitId": "c" * 40,
            "msg": f"release {it.parameters.get('version', '')}\n",
            "affectedPaths": ["cart.py"],
        }
        return {
            "_class": "hudson.model.FreeStyleBuild",
            "number": it.number,
            "building": progress.ended is None,
            "result": _RESULT.get(progress.state),
            "timestamp": it.since * 1000,
            "duration": (progress.ended - it.since) * 1000 if progress.ended else 0,
            "queueId": it.id,
            "url": f"{self.url}{_path(job)}/{it.number}/",
            "actions": self._notes(it),
            "changeSets": [
                {"_class": "hudson.plugins.git.GitChangeSetList", "items": [{**commit, "author": {"fullName": "Ada"}}]}
            ],
        }

    def _place(self, it: Item) -> dict[str, Any]:
        job = next(job for job in self._jobs.values() if it in job.items)
        return {
            "_class": "hudson.model.Queue$LeftItem" if it.number else "hudson.model.Queue$WaitingItem",
            "id": it.id,
            "inQueueSince": it.since * 1000,
            "why": None if it.number else "Waiting for next available executor",
            "task": {"_class": "hudson.model.FreeStyleProject", "url": f"{self.url}{_path(job)}/"},
            "actions": self._notes(it),
            **({"cancelled": it.cancelled} if it.number or it.cancelled else {}),
            **({"executable": {"_class": "hudson.model.FreeStyleBuild", "number": it.number}} if it.number else {}),
        }


def _path(job: Job) -> str:
    return "".join(f"/job/{part}" for part in job.path.split("/"))
