"""GitLab: understand webhooks of pipelines. One that fails is an alert, a later success ends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sysop.api import Alert, AlertSource, Delivery, header, hookimpl
from sysop_plugins.incoming import Sent, Text, Time, link, milliseconds, read, with_text
from sysop_plugins.incoming.builds import identity, outcome, short

_PIPELINE = "a pipeline event of GitLab"
_OF_A_REQUEST = frozenset({"merge_request_event", "external_pull_request_event"})
_SHOWN_JOBS = 5


class Settings(BaseModel):
    """Which service a project holds, `group/project` to service; one that is not named holds the service `project`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, str] = Field(default_factory=dict)


def _with_offset(value: Any) -> Any:
    return value.removesuffix(" UTC") + "Z" if isinstance(value, str) and value.endswith(" UTC") else value


_GitLabTime = Annotated[Time, BeforeValidator(_with_offset)]
"""A time as GitLab writes it in webhooks, `2016-08-12 15:23:28 UTC`, or in the form of ISO 8601."""


class _Pipeline(Sent):
    id: int
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


class _Job(Sent):
    name: Text
    status: Text
    allow_failure: bool | None = None


class _MergeRequest(Sent):
    iid: int


class _Kind(Sent):
    object_kind: Text


class _Event(Sent):
    object_attributes: _Pipeline
    project: _Project
    merge_request: _MergeRequest | None = None
    builds: tuple[_Job, ...] = ()


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
    return [AlertSource("gitlab", lambda delivery: parse(delivery, settings.services), header("X-Gitlab-Token"))]
