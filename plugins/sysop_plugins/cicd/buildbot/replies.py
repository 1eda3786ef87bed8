"""What Buildbot answers, as far as it is read. Times are whole seconds since the epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

Properties = dict[str, tuple[Any, str]]
"""Value and source of each property."""


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True)


class BuilderReply(_Sent):
    """A builder."""

    builderid: int
    name: str


class Field(_Sent):
    """A parameter of a force scheduler, or a group of them. One with `hide` and type `fixed` cannot be given."""

    fullName: str | None = None
    type: str = ""
    fields: tuple[Field, ...] = ()

    def names(self) -> Iterator[str]:
        """Yield the names of all that can be given."""
        if self.fullName and self.type not in ("fixed", "nested"):
            yield self.fullName
        for one in self.fields:
            yield from one.names()


class SchedulerReply(_Sent):
    """A force scheduler."""

    name: str
    enabled: bool = True
    builder_names: tuple[str, ...]
    all_fields: tuple[Field, ...]


class RequestReply(_Sent):
    """What was asked for. It is `claimed` once a build of it began, and again `complete` when that has ended."""

    buildrequestid: int
    buildsetid: int
    builderid: int
    claimed: bool
    complete: bool
    results: int | None = None
    submitted_at: int
    claimed_at: int | None = None
    complete_at: int | None = None
    properties: Properties | None = None


class BuildReply(_Sent):
    """A build of what was asked for. One whose worker is lost is followed by another."""

    buildid: int
    buildrequestid: int
    number: int
    state_string: str = ""
    properties: Properties | None = None


class Source(_Sent):
    """What was built."""

    branch: str | None = None
    revision: str | None = None
    codebase: str = ""
    patch: Any = None


class BuildsetReply(_Sent):
    """The sources of what was asked for."""

    sourcestamps: tuple[Source, ...] = ()


class StepReply(_Sent):
    """A step of a build."""

    stepid: int
    name: str
    state_string: str = ""


class LogReply(_Sent):
    """A log of a step. `type` is s for what a command wrote, t for text, h for a page, d for one deleted since."""

    logid: int
    name: str
    type: str
    num_lines: int


class Chunk(_Sent):
    """Some lines of a log."""

    content: str


class _Builders(_Sent):
    builders: tuple[BuilderReply, ...]


class _Schedulers(_Sent):
    forceschedulers: tuple[SchedulerReply, ...]


class _Requests(_Sent):
    buildrequests: tuple[RequestReply, ...]


class _Builds(_Sent):
    builds: tuple[BuildReply, ...]


class _Buildsets(_Sent):
    buildsets: tuple[BuildsetReply, ...]


class _Steps(_Sent):
    steps: tuple[StepReply, ...]


class _Logs(_Sent):
    logs: tuple[LogReply, ...]


class _Chunks(_Sent):
    logchunks: tuple[Chunk, ...]


class _Forced(_Sent):
    """The buildset, and of each builder the request for it."""

    result: tuple[int, dict[int, int]]


BUILDERS = TypeAdapter(_Builders)
SCHEDULERS = TypeAdapter(_Schedulers)
REQUESTS = TypeAdapter(_Requests)
BUILDS = TypeAdapter(_Builds)
BUILDSETS = TypeAdapter(_Buildsets)
STEPS = TypeAdapter(_Steps)
LOGS = TypeAdapter(_Logs)
CHUNKS = TypeAdapter(_Chunks)
FORCED = TypeAdapter(_Forced)
