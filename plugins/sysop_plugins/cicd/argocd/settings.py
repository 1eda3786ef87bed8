"""Which applications of Argo CD are pipelines."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from sysop_plugins.cicd.declared import ParameterName, PipelineName, Section

SERVICE = "{service}"
Application = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9]|\{service\})([a-z0-9.-]|\{service\}){0,250}$", max_length=253)
]


class ArgoPipeline(Section):
    """An application, or one for each service where `{service}` stands in its name: `{service}-production`.

    With `deploys: false` it is synced to what Git says by cicd.trigger, and no version is deployed to it.

    `project` is asked with every question; without it Argo CD answers 403 for an application that is not there.
    `pause_auto_sync` lets Sysop switch automated sync off where a version other than Git's is to come live: it stays
    off until a person switches it on again.
    """

    application: Application
    project: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    deploys: bool = True
    pause_auto_sync: bool = False
    timeout_seconds: float = Field(default=3600, gt=0, le=24 * 3600)
    description: str = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if not self.deploys and (SERVICE in self.application or self.pause_auto_sync):
            raise ValueError(
                f"application, pause_auto_sync: {SERVICE} and the pause are for those with `deploys: true`"
            )
        return self

    @property
    def parameters(self) -> tuple[ParameterName, ...]:
        """Return nothing: a deploy has its service and version, a sync what Git says."""
        return ()

    @property
    def own(self) -> str | None:
        """Return the service it deploys where no service is declared for it; None where its name holds the service."""
        return None if SERVICE in self.application else self.application


class ArgoSettings(Section):
    """A server. `token_secret` names the secret that is sent as bearer token."""

    url: str = Field(pattern=r"^https?://[^\s/]+(/[^\s?#]*[^\s?#/])?$")
    token_secret: str = Field(min_length=1)
    pipelines: dict[PipelineName, ArgoPipeline] = Field(default_factory=dict)
    timeout: float = Field(default=10, gt=0, le=60)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """An application remembers one wish of ours at a time, so only one pipeline may write there."""
        names = [one.application for one in self.pipelines.values()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"pipelines: application {twice[0]!r} is named by two of them; leave one out")
        return self
