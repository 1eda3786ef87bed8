"""What GitLab answers, as far as it is read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, TypeAdapter

from sysop_plugins.remote.times import Time


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True)


class User(_Sent):
    """A user."""

    username: str


class PipelineReply(_Sent):
    """A pipeline; in lists without its user and its times but two."""

    id: int
    status: str
    source: str = ""
    ref: str
    sha: str = ""
    web_url: str = ""
    created_at: Time
    updated_at: Time | None = None
    started_at: Time | None = None
    finished_at: Time | None = None
    user: User | None = None


class Variable(_Sent):
    """A variable a pipeline was started with."""

    key: str
    value: str


class Job(_Sent):
    """A job of a pipeline."""

    id: int
    name: str
    stage: str = ""
    status: str
    failure_reason: str | None = None
    web_url: str = ""


class _JobPipeline(_Sent):
    id: int


class _Deployable(_Sent):
    pipeline: _JobPipeline | None = None
    tag: bool = False


class Deployment(_Sent):
    """What a job brought to an environment."""

    id: int
    ref: str
    sha: str
    status: str
    created_at: Time
    updated_at: Time
    user: User | None = None
    deployable: _Deployable | None = None


class CommitReply(_Sent):
    """One commit."""

    id: str
    title: str
    author_name: str = ""


class Diff(_Sent):
    """One file that differs."""

    new_path: str
    diff: str = ""


class Compared(_Sent):
    """What lies between two refs."""

    commits: tuple[CommitReply, ...]
    diffs: tuple[Diff, ...] = ()
    web_url: str = ""


PIPELINE = TypeAdapter(PipelineReply)
PIPELINES = TypeAdapter(tuple[PipelineReply, ...])
VARIABLES = TypeAdapter(tuple[Variable, ...])
JOBS = TypeAdapter(tuple[Job, ...])
DEPLOYMENTS = TypeAdapter(tuple[Deployment, ...])
COMPARED = TypeAdapter(Compared)
