"""What of the API's answers about pods is read."""

from __future__ import annotations

from sysop_plugins.kubernetes.shapes import Condition, Meta, Shape
from sysop_plugins.remote.times import Time


class Terminated(Shape):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    finished_at: Time | None = None


class Waiting(Shape):
    """What a container waits for."""

    reason: str = ""
    message: str = ""


class ContainerState(Shape):
    """Where a container is."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Shape):
    """What a container is."""

    name: str
    image: str
    ready: bool
    restart_count: int
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(Shape):
    """What a pod is."""

    phase: str = "Unknown"
    reason: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class PodSpec(Shape):
    """Where a pod runs."""

    node_name: str = ""


class Pod(Shape):
    """A pod."""

    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def ready(self) -> bool:
        """Tell whether it takes work."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)

    @property
    def over(self) -> bool:
        """Tell whether it has ended for good, as an evicted one has."""
        return self.status.phase in ("Failed", "Succeeded")

    @property
    def restarts(self) -> int:
        """Return how often its containers were started again."""
        return sum(one.restart_count for one in self.status.container_statuses)

    @property
    def reason(self) -> str:
        """Return why it is not well, "" where nothing is said."""
        for one in self.status.container_statuses:
            if one.state.waiting:
                return one.state.waiting.reason
            if one.state.terminated:
                return one.state.terminated.reason
        return self.status.reason

    @property
    def turned_at(self) -> int:
        """Return when it last became ready or not, or a container of it ended, in milliseconds."""
        ready = [one.last_transition_time or 0 for one in self.status.conditions if one.type == "Ready"]
        last = (one.last_state.terminated for one in self.status.container_statuses)
        return max([self.metadata.creation_timestamp, *ready, *(one.finished_at or 0 for one in last if one)])


class Used(Shape):
    """What a container used: quantities, such as `5m` and `32Mi`."""

    cpu: str = "0"
    memory: str = "0"


class ContainerUsage(Shape):
    """A container and what it used."""

    name: str
    usage: Used


class PodUsage(Shape):
    """A pod as the metrics server measured it."""

    metadata: Meta
    containers: tuple[ContainerUsage, ...] = ()
