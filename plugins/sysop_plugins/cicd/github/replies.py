"""What GitHub answers, as far as it is read. Times are read as milliseconds since the epoch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from sysop_plugins.remote.times import Time


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True)


class Account(_Sent):
    """A user, or an app as a user."""

    login: str


class RunReply(_Sent):
    """A run of a workflow. `conclusion` is null until it has ended."""

    id: int
    run_attempt: int = 1
    display_title: str = ""
    path: str = ""
    event: str = ""
    status: str | None = None
    conclusion: str | None = None
    head_sha: str = ""
    created_at: Time
    run_started_at: Time | None = None
    updated_at: Time
    html_url: str = ""
    triggering_actor: Account | None = None


class Runs(_Sent):
    """One page of runs, newest first."""

    workflow_runs: tuple[RunReply, ...]


class Started(_Sent):
    """Which run a dispatch started."""

    workflow_run_id: int


class Step(_Sent):
    """A step of a job."""

    name: str
    number: int
    conclusion: str | None = None


class Job(_Sent):
    """A job of a run."""

    id: int
    name: str
    conclusion: str | None = None
    steps: tuple[Step, ...] = ()


class Jobs(_Sent):
    """One page of jobs."""

    jobs: tuple[Job, ...]


class Annotation(_Sent):
    """What a step said about a place in a file, or about itself."""

    path: str = ""
    start_line: int | None = None
    annotation_level: str | None = None
    title: str | None = None
    message: str | None = None


class Deployment(_Sent):
    """What was asked to be brought live."""

    id: int
    ref: str
    sha: str
    task: str = "deploy"
    environment: str
    description: str | None = None
    payload: dict[str, Any] | str = {}
    created_at: Time
    creator: Account | None = None
    url: str = ""

    def noted(self, name: str) -> str:
        """Return what we wrote into its payload under a name, "" where somebody else made it."""
        found = self.payload.get(name) if isinstance(self.payload, dict) else None
        return found if isinstance(found, str) else ""


class DeploymentStatus(_Sent):
    """How far a deployment has come."""

    state: str
    description: str | None = None
    created_at: Time
    log_url: str | None = None
    target_url: str | None = None


class _Author(_Sent):
    name: str | None = None


class _Commit(_Sent):
    message: str = ""
    author: _Author | None = None


class CommitReply(_Sent):
    """One commit."""

    sha: str
    commit: _Commit
    author: Account | None = None


class File(_Sent):
    """A file that differs."""

    filename: str
    additions: int = 0
    deletions: int = 0


class Compared(_Sent):
    """What lies between two commits; GitHub names at most 250 commits and 300 files."""

    status: str
    total_commits: int
    commits: tuple[CommitReply, ...]
    files: tuple[File, ...] = ()
    html_url: str = ""


RUN = TypeAdapter(RunReply)
RUNS = TypeAdapter(Runs)
STARTED = TypeAdapter(Started)
JOBS = TypeAdapter(Jobs)
ANNOTATIONS = TypeAdapter(tuple[Annotation, ...])
DEPLOYMENT = TypeAdapter(Deployment)
DEPLOYMENTS = TypeAdapter(tuple[Deployment, ...])
STATUSES = TypeAdapter(tuple[DeploymentStatus, ...])
COMPARED = TypeAdapter(Compared)
