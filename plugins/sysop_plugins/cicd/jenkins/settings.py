"""Which jobs of Jenkins are pipelines."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from sysop_plugins.cicd.declared import ParameterName, PipelineName, Section

Job = Annotated[str, StringConstraints(pattern=r"^[^/\s?#%:][^/?#%:]{0,100}(/[^/\s?#%:][^/?#%:]{0,100}){0,10}$")]


class JenkinsPipeline(Section):
    """A job, in its folders: `team/checkout/main`. `parameters` are those of the job that Sysop fills in.

    `key_parameter` is a parameter of the job that remembers what asked for a build, so that it is found again after a
    crash. One with `deploys` has the parameters service and version.
    """

    job: Job
    parameters: tuple[ParameterName, ...] = ()
    key_parameter: ParameterName | None = None
    deploys: bool = False
    timeout_seconds: float = Field(default=3600, gt=0, le=24 * 3600)
    description: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.deploys and set(self.parameters) != {"service", "version"}:
            raise ValueError("parameters: a job with `deploys: true` needs exactly [service, version]")
        if self.deploys and self.key_parameter is None:
            raise ValueError("key_parameter: a job that deploys needs one, or a deploy could be made twice")
        if self.key_parameter in self.parameters:
            raise ValueError("key_parameter: is filled in by Sysop; leave it out of `parameters`")
        return self

    @property
    def own(self) -> None:
        """Return nothing: the job is told which service it deploys."""


class JenkinsSettings(Section):
    """A server. `user` and the API token that `token_secret` names sign in."""

    url: str = Field(pattern=r"^https?://[^\s/]+(/[^\s?#]*[^\s?#/])?$")
    user: str = Field(min_length=1)
    token_secret: str = Field(min_length=1)
    pipelines: dict[PipelineName, JenkinsPipeline] = Field(default_factory=dict)
    timeout: float = Field(default=10, gt=0, le=60)
