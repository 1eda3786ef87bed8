"""The HTTP side of GitLab's API, version 4."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from sysop.testing.gitlab.state import Pipeline, Project, Try
from sysop.testing.wire import START, Clock, Refused, Reply, StandIn, iso

READ_TOKEN = "read-token-of-a-test"  # noqa: S105  it opens nothing
WRITE_TOKEN = "write-token-of-a-test"  # noqa: S105  it opens nothing
_STATUS = {"queued": "pending", "running": "running", "good": "success", "bad": "failed", "stopped": "canceled"}
_NOT_FOUND = {"message": "404 Not Found"}

Query = Mapping[str, str]


class GitLab(StandIn):
    """The server."""

    def __init__(self) -> None:
        super().__init__()
        self._projects: dict[str, Project] = {}
        self._clock = Clock()
        self._jobs = 9000
        table: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
            ("GET", "pipelines", self._pipelines),
            ("POST", "pipeline", self._start),
            ("GET", r"pipelines/(?P<id>\d+)", self._pipeline),
            ("GET", r"pipelines/(?P<id>\d+)/variables", self._variables),
            ("GET", r"pipelines/(?P<id>\d+)/jobs", self._jobs_of),
            ("POST", r"pipelines/(?P<id>\d+)/retry", self._retry),
            ("POST", r"pipelines/(?P<id>\d+)/cancel", self._cancel),
            ("GET", r"jobs/(?P<job>\d+)/trace", self._trace),
            ("GET", "deployments", self._deployments),
            ("GET", "repository/compare", self._compare),
        )
        self._routes = [
            (method, re.compile(rf"/api/v4/projects/(?P<project>[^/]+)/{path}"), to) for method, path, to in table
        ]

    def project(self, name: str, refs: Sequence[str] = ("main",)) -> Project:
        """Make a project."""
        self._projects[name] = Project(name, refs, number=len(self._projects) + 1)
        return self._projects[name]

    def answer(self, method: str, path: str, query: Query, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Answer as GitLab does."""
        token = headers.get("private-token")
        if token not in (READ_TOKEN, WRITE_TOKEN):
            raise Refused(401, {"message": "401 Unauthorized"})
        if method != "GET" and token != WRITE_TOKEN:
            raise Refused(403, {"error": "insufficient_scope", "error_description": "needs api", "scope": "api"})
        for wanted, pattern, to in self._routes:
            found = pattern.fullmatch(path)
            if found and wanted == method:
                at = {name: unquote(value) for name, value in found.groupdict().items()}
                project = self._project_at(at["project"])
                if project.shows_variables_to_maintainers and token == READ_TOKEN and path.endswith("/variables"):
                    raise Refused(403, {"message": "403 Forbidden"})
                return to(project, at, {**query, "": path}, json.loads(raw) if raw else {})
        self.problems.append(f"{method} {path} is no address of GitLab's")
        raise Refused(404, {"error": "404 Not Found"})

    def _project_at(self, place: str) -> Project:
        """Return a project by its path or its number."""
        found = [one for one in self._projects.values() if place in (one.name, str(one.number))]
        if not found:
            raise Refused(404, {"message": "404 Project Not Found"})
        return found[0]

    # -- pipelines ---------------------------------------------------------------------------------------------------

    def _pipelines(self, project: Project, _: Query, query: Query, __: Any) -> Reply:
        found = [one for one in reversed(project.pipelines) if query.get("source", one.source) == one.source]
        if after := query.get("updated_after"):
            found = [one for one in found if iso(one.newest.ended or one.newest.began) >= after]
        return self._page(query, [self._short(project, one) for one in found])

    def _start(self, project: Project, _: Query, __: Query, body: Any) -> Reply:
        if unknown := sorted(set(body) - {"ref", "variables", "inputs"}):
            self.problems.append(f"a pipeline does not take {unknown[0]}")
        if body.get("ref") not in project.refs:
            raise Refused(400, {"message": {"base": ["Reference not found"]}})
        variables = {one["key"]: one["value"] for one in body.get("variables", [])}
        now = self._clock.now()
        made = Pipeline(len(project.pipelines) + 401, body["ref"], variables, now, [self._try(project, now)])
        project.pipelines.append(made)
        self.changes.append(f"start {made.ref}")
        return Reply(201, self._whole(project, made))

    def _pipeline(self, project: Project, at: Query, _: Query, __: Any) -> Reply:
        it = _find(project, at["id"])
        it.newest.look(self._clock.now())
        return Reply(200, self._whole(project, it))

    def _variables(self, project: Project, at: Query, _: Query, __: Any) -> Reply:
        it = _find(project, at["id"])
        rows = [{"variable_type": "env_var", "key": k, "value": v, "raw": False} for k, v in it.variables.items()]
        return Reply(200, rows)

    def _retry(self, project: Project, at: Query, _: Query, __: Any) -> Reply:
        it = _find(project, at["id"])
        if it.newest.state in ("bad", "stopped"):
            it.tries.append(self._try(project, self._clock.now()))
            self.changes.append(f"retry {it.id}")
        return Reply(201, self._whole(project, it))

    def _cancel(self, project: Project, at: Query, _: Query, __: Any) -> Reply:
        it = _find(project, at["id"])
        if it.newest.ended is None:
            it.newest.stopped = True
            self.changes.append(f"cancel {it.id}")
        return Reply(200, self._whole(project, it))

    def _jobs_of(self, project: Project, at: Query, query: Query, __: Any) -> Reply:
        it = _find(project, at["id"])
        tries = it.tries if query.get("include_retried", "").lower() == "true" else it.tries[-1:]
        return self._page(query, [self._job(project, it, one) for one in reversed(tries)])

    def _trace(self, project: Project, at: Query, _: Query, __: Any) -> Reply:
        for one in (one for it in project.pipelines for one in it.tries):
            if one.id == int(at["job"]):
                return Reply(200, one.progress.outcome.log)
        raise Refused(404, _NOT_FOUND)

    def _deployments(self, project: Project, _: Query, query: Query, __: Any) -> Reply:
        if query.get("environment", project.environment) != project.environment:
            return Reply(200, [])
        mine = [it for it in reversed(project.pipelines) if it.ref != project.refs[0] and it.newest.state != "queued"]
        return self._page(query, [self._deployment(project, it) for it in mine])

    def _compare(self, project: Project, _: Query, query: Query, __: Any) -> Reply:
        if not {query.get("from"), query.get("to")} <= set(project.refs):
            raise Refused(404, {"message": "404 Ref Not Found"})
        commit = {
            "id": _sha(query["to"]),
            "short_id": _sha(query["to"])[:8],
            "title": f"release {query['to']}",
            "message": f"release {query['to']}\n",
            "author_name": "Ada",
            "author_email": "ada@shop.test",
            "created_at": iso(START),
        }
        diff = {"old_path": "cart.py", "new_path": "cart.py", "diff": "@@ -1 +1,2 @@\n-a\n+b\n+c\n", "new_file": False}
        body = {"commit": commit, "commits": [commit], "diffs": [diff], "compare_timeout": False}
        return Reply(200, {**body, "compare_same_ref": False, "web_url": f"{self.url}/{project.name}/-/compare"})

    # -- shapes ------------------------------------------------------------------------------------------------------

    def _try(self, project: Project, now: int) -> Try:
        self._jobs += 1
        return Try(self._jobs, project.progress(now))

    def _short(self, project: Project, it: Pipeline) -> dict[str, Any]:
        return {
            "id": it.id,
            "iid": it.id,
            "project_id": project.number,
            "sha": _sha(it.ref),
            "ref": it.ref,
            "status": _STATUS[it.newest.state],
            "source": it.source,
            "created_at": iso(it.created),
            "updated_at": iso(it.newest.ended or it.newest.began),
            "web_url": f"{self.url}/{project.name}/-/pipelines/{it.id}",
            "name": None,
        }

    def _whole(self, project: Project, it: Pipeline) -> dict[str, Any]:
        last = it.newest
        return {
            **self._short(project, it),
            "before_sha": "0" * 40,
            "tag": it.ref != project.refs[0],
            "yaml_errors": None,
            "user": self._user(),
            "started_at": iso(last.began) if last.state != "queued" else None,
            "finished_at": iso(last.ended) if last.ended else None,
            "committed_at": None,
            "duration": (last.ended - last.began) if last.ended else None,
            "queued_duration": 1,
            "coverage": None,
            "detailed_status": {"text": _STATUS[last.state], "group": _STATUS[last.state]},
        }

    def _job(self, project: Project, it: Pipeline, one: Try) -> dict[str, Any]:
        state = one.progress.state
        return {
            "id": one.id,
            "name": "build",
            "stage": "test",
            "status": _STATUS[state],
            "failure_reason": "script_failure" if state == "bad" else None,
            "ref": it.ref,
            "tag": it.ref != project.refs[0],
            "created_at": iso(one.progress.began),
            "started_at": iso(one.progress.began),
            "finished_at": iso(one.progress.ended) if one.progress.ended else None,
            "allow_failure": False,
            "web_url": f"{self.url}/{project.name}/-/jobs/{one.id}",
            "user": self._user(),
            "pipeline": {
                "id": it.id,
                "project_id": project.number,
                "ref": it.ref,
                "sha": _sha(it.ref),
                "status": _STATUS[state],
            },
        }

    def _deployment(self, project: Project, it: Pipeline) -> dict[str, Any]:
        last = it.newest
        return {
            "id": it.id + 1000,
            "iid": it.id,
            "ref": it.ref,
            "sha": _sha(it.ref),
            "status": it.deployed or _STATUS[last.state],
            "created_at": iso(last.began),
            "updated_at": iso(last.ended or last.began),
            "user": self._user(),
            "environment": {"id": 1, "name": project.environment, "external_url": None, "slug": project.environment},
            "deployable": self._job(project, it, it.tries[-1]),
        }

    def _user(self) -> dict[str, Any]:
        place = f"{self.url}/sysop"
        return {"id": 1, "username": "sysop", "name": "Sysop", "state": "active", "avatar_url": None, "web_url": place}

    def _page(self, query: Query, rows: Sequence[Any]) -> Reply:
        size, page = min(int(query.get("per_page", "20")), 100), int(query.get("page", "1"))
        headers = {"x-total": str(len(rows)), "x-page": str(page)}
        if page * size < len(rows):
            more = "&".join(f"{k}={quote(v)}" for k, v in {**query, "page": str(page + 1)}.items() if k)
            headers["link"] = f'<{self.url}{query[""]}?{more}>; rel="next"'
        return Reply(200, rows[(page - 1) * size : page * size], headers)


def _find(project: Project, id: str) -> Pipeline:
    found = [one for one in project.pipelines if one.id == int(id)]
    if not found:
        raise Refused(404, _NOT_FOUND)
    return found[0]


def _sha(ref: str) -> str:
    return hashlib.sha1(ref.encode()).hexdigest()  # noqa: S324  it is what git uses
