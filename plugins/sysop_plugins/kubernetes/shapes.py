"""What of the API's answers is read, as its reference describes it. Fields that are zero are left out by the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sysop_plugins.remote.times import Time

T = TypeVar("T")
KEY = "sysop.dev/key"
"""The annotation that holds the idempotency key of our last change."""
CHANGE = "sysop.dev/change"
"""The annotation that holds what our last change was, as JSON."""
REVISION = "deployment.kubernetes.io/revision"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
HASH = "pod-template-hash"


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


def _none_is_nothing(value: Any) -> Any:
    return {} if value is None else value


Strings = Annotated[dict[str, str], BeforeValidator(_none_is_nothing), Field(default_factory=dict)]


class Owner(Shape):
    """Who made an object."""

    kind: str
    uid: str


class Meta(Shape):
    """An object's metadata."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time = 0
    labels: Strings
    annotations: Strings
    owner_references: tuple[Owner, ...] = ()


class Condition(Shape):
    """A condition of an object."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None
    last_update_time: Time | None = None


class Expression(Shape):
    """What one label of a pod must be."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as the server is asked with it."""
        values = f"({','.join(self.values)})"
        words = {"In": f"{self.key} in {values}", "NotIn": f"{self.key} notin {values}", "Exists": self.key}
        return words.get(self.operator, f"!{self.key}")

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels are so. A label that is missing is in no list."""
        found = labels.get(self.key)
        named = found in self.values if self.operator in ("In", "NotIn") else found is not None
        return named == (self.operator in ("In", "Exists"))


class Selector(Shape):
    """How an object finds its pods: all of its labels and expressions must hold."""

    match_labels: Strings
    match_expressions: tuple[Expression, ...] = ()

    def __str__(self) -> str:
        """Return it as the server is asked with it."""
        labels = (f"{name}={value}" for name, value in sorted(self.match_labels.items()))
        return ",".join([*labels, *map(str, self.match_expressions)])

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether it finds a pod with these labels."""
        return self.match_labels.items() <= labels.items() and all(one.fits(labels) for one in self.match_expressions)


class WorkloadSpec(Shape):
    """What a workload is to be. The template is kept as it is: a rollout undo writes it back."""

    replicas: int = 1
    paused: bool = False
    progress_deadline_seconds: int = 600
    strategy: Annotated[dict[str, Any], BeforeValidator(_none_is_nothing), Field(default_factory=dict)]
    selector: Selector
    template: dict[str, Any]


class WorkloadStatus(Shape):
    """What a workload is."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    conditions: tuple[Condition, ...] = ()


class Workload(Shape):
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet."""

    metadata: Meta
    spec: WorkloadSpec
    status: WorkloadStatus = WorkloadStatus()

    @property
    def images(self) -> str:
        """Return the images of its containers."""
        return ", ".join(one["image"] for one in self.spec.template["spec"]["containers"])

    @property
    def revision(self) -> int:
        """Return the number of its present revision, 0 where it has none."""
        return int(self.metadata.annotations.get(REVISION, "0"))

    @property
    def selector(self) -> str:
        """Return the label selector of its pods."""
        return str(self.spec.selector)


class Involved(Shape):
    """What an event is about."""

    kind: str = ""
    name: str = ""


class Event(Shape):
    """An event. Newer servers leave `lastTimestamp` and `count` out and write `eventTime`."""

    metadata: Meta
    involved_object: Involved
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    last_timestamp: Time | None = None
    event_time: Time | None = None


class ScaleTarget(Shape):
    """What an autoscaler scales."""

    kind: str
    name: str


class AutoscalerSpec(Shape):
    """How an autoscaler scales."""

    scale_target_ref: ScaleTarget
    min_replicas: int = 1
    max_replicas: int


class Autoscaler(Shape):
    """A HorizontalPodAutoscaler."""

    metadata: Meta
    spec: AutoscalerSpec


class BudgetSpec(Shape):
    """How many pods must stay, or may be missing: numbers or percentages."""

    selector: Selector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


class DisruptionBudget(Shape):
    """A PodDisruptionBudget."""

    metadata: Meta
    spec: BudgetSpec


class NodeSpec(Shape):
    """Whether a node takes pods."""

    unschedulable: bool = False


class Node(Shape):
    """A node."""

    metadata: Meta
    spec: NodeSpec = NodeSpec()


class ReviewStatus(Shape):
    """What the server says of a right."""

    allowed: bool
    reason: str = ""


class Review(Shape):
    """An answered access review."""

    status: ReviewStatus


class Version(Shape):
    """The server's version."""

    git_version: str


class Continued(Shape):
    """Where a list goes on."""

    continue_: str = Field(default="", alias="continue")


class Items(Shape, Generic[T]):
    """A page of a list."""

    metadata: Continued = Continued()
    items: tuple[T, ...]
