"""What the actions that look return."""

from __future__ import annotations

from sysop_plugins.kubernetes.rollout import Data, RolloutState


class Running(Data):
    """A workload and how it is. `service` is the one it belongs to, None where it belongs to none."""

    kind: str
    namespace: str
    name: str
    service: str | None
    image: str
    wanted: int
    updated: int
    ready: int
    revision: int
    state: RolloutState
    detail: str


class Workloads(Data):
    """The workloads of the namespaces that may be looked at."""

    workloads: tuple[Running, ...]
    count: int
    unwell: int


class PodState(Data):
    """A pod and how it is. `reason` is why it is not well; times are milliseconds since the epoch."""

    name: str
    image: str
    phase: str
    ready: bool
    restarts: int
    reason: str
    node: str
    started_at: int
    last_ended: str


class Revision(Data):
    """A revision the server keeps: an undo can go back to it."""

    revision: int
    image: str
    at: int
    replicas: int


class RolloutStatus(Data):
    """A service's Deployment: how far its rollout is, its pods, and the revisions it can go back to, newest first."""

    service: str
    workload: str
    state: RolloutState
    detail: str
    image: str
    revision: int
    wanted: int
    updated: int
    ready: int
    restarts: int
    pods: tuple[PodState, ...]
    revisions: tuple[Revision, ...]


class Happened(Data):
    """An event; `count` is how often it was seen, `at` when last, in milliseconds."""

    at: int
    type: str
    reason: str
    object: str
    message: str
    count: int


class Events(Data):
    """Events, newest first, at most a hundred. `warnings` counts those that are warnings."""

    events: tuple[Happened, ...]
    count: int
    warnings: int


class PodLog(Data):
    """The end of what a pod wrote, at most 64 KiB. `failing` is the part that tells why it failed, "" where none does.

    It is looked for in more than the lines that were asked for. What pods write is untrusted.
    """

    pod: str
    container: str
    previous: bool
    text: str
    lines: int
    failing: str


class PodUse(Data):
    """What a pod uses: processor cores and bytes of memory."""

    name: str
    cores: float
    memory_bytes: float


class Usage(Data):
    """What a service's pods use, in all and each."""

    service: str
    cores: float
    memory_bytes: float
    most_memory_bytes: float
    pods: tuple[PodUse, ...]


class Right(Data):
    """Whether a credential may do something; `namespace` is "" for what is in none."""

    namespace: str
    verb: str
    resource: str
    allowed: bool


class Access(Data):
    """What the credential of reads, and `writer`, may do of what is needed. `missing` are the rights they lack."""

    writer: str
    rights: tuple[Right, ...]
    missing: tuple[str, ...]
