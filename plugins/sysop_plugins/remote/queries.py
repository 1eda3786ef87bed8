"""What settings say of a service's health: queries, and what their readings may be after a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SAMPLES = 3
"""So many readings in a row, all after the change is made, must be well at least: one alone may be a lucky gap."""
LONGEST_HEALTH = 3600


class HealthQuery(BaseModel):
    """What a service must show after a change: the only series of the query stays well over a window.

    Well is below `below` and, with `worse_than_before`, at most so many times the median of the `before_seconds` before
    the change; what is not above `floor` is never worse. More is worse: turn a query of the other kind around.
    `within_seconds` counts from when the change is made: the build's end, or the last pod's rest. Readings are
    `every_seconds` apart over the last `window_seconds`, at least three. `{service}` in the query is replaced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(min_length=1)
    below: float | None = None
    worse_than_before: float | None = Field(default=None, ge=1)
    floor: float = 0.0
    before_seconds: int = Field(default=300, ge=10, le=3600)
    within_seconds: int = Field(default=60, ge=1, le=LONGEST_HEALTH)
    window_seconds: int = Field(default=0, ge=0, le=LONGEST_HEALTH)
    every_seconds: int = Field(default=2, ge=1, le=30)

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        needed = self.every_seconds * (self.readings - 1)
        if self.within_seconds <= needed:
            raise ValueError(
                f"within_seconds: {self.readings} readings {self.every_seconds} s apart need over {needed} s"
            )
        if self.below is None and self.worse_than_before is None:
            raise ValueError("say what is well: `below`, `worse_than_before`, or both")
        if self.worse_than_before is not None and self.before_seconds < self.every_seconds * (SAMPLES - 1):
            raise ValueError(f"before_seconds: {SAMPLES} readings {self.every_seconds} s apart do not fit in")
        return self

    @property
    def readings(self) -> int:
        """Return how many readings in a row must be well."""
        return max(SAMPLES, self.window_seconds // self.every_seconds + 1)


def _several(given: Any) -> Any:
    return (given,) if isinstance(given, Mapping | HealthQuery) else given


Queries = Annotated[tuple[HealthQuery, ...], BeforeValidator(_several)]
"""One query or a list of them: every one must be well."""


def asked_of(service: str, queries: Iterable[HealthQuery]) -> tuple[HealthQuery, ...]:
    """Return queries with the service's name in them."""
    return tuple(one.model_copy(update={"query": one.query.replace("{service}", service)}) for one in queries)
