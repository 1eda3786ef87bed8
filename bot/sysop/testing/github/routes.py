"""What each address does, with the refusals of the real server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sysop.testing.github import answers, shapes
from sysop.testing.github.state import Deployment, Repository, Run
from sysop.testing.wire import Clock, Refused, Reply, iso


def refused(status: int, message: str) -> Refused:
    """Return a refusal as GitHub words it."""
    return Refused(status, {"message": message, "documentation_url": "https://docs.github.com/rest"})


class World(Clock):
    """The repositories and the clock. Where it `tells_runs`, a dispatch is answered with its run, as of late."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__()
        self.repositories: dict[str, Repository] = {}
        self.url = ""
        self.logs_url = ""
        self.tells_runs = True
        self.changes = changes

    def repository(self, name: str) -> Repository:
        """Return a repository. Raises Refused where there is none, or it is not shown to whoever asks."""
        if name not in self.repositories:
            raise refused(404, "Not Found")
        return self.repositories[name]


Handler = Callable[[World, Repository, Mapping[str, str], Mapping[str, str], Any], Reply]


def _workflow_runs(world: World, repo: Repository, at: Mapping[str, str], query: Mapping[str, str], _: Any) -> Reply:
    if at["file"] not in repo.workflows:
        raise refused(404, "Not Found")
    runs = [one for one in reversed(repo.runs) if one.workflow == at["file"]]
    if created := query.get("created"):
        runs = [one for one in runs if iso(one.created) >= created.removeprefix(">=")]
    body = [answers.run(world.url, repo, one, len(one.attempts)) for one in runs]
    return _page(at["address"], query, body, lambda page: {"total_count": len(body), "workflow_runs": page})


def _dispatch(world: World, repo: Repository, at: Mapping[str, str], _: Mapping[str, str], body: Any) -> Reply:
    workflow = repo.workflows.get(at["file"])
    if workflow is None:
        raise refused(404, "Not Found")
    _only(body, {"ref", "inputs", "return_run_details"})
    if body.get("ref") not in repo.refs:
        raise refused(422, f"No ref found for: {body.get('ref')}")
    inputs = body.get("inputs", {})
    if unknown := sorted(set(inputs) - set(workflow.inputs)):
        raise refused(422, f"Unexpected inputs provided: {unknown}")
    if missing := [name for name, needed in workflow.inputs.items() if needed and name not in inputs]:
        raise refused(422, f"Required input '{missing[0]}' not provided")
    now = world.now()
    title = workflow.run_name.format_map({name: inputs.get(name, "") for name in workflow.inputs})
    run = Run(len(repo.runs) + 1001, at["file"], body["ref"], dict(inputs), title, now, [repo.attempt(now)])
    repo.runs.append(run)
    world.changes.append(f"dispatch {at['file']}")
    if not (body.get("return_run_details") and world.tells_runs):
        return Reply(204)
    base = f"{world.url}/repos/{repo.name}/actions/runs/{run.id}"
    return Reply(200, {"workflow_run_id": run.id, "run_url": base, "html_url": base})


def _run(world: World, repo: Repository, at: Mapping[str, str], _: Mapping[str, str], __: Any) -> Reply:
    run = _run_at(repo, at)
    number = int(at.get("attempt") or len(run.attempts))
    if not 1 <= number <= len(run.attempts):
        raise refused(404, "Not Found")
    run.attempts[number - 1].look(world.now())
    return Reply(200, answers.run(world.url, repo, run, number))


def _jobs(world: World, repo: Repository, at: Mapping[str, str], query: Mapping[str, str], _: Any) -> Reply:
    body = [answers.job(world.url, repo, _run_at(repo, at), int(at["attempt"]))]
    return _page(at["address"], query, body, lambda page: {"total_count": len(body), "jobs": page})


def _rerun(world: World, repo: Repository, at: Mapping[str, str], _: Mapping[str, str], __: Any) -> Reply:
    run = _run_at(repo, at)
    if run.newest.ended is None:
        raise refused(403, "This workflow is already running")
    run.attempts.append(repo.attempt(world.now()))
    world.changes.append(f"rerun {run.id}")
    return Reply(201, {})


def _cancel(world: World, repo: Repository, at: Mapping[str, str], _: Mapping[str, str], __: Any) -> Reply:
    run = _run_at(repo, at)
    if run.newest.ended is not None:
        raise refused(409, "Cannot cancel a workflow run that is completed.")
    run.newest.stopped = True
    world.changes.append(f"cancel {run.id}")
    return Reply(202, {})


def _annotations(_: World, repo: Repository, at: Mapping[str, str], __: Mapping[str, str], ___: Any) -> Reply:
    run, number = _job_at(repo, at)
    full = {"start_column": None, "end_column": None, "title": "", "raw_details": "", "blob_href": ""}
    return Reply(200, [{**full, **one} for one in run.attempts[number - 1].outcome.annotations])


def _log(world: World, repo: Repository, at: Mapping[str, str], _: Mapping[str, str], __: Any) -> Reply:
    run, number = _job_at(repo, at)
    return Reply(302, None, {"location": f"{world.logs_url}/{repo.name}/{run.id}/{number}?sig=secret"})


def _deployments(world: World, repo: Repository, at: Mapping[str, str], query: Mapping[str, str], _: Any) -> Reply:
    found = [
        answers.deployment(world.url, repo, one)
        for one in reversed(repo.deployments)
        if query.get("environment", one.body["environment"]) == one.body["environment"]
    ]
    return _page(at["address"], query, found, list)


def _deploy(world: World, repo: Repository, _: Mapping[str, str], __: Mapping[str, str], body: Any) -> Reply:
    known = {"ref", "task", "auto_merge", "required_contexts", "payload", "environment", "description"}
    _only(body, known | {"transient_environment", "production_environment"})
    if body.get("ref") not in repo.refs:
        raise refused(422, f"No ref found for: {body.get('ref')}")
    if len(body.get("description") or "") > 140:
        raise refused(422, "Description is too long (maximum is 140 characters)")
    if not repo.checks_pass and body.get("required_contexts") != []:
        raise refused(409, f"Conflict: Commit status checks failed for {body['ref']}.")
    now = world.now()
    made = Deployment(len(repo.deployments) + 501, {"environment": "production", **body}, now, repo.attempt(now))
    repo.deployments.append(made)
    world.changes.append(f"deploy {body['ref']}")
    return Reply(201, answers.deployment(world.url, repo, made))


def _deployment(world: World, repo: Repository, at: Mapping[str, str], _: Mapping[str, str], __: Any) -> Reply:
    return Reply(200, answers.deployment(world.url, repo, _deployment_at(repo, at)))


def _statuses(world: World, repo: Repository, at: Mapping[str, str], query: Mapping[str, str], _: Any) -> Reply:
    it = _deployment_at(repo, at)
    before = it.attempt.ended
    it.attempt.look(world.now())
    if before is None and it.attempt.state == "good":
        _replace(repo, it, world.now())
    return _page(at["address"], query, answers.statuses(world.url, repo, it), list)


def _replace(repo: Repository, by: Deployment, now: int) -> None:
    """Make what was live before inactive, as GitHub does."""
    for one in repo.deployments:
        same = one.body["environment"] == by.body["environment"]
        if same and one is not by and one.attempt.state == "good" and one.replaced is None:
            one.replaced = now


def _compare(world: World, repo: Repository, at: Mapping[str, str], _: Mapping[str, str], __: Any) -> Reply:
    if not {at["one"], at["other"]} <= set(repo.refs):
        raise refused(404, "Not Found")
    return Reply(200, shapes.comparison(world.url, repo.name, at["one"], at["other"]))


def _only(body: Any, known: set[str]) -> None:
    if not isinstance(body, dict):
        raise refused(400, "Problems parsing JSON")
    if unknown := sorted(set(body) - known):
        raise refused(422, f'Invalid request.\n\n"{unknown[0]}" is not a permitted key.')


def _page(address: str, query: Mapping[str, str], rows: Sequence[Any], shape: Callable[[Sequence[Any]], Any]) -> Reply:
    size, page = min(int(query.get("per_page", "30")), 100), int(query.get("page", "1"))
    shown = rows[(page - 1) * size : page * size]
    headers = {}
    if page * size < len(rows):
        more = "&".join(f"{k}={v}" for k, v in {**query, "page": str(page + 1)}.items())
        headers["link"] = f'<{address}?{more}>; rel="next"'
    return Reply(200, shape(shown), headers)


def _run_at(repo: Repository, at: Mapping[str, str]) -> Run:
    found = [one for one in repo.runs if one.id == int(at["run"])]
    if not found:
        raise refused(404, "Not Found")
    return found[0]


def _job_at(repo: Repository, at: Mapping[str, str]) -> tuple[Run, int]:
    run, number = divmod(int(at["job"]), 100)
    return _run_at(repo, {"run": str(run)}), number


def _deployment_at(repo: Repository, at: Mapping[str, str]) -> Deployment:
    found = [one for one in repo.deployments if one.id == int(at["id"])]
    if not found:
        raise refused(404, "Not Found")
    return found[0]


_TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "actions/workflows/(?P<file>[^/]+)/runs", _workflow_runs),
    ("POST", "actions/workflows/(?P<file>[^/]+)/dispatches", _dispatch),
    ("GET", r"actions/runs/(?P<run>\d+)", _run),
    ("GET", r"actions/runs/(?P<run>\d+)/attempts/(?P<attempt>\d+)", _run),
    ("GET", r"actions/runs/(?P<run>\d+)/attempts/(?P<attempt>\d+)/jobs", _jobs),
    ("POST", r"actions/runs/(?P<run>\d+)/rerun-failed-jobs", _rerun),
    ("POST", r"actions/runs/(?P<run>\d+)/cancel", _cancel),
    ("GET", r"actions/jobs/(?P<job>\d+)/logs", _log),
    ("GET", r"check-runs/(?P<job>\d+)/annotations", _annotations),
    ("GET", "deployments", _deployments),
    ("POST", "deployments", _deploy),
    ("GET", r"deployments/(?P<id>\d+)", _deployment),
    ("GET", r"deployments/(?P<id>\d+)/statuses", _statuses),
    ("GET", r"compare/(?P<one>[^/]+?)\.\.\.(?P<other>[^/]+)", _compare),
)
ROUTES = tuple((method, re.compile(rf"/repos/(?P<repo>[^/]+/[^/]+)/{path}"), to) for method, path, to in _TABLE)
