"""What Jenkins answers, as far as it is read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True)


class Parameter(_Sent):
    """A parameter of a build; a password has no value."""

    name: str
    value: Any = None


class Cause(_Sent):
    """Why there is a build."""

    userId: str | None = None


class Note(_Sent):
    """One of many kinds of notes on a build: only parameters and causes are read."""

    parameters: tuple[Parameter, ...] = ()
    causes: tuple[Cause, ...] = ()


class _Author(_Sent):
    fullName: str = ""


class Change(_Sent):
    """A commit that is new in a build."""

    commitId: str = ""
    msg: str = ""
    author: _Author = _Author()
    affectedPaths: tuple[str, ...] = ()


class _ChangeSet(_Sent):
    items: tuple[Change, ...] = ()


class BuildReply(_Sent):
    """A build. Times are milliseconds since the epoch; `result` is null until it has ended."""

    number: int
    building: bool
    result: str | None = None
    timestamp: int
    duration: int = 0
    queueId: int = -1
    url: str = ""
    actions: tuple[Note | None, ...] = ()
    changeSets: tuple[_ChangeSet, ...] = ()


class Builds(_Sent):
    """The newest builds of a job."""

    builds: tuple[BuildReply, ...]


class _Executable(_Sent):
    number: int


class _Task(_Sent):
    url: str = ""


class QueueItem(_Sent):
    """What waits, or has left the queue a moment ago."""

    id: int
    inQueueSince: int
    why: str | None = None
    cancelled: bool = False
    task: _Task = _Task()
    executable: _Executable | None = None
    actions: tuple[Note | None, ...] = ()


class Queue(_Sent):
    """All that waits."""

    items: tuple[QueueItem, ...]


BUILD = TypeAdapter(BuildReply)
BUILDS = TypeAdapter(Builds)
ITEM = TypeAdapter(QueueItem)
QUEUE = TypeAdapter(Queue)
