"""What a CI/CD system must be able to do, whichever it is, and the words for its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

BuildState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
FINISHED: frozenset[BuildState] = frozenset({"succeeded", "failed", "cancelled"})


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Pipeline(_Data):
    """Something that can be built. `deploys` marks those that bring a version of a service live."""

    name: str
    description: str
    parameters: tuple[str, ...]
    deploys: bool


class Build(_Data):
    """One execution of a pipeline. Times are milliseconds since the epoch, null until they come.

    `exit_code` is null where no process ended by itself; then `reason` says why the build ended. `commit` is what was
    built, empty where the provider does not say.
    """

    id: str
    pipeline: str
    state: BuildState
    parameters: dict[str, str]
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    exit_code: int | None = None
    reason: str = ""
    url: str = ""
    requested_by: str = ""
    commit: str = ""

    @property
    def finished(self) -> bool:
        """Tell whether nothing can change any more."""
        return self.state in FINISHED


class Deploy(_Data):
    """A build that brings `version` of `service` live. `at` is its end, its request while it has none.

    `previous` was live when it was asked for, null for the first; `change` says in short what is new.
    """

    service: str
    version: str
    previous: str | None
    at: int
    build: str
    state: BuildState
    by: str
    change: str


class Rollout(_Data):
    """The handle on a deploy or rollback under way: follow `build` by its id."""

    service: str
    version: str
    previous: str | None
    change: str
    build: Build


class Live(_Data):
    """The version of a service that is live by the records; all null where none was ever deployed."""

    service: str
    version: str | None = None
    since: int | None = None
    build: str | None = None
    by: str | None = None
    change: str | None = None


class Commit(_Data):
    """A commit, its message in one line."""

    id: str
    author: str
    message: str


class Comparison(_Data):
    """What lies between two versions: `commits` oldest first, of which there may be `more`; lines added and deleted.

    Where the provider keeps no code, only what its records say of each deploy: `changes`.
    """

    service: str
    one: str
    other: str
    commits: tuple[Commit, ...] = ()
    more: int = 0
    authors: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    additions: int | None = None
    deletions: int | None = None
    changes: tuple[str, ...] = ()
    url: str = ""


class Found(_Data):
    """What a provider knows of an idempotency key. `rollout` goes with builds that deploy."""

    state: Literal["done", "not_done", "unknown"]
    detail: str
    build: Build | None = None
    rollout: Rollout | None = None


class Provider(Protocol):
    """A CI/CD system. Nothing here waits for a build; the same key never starts a second one.

    All raise InvalidCall where a name or parameter does not fit, and ActionFailed only where surely
    nothing was started.
    """

    async def trigger(
        self, key: str, pipeline: str, parameters: Mapping[str, str], *, by: str, change: str = ""
    ) -> Build:
        """Start a build. The same key gives the build it started before; with other parameters it is an error."""
        ...

    async def rerun(self, key: str, build: str, *, by: str) -> Build:
        """Start a build once more, as it was asked for. Raises ActionFailed unless it failed or was cancelled."""
        ...

    async def deploy(self, key: str, service: str, version: str, *, by: str, change: str = "") -> Rollout:
        """Start the build that brings a version live. Refused while another deploy of the service is under way."""
        ...

    async def cancel(self, build: str, *, by: str) -> Build:
        """Ask for a build to stop. Raises ActionFailed when it has already ended otherwise."""
        ...

    async def status(self, build: str) -> Build:
        """Return a build as it is now."""
        ...

    async def logs(self, build: str, lines: int) -> str:
        """Return the last lines a build wrote, at most 64 KiB."""
        ...

    async def builds(self, pipeline: str | None, minutes: int) -> tuple[Build, ...]:
        """Return the builds that were asked for or ended within the last minutes, newest first."""
        ...

    async def unfinished(self, service: str) -> tuple[Build, ...]:
        """Return the builds queued or running on a service, oldest first."""
        ...

    async def recent_deploys(self, service: str | None, minutes: int) -> tuple[Deploy, ...]:
        """Return the deploys of the last minutes in any state, newest first."""
        ...

    async def history(self, service: str) -> tuple[Deploy, ...]:
        """Return the deploys of a service that succeeded, in the order they came live."""
        ...

    async def compare(self, service: str, one: str, other: str) -> Comparison:
        """Return what lies between two versions of a service. Raises ActionFailed where one of them is not known."""
        ...

    async def live_version(self, service: str) -> Live:
        """Return what is live by the records of successful deploys."""
        ...

    async def find(self, key: str, pipeline: str) -> Found:
        """Tell whether the key started a build of a pipeline, for after a crash.

        Not done stays not done unless asked again.
        """
        ...

    async def find_again(self, key: str, build: str) -> Found:
        """Tell whether the key ran a build again, for after a crash."""
        ...
