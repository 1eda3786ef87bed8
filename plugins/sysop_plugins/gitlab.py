"""GitLab: understand webhooks of pipelines. One that fails is an alert, a later success ends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sysop.api import Alert, AlertSource, Change, ChangeKind, ChangeState, Delivery, header, hookimpl
from sysop_plugins.incoming import Sent, Text, Time, link, milliseconds, read, with_text
from sysop_plugins.incoming.builds import identity, outcome, short

_PIPELINE = "a pipeline event of GitLab"
_OF_A_REQUEST = frozenset({"merge_request_event", "external_pull_request_event"})
_SHOWN_JOBS = 5
_SHORT = 12
"""So much of a commit's name stands for it, as in the plugin cicd."""
_REACHED: Mapping[str, ChangeState] = {
    "success": ChangeState.DONE,
    "failed": ChangeState.FAILED,
    "canceled": ChangeState.CANCELLED,
}


class Settings(BaseModel):
    """Which service a project holds, `group/project` to service; one that is not named holds the service `project`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, str] = Field(default_factory=dict)


def _with_offset(value: Any) -> Any:
    return value.removesuffix(" UTC") + "Z" if isinstance(value, str) and value.endswith(" UTC") else value


_GitLabTime = Annotated[Time, BeforeValidator(_with_offset)]
"""A time as GitLab writes it in webhooks, `2016-08-12 15:23:28 UTC`, or in the form of ISO 8601."""


class _Variable(Sent):
    key: str = ""
    value: str | None = None


class _Pipeline(Sent):
    id: int
    variables: tuple[_Variable, ...] | None = None
    name: str | None = None
    ref: Text
    tag: bool = False
    sha: Text
    source: str = ""
    status: Text
    created_at: _GitLabTime
    finished_at: _GitLabTime | None = None
    url: str = ""


class _Project(Sent):
    path_with_namespace: Text
    default_branch: str | None = None
    web_url: str = ""


class _Environment(Sent):
    name: str = ""
    action: str | None = None


class _Job(Sent):
    name: Text
    status: Text
    allow_failure: bool | None = None
    environment: _Environment | None = None


class _User(Sent):
    username: str = ""


class _MergeRequest(Sent):
    iid: int


class _Kind(Sent):
    object_kind: Text


class _Event(Sent):
    object_attributes: _Pipeline
    project: _Project
    merge_request: _MergeRequest | None = None
    builds: tuple[_Job, ...] = ()
    user: _User | None = None


def parse(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return the alert of a failure, the ending that a success is, or nothing. Raises ValueError naming each field."""
    if read(_Kind, delivery.json, "a webhook of GitLab").object_kind != "pipeline":
        return
    sent = read(_Event, delivery.json, _PIPELINE)
    pipeline, project = sent.object_attributes, sent.project
    if pipeline.status not in ("failed", "success"):
        return
    branch, path = _branch(sent), project.path_with_namespace
    name = pipeline.name or "pipeline"
    said = f"{name} of {path} {_words(pipeline.status)} on {branch} at {short(pipeline.sha)}"
    yield outcome(
        "gitlab",
        identity(path, "pipeline", branch),
        failed=pipeline.status == "failed",
        began=milliseconds(pipeline.created_at),
        ended=milliseconds(pipeline.finished_at or pipeline.created_at),
        labels=with_text(
            {"alertname": "PipelineFailed", "severity": "error" if branch == project.default_branch else "info"},
            {"repository": path, "service": services.get(path, path.rpartition("/")[2])},
            {"branch": branch, "version": pipeline.sha},
        ),
        annotations=with_text({"summary": said, "failed_jobs": _failed_jobs(sent.builds)}),
        url=link(pipeline.url) or _link(project, pipeline),
    )


def changes(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Change]:
    """Return the deploy that a pipeline is which has a job for an environment, or nothing."""
    if read(_Kind, delivery.json, "a webhook of GitLab").object_kind != "pipeline":
        return
    sent = read(_Event, delivery.json, _PIPELINE)
    pipeline, path = sent.object_attributes, sent.project.path_with_namespace
    places = [job.environment.name for job in sent.builds if job.environment and _starts(job.environment)]
    if not places:
        return
    state = _REACHED.get(pipeline.status, ChangeState.STARTED)
    noted = {one.key: one.value or "" for one in pipeline.variables or ()}
    ended = pipeline.finished_at if state is not ChangeState.STARTED else None
    yield Change(
        ChangeKind.DEPLOY,
        noted.get("SYSOP_SERVICE") or services.get(path, path.rpartition("/")[2]),
        source="gitlab",
        id=f"gitlab:{path}:{pipeline.id}",
        at=milliseconds(ended or pipeline.created_at),
        began_at=milliseconds(pipeline.created_at),
        state=state,
        environment=places[0],
        after=pipeline.ref if pipeline.tag else pipeline.sha[:_SHORT],
        by=noted.get("SYSOP_BY") or (sent.user.username if sent.user else ""),
        title=noted.get("SYSOP_CHANGE", ""),
        url=link(pipeline.url) or _link(sent.project, pipeline),
    )


def moved(delivery: Delivery) -> Iterable[str]:
    """Return the pipeline that has moved on, as the plugin cicd calls it."""
    if read(_Kind, delivery.json, "a webhook of GitLab").object_kind == "pipeline":
        sent = read(_Event, delivery.json, _PIPELINE)
        yield f"gitlab:{sent.project.path_with_namespace}:{sent.object_attributes.id}"


def _starts(environment: _Environment) -> bool:
    return bool(environment.name) and environment.action in (None, "start")


def _branch(sent: _Event) -> str:
    """Return the branch, or what stands for it: a merge request's own branch may be another project's."""
    pipeline, request = sent.object_attributes, sent.merge_request
    if pipeline.source in _OF_A_REQUEST:
        return f"!{request.iid}" if request else f"request:{pipeline.ref}"
    return f"tag:{pipeline.ref}" if pipeline.tag else pipeline.ref


def _words(status: str) -> str:
    return "failed" if status == "failed" else "succeeded"


def _failed_jobs(jobs: Iterable[_Job]) -> str:
    failed = [job.name for job in jobs if job.status == "failed" and not job.allow_failure]
    left = len(failed) - _SHOWN_JOBS
    return ", ".join(failed[:_SHOWN_JOBS]) + (f" and {left} more" if left > 0 else "")


def _link(project: _Project, pipeline: _Pipeline) -> str:
    base = link(project.web_url).rstrip("/")
    return f"{base}/-/pipelines/{pipeline.id}" if base else ""


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return which service each project holds."""
    return Settings


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/gitlab`, with the token as the webhook's secret token."""
    return [
        AlertSource(
            "gitlab",
            lambda delivery: parse(delivery, settings.services),
            header("X-Gitlab-Token"),
            changes=lambda delivery: changes(delivery, settings.services),
            moved=moved,
        )
    ]
