"""What Argo CD answers, as far as it is read."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from sysop_plugins.remote.times import Time

T = TypeVar("T")
Many = Annotated[tuple[T, ...], BeforeValidator(lambda found: () if found is None else found)]
"""A list, for which its server writes null where it is empty."""


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Metadata(_Sent):
    name: str
    annotations: dict[str, str] = Field(default_factory=dict)


class _Automated(_Sent):
    enabled: bool | None = None


class _SyncPolicy(_Sent):
    automated: _Automated | None = None


class _Source(_Sent):
    repoURL: str = ""
    targetRevision: str = ""


class _Spec(_Sent):
    project: str = ""
    source: _Source | None = None
    sources: Many[_Source] = ()
    syncPolicy: _SyncPolicy | None = None


class Initiator(_Sent):
    """Who began an operation."""

    username: str = ""
    automated: bool = False


class Info(_Sent):
    """A note on an operation."""

    name: str
    value: str = ""


class _Sync(_Sent):
    revision: str = ""


class Operation(_Sent):
    """What was asked for."""

    sync: _Sync = _Sync()
    initiatedBy: Initiator = Initiator()
    info: Many[Info] = ()

    def noted(self, name: str) -> str:
        """Return a note, empty where there is none."""
        return next((one.value for one in self.info if one.name == name), "")


class Resource(_Sent):
    """What became of one resource."""

    kind: str = ""
    name: str = ""
    status: str = ""
    hookPhase: str = ""
    message: str = ""


class _SyncResult(_Sent):
    revision: str = ""
    resources: Many[Resource] = ()


class OperationState(_Sent):
    """The operation that goes on, or went on last."""

    operation: Operation
    phase: str
    message: str = ""
    startedAt: Time
    finishedAt: Time | None = None
    syncResult: _SyncResult | None = None


class Entry(_Sent):
    """A sync that succeeded, as it is remembered."""

    id: int
    revision: str = ""
    revisions: Many[str] = ()
    deployedAt: Time
    deployStartedAt: Time | None = None
    initiatedBy: Initiator = Initiator()

    @property
    def began(self) -> int:
        """Return when it began; servers before 2.1 know its end only."""
        return self.deployedAt if self.deployStartedAt is None else self.deployStartedAt


class _Health(_Sent):
    status: str = "Unknown"
    message: str = ""


class _Status(_Sent):
    health: _Health = _Health()
    operationState: OperationState | None = None
    history: Many[Entry] = ()


class App(_Sent):
    """An application. `operation` is what was asked for and has not begun yet."""

    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()
    operation: Operation | None = None

    @property
    def automated(self) -> bool:
        """Tell whether it follows Git by itself."""
        policy = self.spec.syncPolicy
        return policy is not None and policy.automated is not None and policy.automated.enabled is not False

    @property
    def began(self) -> int:
        """Return when the last operation began, zero where there was none."""
        return self.status.operationState.startedAt if self.status.operationState else 0

    def still_since(self, begin: int) -> bool:
        """Tell whether nothing was asked for, went on or ended since a time in milliseconds."""
        state = self.status.operationState
        ends = [entry.deployedAt for entry in self.status.history[-1:]]
        ends += [state.finishedAt or state.startedAt] if state else []
        return not self.busy and self.status.health.status != "Progressing" and max(ends, default=0) < begin

    @property
    def busy(self) -> bool:
        """Tell whether an operation waits or goes on."""
        state = self.status.operationState
        return self.operation is not None or (state is not None and state.phase in ("Running", "Terminating"))


class Apps(_Sent):
    """Applications."""

    items: Many[App]


class Revision(_Sent):
    """What Git says of a revision."""

    author: str = ""
    message: str = ""
    tags: Many[str] = ()


APP = TypeAdapter(App)
APPS = TypeAdapter(Apps)
REVISION = TypeAdapter(Revision)
