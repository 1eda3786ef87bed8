"""The three files of a drill: what goes wrong, what is right to do, and how to see that all is well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sysop.demo.company.topology import WHOLE

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _seconds(value: Any) -> Any:
    if isinstance(value, float):  # read before: in a file every value is text
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a duration such as 500ms, 3s or 2m")
    return float(found[1]) * _UNITS[found[2]]


def _pair(value: Any) -> Any:
    return value if isinstance(value, list) else [value, value]


def _rising(value: tuple[Any, Any]) -> tuple[Any, Any]:
    if value[0] > value[1]:
        raise ValueError("the first must not be above the second; swap them")
    return value


def _service(name: str) -> str:
    if name not in WHOLE:
        raise ValueError(f"there is no service {name!r}; the services are {', '.join(WHOLE)}")
    return name


Seconds = Annotated[float, BeforeValidator(_seconds)]
Span = Annotated[tuple[Seconds, Seconds], BeforeValidator(_pair), AfterValidator(_rising)]
Count = Annotated[tuple[int, int], BeforeValidator(_pair), AfterValidator(_rising)]
ServiceName = Annotated[str, AfterValidator(_service)]
ChangeKind = Literal["deploy", "config", "scale", "restart", "cleanup", "certificate", "checks"]
Answer = Literal["fix", "escalate", "nothing"]


class _Fault(_Part):
    """`at` is drawn from the span; `name` tells two releases of one drill apart in variables."""

    at: Span = (0.0, 0.0)
    name: str = Field("", alias="as", pattern=r"^[a-z_]*$")

    def body(self) -> dict[str, Any]:
        """Return what the company is told."""
        return self.model_dump(exclude={"at", "name"})


class Release(_Fault):
    """A release that is made and then deployed by the company's own people. `none` is an innocent one."""

    kind: Literal["release"] = "release"
    service: ServiceName
    fault: Literal["errors", "latency", "crash", "stuck", "leak", "none"]


class Config(_Fault):
    """A revision of a configuration that is made and then brought live by the company's own people."""

    kind: Literal["config"]
    service: ServiceName
    fault: Literal["errors", "rejected"]


class Checks(_Fault):
    """The company's people let the checks of a service run, which then fail: once, or for a real reason."""

    kind: Literal["checks"]
    service: ServiceName
    fault: Literal["flaky", "real"]


class Surge(_Fault):
    """So many times the load, asked of one service."""

    kind: Literal["surge"]
    service: ServiceName = "checkout"
    factor: float = Field(gt=1, le=20)
    seconds: float = Field(gt=0, le=600)


class Disk(_Fault):
    """The data folder of a service fills; `cleanable` is the share of it that a clean-up can remove."""

    kind: Literal["disk"]
    service: ServiceName
    cleanable: float = Field(1.0, ge=0, le=1)


class Certificate(_Fault):
    """The certificate of a service has so many days left."""

    kind: Literal["certificate"]
    service: ServiceName
    days: float = Field(gt=0, le=90)


class Dependency(_Fault):
    """An external party does not answer any more."""

    kind: Literal["dependency"]
    service: Literal["acquirer"] = "acquirer"


class FalseAlarm(_Fault):
    """An alert fires for so long though nothing is wrong."""

    kind: Literal["false_alarm"]
    service: ServiceName
    alert: str = "ServiceErrorRatioHigh"
    seconds: float = Field(gt=0, le=600)


class Poison(_Fault):
    """A service logs a line somebody else wrote."""

    kind: Literal["poison"]
    service: ServiceName
    line: str = Field(min_length=1, max_length=2000)
    seconds: float = Field(60.0, gt=0, le=600)


class Leak(_Fault):
    """The memory of a service grows without any deploy; a restart ends it, or not."""

    kind: Literal["leak"]
    service: ServiceName
    survives_restart: bool = False


class Crash(_Fault):
    """The processes of a service end again and again, whatever is deployed or restarted."""

    kind: Literal["crash"]
    service: ServiceName


AnyFault = Annotated[
    Release | Config | Checks | Surge | Disk | Certificate | Dependency | FalseAlarm | Poison | Leak | Crash,
    Field(discriminator="kind"),
]


class Decoys(_Part):
    """Innocent deploys of services that no fault is about, each at a time drawn from `after`."""

    deploys: Count = (0, 0)
    after: Span = (0.0, 0.0)


class FaultFile(_Part):
    """`fault.yaml`. `choose` has lists to draw from: two names never draw the same value."""

    title: str = Field(min_length=1, max_length=100)
    runbook: str = ""
    choose: Mapping[str, tuple[str, ...]] = {}
    decoys: Decoys = Decoys()
    faults: tuple[AnyFault, ...] = Field(min_length=1)
    provider: Literal["local", "buildbot"] = "local"
    person: Literal["approves", "denies"] = "approves"
    deadline: Annotated[Seconds, Field(gt=0, le=900)] = 120.0


class Allowed(_Part):
    """A change Sysop may make, so many times; `after` None allows it whatever it leads to."""

    kind: ChangeKind
    service: ServiceName
    after: str | None = None
    times: int = Field(1, ge=1, le=20)


class Truth(_Part):
    """`truth.yaml`: what is right to do, and the only changes that may be made on the way."""

    answer: Answer
    changes: tuple[Allowed, ...] = ()

    @model_validator(mode="after")
    def _nothing_is_nothing(self) -> Truth:
        if self.answer == "nothing" and self.changes:
            raise ValueError("changes: where the answer is nothing, no change may be made; remove them")
        return self


class Figure(_Part):
    """A number the company reports of a service: below or above a limit, or the same as at the start."""

    service: ServiceName
    figure: str = Field(pattern=r"^[a-z_]+$")
    below: float | None = None
    above: float | None = None
    same: bool = False

    @model_validator(mode="after")
    def _asks_something(self) -> Figure:
        if self.below is None and self.above is None and not self.same:
            raise ValueError("write at least one of below, above and same: true")
        return self


class Oracle(_Part):
    """`oracle.yaml`: what must be so, for `steady` seconds, by the company's own account of itself."""

    steady: Annotated[Seconds, Field(ge=0, le=120)]
    well: tuple[ServiceName, ...] = ()
    live: Mapping[ServiceName, str] = {}
    config: Mapping[ServiceName, str] = {}
    figures: tuple[Figure, ...] = ()
