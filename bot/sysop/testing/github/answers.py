"""What GitHub answers, field by field, as its description of version 2022-11-28 has it."""

from __future__ import annotations

from typing import Any

from sysop.testing.github.shapes import account, repository, sha
from sysop.testing.github.state import Deployment, Repository, Run
from sysop.testing.wire import Progress, iso


def status(attempt: Progress) -> str:
    """Return how far an attempt has come."""
    return {"queued": "queued", "running": "in_progress"}.get(attempt.state, "completed")


def conclusion(attempt: Progress) -> str | None:
    """Return how an attempt ended, None while it has not."""
    return {"good": "success", "bad": "failure", "stopped": "cancelled"}.get(attempt.state)


def run(api: str, repo: Repository, it: Run, number: int) -> dict[str, Any]:
    """Return an attempt of a run."""
    attempt = it.attempts[number - 1]
    base = f"{api}/repos/{repo.name}/actions/runs/{it.id}"
    return {
        "id": it.id,
        "name": it.workflow,
        "node_id": f"WFR_{it.id}",
        "head_branch": it.ref,
        "head_sha": sha(it.ref),
        "path": f".github/workflows/{it.workflow}",
        "display_title": it.title,
        "run_number": it.id,
        "event": "workflow_dispatch",
        "status": status(attempt),
        "conclusion": conclusion(attempt),
        "workflow_id": 7,
        "url": base,
        "html_url": f"{api}/{repo.name}/actions/runs/{it.id}",
        "pull_requests": [],
        "created_at": iso(it.created),
        "updated_at": iso(attempt.ended or attempt.began),
        "run_started_at": iso(attempt.began),
        "actor": account(api, "sysop"),
        "triggering_actor": account(api, "sysop"),
        "run_attempt": number,
        "jobs_url": f"{base}/jobs",
        "logs_url": f"{base}/logs",
        "check_suite_url": f"{api}/repos/{repo.name}/check-suites/1",
        "artifacts_url": f"{base}/artifacts",
        "cancel_url": f"{base}/cancel",
        "rerun_url": f"{base}/rerun",
        "workflow_url": f"{api}/repos/{repo.name}/actions/workflows/7",
        "head_commit": None,
        "repository": repository(api, repo.name),
        "head_repository": repository(api, repo.name),
    }


def job(api: str, repo: Repository, it: Run, number: int) -> dict[str, Any]:
    """Return the only job of an attempt."""
    attempt = it.attempts[number - 1]
    id = it.id * 100 + number
    step = {
        "name": "test",
        "status": status(attempt),
        "conclusion": conclusion(attempt),
        "number": 1,
        "started_at": iso(attempt.began),
        "completed_at": iso(attempt.ended) if attempt.ended else None,
    }
    return {
        "id": id,
        "run_id": it.id,
        "run_url": f"{api}/repos/{repo.name}/actions/runs/{it.id}",
        "run_attempt": number,
        "node_id": f"J_{id}",
        "head_sha": sha(it.ref),
        "url": f"{api}/repos/{repo.name}/actions/jobs/{id}",
        "html_url": None,
        "status": status(attempt),
        "conclusion": conclusion(attempt),
        "created_at": iso(attempt.began),
        "started_at": iso(attempt.began),
        "completed_at": iso(attempt.ended) if attempt.ended else None,
        "name": "build",
        "steps": [step],
        "check_run_url": f"{api}/repos/{repo.name}/check-runs/{id}",
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "r",
        "runner_group_id": 1,
        "runner_group_name": "g",
        "workflow_name": it.workflow,
        "head_branch": it.ref,
    }


def deployment(api: str, repo: Repository, it: Deployment) -> dict[str, Any]:
    """Return a deployment."""
    base = f"{api}/repos/{repo.name}/deployments/{it.id}"
    return {
        "url": base,
        "id": it.id,
        "node_id": f"DE_{it.id}",
        "sha": sha(it.body["ref"]),
        "ref": it.body["ref"],
        "task": it.body.get("task", "deploy"),
        "payload": it.body.get("payload", {}),
        "original_environment": it.body["environment"],
        "environment": it.body["environment"],
        "description": it.body.get("description"),
        "creator": account(api, "sysop"),
        "created_at": iso(it.created),
        "updated_at": iso(it.created),
        "statuses_url": f"{base}/statuses",
        "repository_url": f"{api}/repos/{repo.name}",
        "transient_environment": False,
        "production_environment": True,
    }


def statuses(api: str, repo: Repository, it: Deployment) -> list[dict[str, Any]]:
    """Return what became of a deployment, newest first."""
    attempt = it.attempt
    told = [("in_progress", attempt.began)] if attempt.state != "queued" else []
    if attempt.ended is not None:
        told.append((conclusion(attempt) or "", attempt.ended))
    if it.replaced is not None:
        told.append(("inactive", it.replaced))
    base = f"{api}/repos/{repo.name}/deployments/{it.id}"
    return [
        {
            "url": f"{base}/statuses/{number}",
            "id": number,
            "node_id": f"DES_{number}",
            "state": state,
            "creator": account(api, "sysop"),
            "description": attempt.outcome.log[:140],
            "environment": it.body["environment"],
            "target_url": "",
            "created_at": iso(at),
            "updated_at": iso(at),
            "deployment_url": base,
            "repository_url": f"{api}/repos/{repo.name}",
            "environment_url": "",
            "log_url": f"{api}/{repo.name}/actions/runs/1",
        }
        for number, (state, at) in reversed(list(enumerate(told, 1)))
    ]
