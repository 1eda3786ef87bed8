"""Which workflows and deployments of GitHub are pipelines."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from sysop_plugins.cicd.declared import ParameterName, PipelineName, Section

Repository = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$")]
Workflow = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}\.ya?ml$")]


class GitHubPipeline(Section):
    """A workflow that is started by `workflow_dispatch`, or an `environment` that is deployed to by deployments.

    `key_input` names the workflow's input that is put into its `run-name`: then a run is found again after a crash.
    """

    repository: Repository
    workflow: Workflow | None = None
    environment: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    ref: str = Field(default="main", min_length=1, max_length=255)
    parameters: tuple[ParameterName, ...] = ()
    key_input: ParameterName | None = None
    timeout_seconds: float = Field(default=3600, gt=0, le=24 * 3600)
    description: str = ""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.workflow is None) == (self.environment is None):
            raise ValueError("name either the `workflow` that is started or the `environment` that is deployed to")
        if self.environment is not None and (self.parameters or self.key_input):
            raise ValueError("parameters, key_input: a deployment has its version and no inputs; leave them out")
        if self.key_input in self.parameters:
            raise ValueError("key_input: is filled in by Sysop; leave it out of `parameters`")
        return self

    @property
    def deploys(self) -> bool:
        """Tell whether it brings versions live."""
        return self.environment is not None

    @property
    def own(self) -> str | None:
        """Return the service its deployments are of where no service is declared for it: its repository's name."""
        return self.repository.partition("/")[2]


class GitHubSettings(Section):
    """GitHub, or a server of one's own by `api`. `token_secret` names the secret that is sent as bearer token."""

    api: str = Field(default="https://api.github.com", pattern=r"^https?://[^\s/]+(/[^\s?#]*[^\s?#/])?$")
    token_secret: str = Field(min_length=1)
    pipelines: dict[PipelineName, GitHubPipeline] = Field(default_factory=dict)
    timeout: float = Field(default=10, gt=0, le=60)
