"""Jenkins: understand the Notification plugin's JSON. A build that fails is an alert, a later success ends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from sysop.api import (
    Alert,
    AlertSource,
    Change,
    ChangeKind,
    ChangeState,
    Delivery,
    basic,
    bearer,
    either,
    hookimpl,
)
from sysop_plugins.incoming import Sent, Text, link, read, with_text
from sysop_plugins.incoming.builds import identity, outcome, repository_of, short

_ENDED = ("COMPLETED", "FINALIZED")
_BUILD = "a build of Jenkins' Notification plugin"
_SEVERITY = {"FAILURE": "error", "UNSTABLE": "warning"}
_REACHED: Mapping[str, ChangeState] = {
    "SUCCESS": ChangeState.DONE,
    "FAILURE": ChangeState.FAILED,
    "UNSTABLE": ChangeState.FAILED,
    "ABORTED": ChangeState.CANCELLED,
}
_LATEST_MS = 253_402_300_799_000  # the year 9999

Milliseconds = Annotated[int, Field(ge=0, le=_LATEST_MS)]


class Settings(BaseModel):
    """Which service a job builds, by the job's name; else it is the name of the repository, where there is one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, str] = Field(default_factory=dict)


class _Source(Sent):
    """What was built. The plugin leaves out what Jenkins does not know."""

    url: str | None = None
    branch: str | None = None
    commit: str | None = None


class _Build(Sent):
    """One build. `timestamp` is when it got into this phase and `duration` how long it took, in milliseconds."""

    number: int
    phase: Text
    status: str | None = None
    timestamp: Milliseconds
    duration: Milliseconds = 0
    url: Text
    full_url: str | None = None
    scm: _Source = _Source()
    queue_id: int | None = None
    parameters: dict[str, Any] | None = None


class _Job(Sent):
    name: Text
    url: Text
    build: _Build


def parse(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return the alert of a failure, the ending that a success is, or nothing. Raises ValueError naming each field.

    Only the last of a build's phases counts: the one before it tells the same with another time.
    """
    job = read(_Job, delivery.json, _BUILD)
    build, scm = job.build, job.build.scm
    status = build.status or ""
    if build.phase != "FINALIZED" or status not in {*_SEVERITY, "SUCCESS"}:
        return
    where = f" on {scm.branch}" if scm.branch else ""
    at = f" at {short(scm.commit)}" if scm.commit else ""
    yield outcome(
        "jenkins",
        identity(_address(job), *([scm.branch] if scm.branch else [])),
        failed=status in _SEVERITY,
        began=max(0, build.timestamp - build.duration),
        ended=build.timestamp,
        labels=with_text(
            {"alertname": "BuildFailed", "severity": _SEVERITY.get(status), "job": job.name},
            {"service": services.get(job.name) or repository_of(scm.url or ""), "repository": scm.url},
            {"branch": scm.branch, "version": scm.commit},
        ),
        annotations=with_text({"summary": f"{job.name} #{build.number}{where}{at}: {status.lower()}"}),
        url=link(build.full_url),
    )


def changes(delivery: Delivery) -> Iterable[Change]:
    """Return the deploy that a build is which has parameters `service` and `version`, in any case, or nothing."""
    job = read(_Job, delivery.json, _BUILD)
    build, given = job.build, {name.lower(): value for name, value in (job.build.parameters or {}).items()}
    service, version = given.get("service"), given.get("version")
    if not (isinstance(service, str) and service and isinstance(version, str) and version):
        return
    state = _REACHED.get(build.status or "", ChangeState.CANCELLED) if build.phase in _ENDED else ChangeState.STARTED
    yield Change(
        ChangeKind.DEPLOY,
        service,
        source="jenkins",
        id=_name(job),
        at=build.timestamp,
        began_at=max(1, build.timestamp - build.duration),
        state=state,
        after=version,
        title=str(given.get("sysop_change") or ""),
        url=link(build.full_url),
    )


def moved(delivery: Delivery) -> Iterable[str]:
    """Return the build that has moved on, as the plugin cicd calls it, also while it waited in the queue."""
    job = read(_Job, delivery.json, _BUILD)
    yield _name(job)
    if job.build.queue_id is not None:
        yield f"jenkins:{_path(job)}:queue:{job.build.queue_id}"


def _name(job: _Job) -> str:
    return f"jenkins:{_path(job)}:{job.build.number}"


def _path(job: _Job) -> str:
    """Return a job's name with those of the folders it is in, from its address `job/folder/job/name/`."""
    parts = unquote(job.url).strip("/").split("/")
    named = [part for kind, part in zip(parts[::2], parts[1::2], strict=False) if kind == "job"]
    return "/".join(named) or job.name


def _address(job: _Job) -> str:
    """Return where the job is, with its server's address where Jenkins knows that."""
    server = (job.build.full_url or "").removesuffix(job.build.url)
    return f"{server}{job.url}" if link(server) else job.url


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return which service each job builds."""
    return Settings


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/jenkins`; the plugin sends the token as the password in the address."""
    return [
        AlertSource(
            "jenkins",
            lambda delivery: parse(delivery, settings.services),
            either(basic, bearer),
            changes=changes,
            moved=moved,
        )
    ]
