"""Which builders of Buildbot are pipelines."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from sysop_plugins.cicd.declared import ParameterName, PipelineName, Section

REASON = "reason"
BuilderName = Annotated[str, StringConstraints(pattern=r"^[^/\s?#%][^/?#%]{0,68}$")]
SchedulerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,49}$")]
_BUILDBOTS_OWN = frozenset({REASON, "owner", "username", "priority", "builderid", "scheduler", "branch", "revision"})


class BuildbotPipeline(Section):
    """A builder, and the force scheduler that starts it. `parameters` are those of the scheduler that Sysop fills in.

    `key_parameter` is the one that remembers what asked for a build, so that it is found again after a crash: every
    force scheduler has `reason`. One with `deploys` has the parameters service and version.
    """

    builder: BuilderName
    scheduler: SchedulerName
    parameters: tuple[ParameterName, ...] = ()
    key_parameter: ParameterName = REASON
    deploys: bool = False
    timeout_seconds: float = Field(default=3600, gt=0, le=24 * 3600)
    description: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if taken := sorted(_BUILDBOTS_OWN & set(self.parameters)):
            raise ValueError(f"parameters: {taken[0]} is filled in by Buildbot or Sysop; rename or leave it out")
        if self.deploys and set(self.parameters) != {"service", "version"}:
            raise ValueError("parameters: a builder with `deploys: true` needs exactly [service, version]")
        if self.key_parameter in self.parameters or self.key_parameter in _BUILDBOTS_OWN - {REASON}:
            raise ValueError("key_parameter: name one that only Sysop fills in, or leave it out")
        return self

    @property
    def own(self) -> None:
        """Return nothing: the builder is told which service it deploys."""


class BuildbotSettings(Section):
    """A master, at the address of its web server. `user` and the password that `password_secret` names sign in.

    Without them it is asked as anybody may ask, which is mostly not enough to start a build.
    """

    url: str = Field(pattern=r"^https?://[^\s/]+(/[^\s?#]*[^\s?#/])?$")
    user: str | None = Field(default=None, pattern=r"^[^:\s]+$")
    password_secret: str | None = Field(default=None, min_length=1)
    pipelines: dict[PipelineName, BuildbotPipeline] = Field(default_factory=dict)
    timeout: float = Field(default=10, gt=0, le=60)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.user is None) != (self.password_secret is None):
            raise ValueError("user, password_secret: give both, or none of them")
        return self
