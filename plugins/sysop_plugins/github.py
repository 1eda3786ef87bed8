"""GitHub: understand webhooks of workflow runs and deployments. One that fails is an alert, a later success ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sysop.api import Alert, AlertSource, Change, ChangeKind, ChangeState, Delivery, hookimpl, signed
from sysop_plugins.incoming import Id, Sent, Text, Time, link, milliseconds, read, refuse, with_text
from sysop_plugins.incoming.builds import identity, outcome, short

_WORKFLOW = "a workflow_run event of GitHub"
_DEPLOYMENT = "a deployment_status event of GitHub"
_FAILED_RUNS = frozenset({"failure", "timed_out", "startup_failure"})
_FAILED_DEPLOYMENTS = frozenset({"error", "failure"})
_REACHED: Mapping[str, ChangeState] = {
    "pending": ChangeState.STARTED,
    "queued": ChangeState.STARTED,
    "in_progress": ChangeState.STARTED,
    "success": ChangeState.DONE,
    "error": ChangeState.FAILED,
    "failure": ChangeState.FAILED,
}
"""What a deployment's state means; `inactive` says only that another one has taken its place."""


class Settings(BaseModel):
    """Which service a repository holds, `owner/name` to service; one that is not named holds the service `name`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, str] = Field(default_factory=dict)


class _Repository(Sent):
    full_name: Text
    name: Text
    default_branch: str = ""


class _Head(Sent):
    """Where the commit of a workflow run comes from; a fork's branches are not ours, whatever they are called."""

    full_name: Text


class _Run(Sent):
    workflow_id: Id
    name: str | None = None
    head_branch: str | None = None
    head_sha: Text
    head_repository: _Head | None = None
    event: str = ""
    conclusion: str | None
    run_number: int
    run_started_at: Time
    updated_at: Time
    html_url: str = ""


class _Action(Sent):
    action: Text


class _WorkflowRun(Sent):
    workflow_run: _Run
    repository: _Repository


class _Login(Sent):
    login: str = ""


class _Deployment(Sent):
    id: int | None = None
    task: str = "deploy"
    payload: Any = None
    description: str | None = None
    creator: _Login | None = None
    ref: str = ""
    sha: str = ""
    created_at: Time
    production_environment: bool | None = None
    transient_environment: bool | None = None


class _Status(Sent):
    state: Text
    environment: Text
    description: str | None = None
    created_at: Time
    target_url: str | None = None
    log_url: str | None = None


class _DeploymentStatus(Sent):
    deployment_status: _Status
    deployment: _Deployment
    repository: _Repository


class _Numbered(Sent):
    id: int | None = None


class _Moved(Sent):
    """A workflow run or a deployment, of which only the number is wanted."""

    workflow_run: _Numbered | None = None
    deployment: _Numbered | None = None
    repository: _Repository


def parse(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return the alert of a failure, the ending that a success is, or nothing. Raises ValueError naming each field."""
    event = delivery.headers.get("x-github-event")
    if not event:
        refuse("a webhook of GitHub", "X-GitHub-Event", "the header is missing")
    reader = _READERS.get(event)
    return reader(delivery.json, services) if reader else ()


def changes(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Change]:
    """Return the deployment that a status is of, or nothing. What asked for it may have noted the service with it."""
    if delivery.headers.get("x-github-event") != "deployment_status":
        return
    sent = read(_DeploymentStatus, delivery.json, _DEPLOYMENT)
    status, it, repository = sent.deployment_status, sent.deployment, sent.repository
    state = _REACHED.get(status.state)
    if state is None or it.id is None:
        return
    noted = it.payload if isinstance(it.payload, dict) else {}
    yield Change(
        ChangeKind.DEPLOY,
        str(noted.get("service") or services.get(repository.full_name, repository.name)),
        source="github",
        id=f"github:{repository.full_name}:deployment:{it.id}",
        at=milliseconds(status.created_at if state is not ChangeState.STARTED else it.created_at),
        began_at=milliseconds(it.created_at),
        state=state,
        environment=status.environment,
        after=it.ref or short(it.sha),
        by=str(noted.get("by") or (it.creator.login if it.creator else "")),
        title=it.description or "",
        url=link(status.log_url) or link(status.target_url),
    )


def moved(delivery: Delivery) -> Iterable[str]:
    """Return the workflow run or the deployment that has moved on, as the plugin cicd calls it."""
    event = delivery.headers.get("x-github-event")
    if event not in ("workflow_run", "deployment_status"):
        return
    sent = read(_Moved, delivery.json, f"a {event} event of GitHub")
    it, kind = (sent.workflow_run, "") if event == "workflow_run" else (sent.deployment, "deployment:")
    if it is not None and it.id is not None:
        yield f"github:{sent.repository.full_name}:{kind}{it.id}"


def _workflow_run(payload: Any, services: Mapping[str, str]) -> Iterable[Alert]:
    if read(_Action, payload, _WORKFLOW).action != "completed":
        return
    sent = read(_WorkflowRun, payload, _WORKFLOW)
    run, repository = sent.workflow_run, sent.repository
    failed = run.conclusion in _FAILED_RUNS
    if run.conclusion is None or not (failed or run.conclusion == "success"):
        return  # cancelled, skipped and the like tell nothing of the code
    name, branch = run.name or f"workflow {run.workflow_id}", _branch(run, repository)
    said = f"{name} of {repository.full_name} {_words(run.conclusion)} on {branch} at {short(run.head_sha)}"
    yield outcome(
        "github",
        identity(repository.full_name, "workflow", run.workflow_id, branch),
        failed=failed,
        began=milliseconds(run.run_started_at),
        ended=milliseconds(run.updated_at),
        labels=with_text(
            {"alertname": "WorkflowFailed", "severity": "error" if branch == repository.default_branch else "info"},
            _where(repository, services),
            {"workflow": name, "branch": branch, "version": run.head_sha},
        ),
        annotations=with_text({"summary": said, "run": f"number {run.run_number}, started by {run.event or 'GitHub'}"}),
        url=link(run.html_url),
    )


def _branch(run: _Run, repository: _Repository) -> str:
    branch = run.head_branch or run.head_sha
    head = run.head_repository
    return branch if head is None or head.full_name == repository.full_name else f"{head.full_name}:{branch}"


def _deployment_status(payload: Any, services: Mapping[str, str]) -> Iterable[Alert]:
    sent = read(_DeploymentStatus, payload, _DEPLOYMENT)
    status, deployment, repository = sent.deployment_status, sent.deployment, sent.repository
    failed = status.state in _FAILED_DEPLOYMENTS
    if not failed and status.state != "success":
        return
    what = f"{deployment.task} of {repository.full_name} to {status.environment}"
    yield outcome(
        "github",
        identity(repository.full_name, "deployment", deployment.task, status.environment),
        failed=failed,
        began=milliseconds(deployment.created_at),
        ended=milliseconds(status.created_at),
        labels=with_text(
            {"alertname": "DeploymentFailed", "severity": _severity(deployment), "environment": status.environment},
            _where(repository, services),
            {"branch": deployment.ref, "version": deployment.sha},
        ),
        annotations=with_text({"summary": f"{what}: {status.state}", "description": status.description}),
        url=link(status.log_url) or link(status.target_url),
    )


def _severity(deployment: _Deployment) -> str:
    """Return how bad a failure is: environments made for one change come and go, nobody else works in them."""
    if deployment.production_environment:
        return "critical"
    return "info" if deployment.transient_environment else "error"


def _where(repository: _Repository, services: Mapping[str, str]) -> dict[str, str | None]:
    return {
        "repository": repository.full_name,
        "service": services.get(repository.full_name, repository.name),
    }


def _words(conclusion: str) -> str:
    return {"failure": "failed", "timed_out": "took too long", "startup_failure": "could not start"}.get(
        conclusion, "succeeded"
    )


_READERS: Mapping[str, Callable[[Any, Mapping[str, str]], Iterable[Alert]]] = {
    "workflow_run": _workflow_run,
    "deployment_status": _deployment_status,
}


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return which service each repository holds."""
    return Settings


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/github`, signed with the token as the webhook's secret."""
    proves = signed("X-Hub-Signature-256", prefix="sha256=")
    return [
        AlertSource(
            "github",
            lambda delivery: parse(delivery, settings.services),
            proves,
            changes=lambda delivery: changes(delivery, settings.services),
            moved=moved,
        )
    ]
