"""Which projects of GitLab hold pipelines."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from sysop_plugins.cicd.declared import ParameterName, PipelineName, Section

Project = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,255}(/[A-Za-z0-9_.-]{1,255}){1,20}$")]


class GitLabPipeline(Section):
    """The pipeline of a project, started with `parameters` as variables (their names in capitals).

    With `environment` it deploys: it is started on the version as its ref, and a job of it deploys to that environment.
    """

    project: Project
    environment: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    ref: str = Field(default="main", min_length=1, max_length=255)
    parameters: tuple[ParameterName, ...] = ()
    timeout_seconds: float = Field(default=3600, gt=0, le=24 * 3600)
    description: str = ""

    @property
    def deploys(self) -> bool:
        """Tell whether it brings versions live."""
        return self.environment is not None

    @property
    def own(self) -> str | None:
        """Return the service its pipelines deploy where no service is declared for it: its project's name."""
        return self.project.rpartition("/")[2]


class GitLabSettings(Section):
    """A server of GitLab. `token_secret` names the secret that is sent as access token, with the scope `api`."""

    url: str = Field(default="https://gitlab.com", pattern=r"^https?://[^\s/]+(/[^\s?#]*[^\s?#/])?$")
    token_secret: str = Field(min_length=1)
    pipelines: dict[PipelineName, GitLabPipeline] = Field(default_factory=dict)
    timeout: float = Field(default=10, gt=0, le=60)
