"""From Argo CD's words to ours: an application's operations as builds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sysop_plugins.cicd.argocd.ids import OperationId
from sysop_plugins.cicd.argocd.replies import App, Entry, Operation, OperationState
from sysop_plugins.cicd.provider import Build, BuildState
from sysop_plugins.cicd.record import Record

KEY = "sysop_key"
ASKED = "sysop.dev/asked"
"""The annotation that remembers what was asked for last, since a rollback takes no notes with it."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT = 12
_PHASES: Mapping[str, BuildState] = {"Running": "running", "Terminating": "running", "Succeeded": "succeeded"}
_HEALTH: Mapping[str, BuildState] = {"Progressing": "running", "Degraded": "failed", "Missing": "failed"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for last: under which key, for which version, when, and after which operation."""

    key: str
    version: str
    at: int
    after: int

    def text(self) -> str:
        """Return it as the annotation's text."""
        return json.dumps({"key": self.key, "version": self.version, "at": self.at, "after": self.after})


def asked(app: App) -> Asked | None:
    """Return what the annotation says, None where it says nothing that we wrote."""
    try:
        said: Any = json.loads(app.metadata.annotations.get(ASKED, ""))
        return Asked(str(said["key"]), str(said["version"]), int(said["at"]), int(said["after"]))
    except (ValueError, KeyError, TypeError):
        return None


def is_commit(revision: str) -> bool:
    """Tell whether a revision is a commit of Git's; else it is a chart's version, or several."""
    return _COMMIT.fullmatch(revision) is not None


def revision_of(entry: Entry) -> str:
    """Return what an entry of the history brought live; of several sources, all of theirs."""
    return entry.revision or ",".join(one[:_SHORT] for one in entry.revisions)


def short(revision: str) -> str:
    """Return a revision as people write it."""
    return revision[:_SHORT] if is_commit(revision) else revision


@dataclass(frozen=True, slots=True)
class Named:
    """Which pipeline, service and application records are of, and how revisions are called: version and message.

    `now` stands in for when somebody else asked for what waits: nothing else tells it.
    """

    pipeline: str
    service: str
    application: str
    link: str
    deploys: bool
    now: int
    names: Mapping[str, tuple[str, str]]

    def version(self, revision: str) -> str:
        """Return what a revision is called."""
        return self.names.get(revision, (short(revision), ""))[0]

    def change(self, revision: str) -> str:
        """Return what its commit says."""
        return self.names.get(revision, ("", ""))[1]


def records_of(app: App, named: Named) -> list[Record]:
    """Return the operations that are remembered, oldest first: those that succeeded, and the last one in any state.

    What the history has is what was brought to the cluster, also where the application is not well with it.
    """
    found = [_remembered(entry, named) for entry in app.status.history]
    state = app.status.operationState
    if state is not None:
        last = _last(app, state, named)
        before = [one for one in found if one.build.id != last.build.id]
        found = [*before, replace(last, came_live=len(before) < len(found))]
    if app.operation is not None:
        found.append(waiting(app, named))
    return found


def _remembered(entry: Entry, named: Named) -> Record:
    revision = revision_of(entry)
    build = Build(
        id=str(OperationId(named.application, entry.began)),
        pipeline=named.pipeline,
        state="succeeded",
        parameters=_parameters(named, named.version(revision)),
        created_at=entry.began,
        started_at=entry.began,
        finished_at=entry.deployedAt,
        url=named.link,
        requested_by=entry.initiatedBy.username or ("argocd" if entry.initiatedBy.automated else ""),
        commit=revision if is_commit(revision) else "",
    )
    return Record(build, named.service, named.version(revision), named.change(revision))


def _last(app: App, it: OperationState, named: Named) -> Record:
    said = it.operation.sync.revision
    revision = (it.syncResult.revision if it.syncResult else "") or said
    version = _own_name(said, revision, named)
    state, reason = _state(app, it)
    by = it.operation.initiatedBy
    build = Build(
        id=str(OperationId(named.application, it.startedAt)),
        pipeline=named.pipeline,
        state=state,
        parameters=_parameters(named, version),
        created_at=it.startedAt,
        started_at=it.startedAt,
        finished_at=(it.finishedAt or it.startedAt) if state in ("succeeded", "failed", "cancelled") else None,
        reason=reason,
        url=named.link,
        requested_by=by.username or ("argocd" if by.automated else ""),
        commit=revision if is_commit(revision) else "",
    )
    return Record(build, named.service, version, named.change(revision), it.operation.noted(KEY))


def _own_name(said: str, revision: str, named: Named) -> str:
    """Return what the operation was asked for, if by a name; else what its revision is called."""
    return said if said and not is_commit(said) else named.version(revision)


def waiting(app: App, named: Named) -> Record:
    """Return what was asked for and has not begun."""
    operation = app.operation or Operation()
    said = asked(app)
    version = named.version(operation.sync.revision)
    build = Build(
        id=str(OperationId(named.application, app.began, after=True)),
        pipeline=named.pipeline,
        state="queued",
        parameters=_parameters(named, version),
        created_at=said.at if said is not None and said.after == app.began else named.now,
        url=named.link,
        requested_by=operation.initiatedBy.username,
    )
    return Record(build, named.service, version, "", operation.noted(KEY))


def _parameters(named: Named, version: str) -> dict[str, str]:
    return {"service": named.service, "version": version} if named.deploys else {}


def _state(app: App, it: OperationState) -> tuple[BuildState, str]:
    """Return how the last operation stands. What was applied is done only when the application is well with it."""
    state = _PHASES.get(it.phase, "failed")
    if state == "succeeded":
        health = app.status.health
        state = _HEALTH.get(health.status, "succeeded")
        return state, "" if state == "succeeded" else f"the application is {health.status}"
    if state == "failed" and "terminated" in it.message.lower():
        return "cancelled", it.message
    return state, it.message if state == "failed" else ""
