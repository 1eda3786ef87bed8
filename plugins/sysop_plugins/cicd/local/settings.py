"""Pipelines that are commands on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from sysop_plugins.cicd.declared import LONGEST_BUILD, ParameterName, PipelineName, Section

PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def _absolute(path: Path) -> Path:
    """Where Sysop is started from must not decide where builds are looked for."""
    whole = path.expanduser()
    if not whole.is_absolute():
        raise ValueError(f"{path} is relative; give an absolute path")
    return whole


Folder = Annotated[Path, AfterValidator(_absolute)]


class PipelineSettings(Section):
    """One pipeline: a command as a list of arguments, in which `{name}` stands for a declared parameter.

    No shell is involved. `directory` is where the command starts; without it, an empty folder of the
    build's own. A pipeline with `deploys` has exactly the parameters service and version.
    """

    command: tuple[str, ...] = Field(min_length=1)
    parameters: tuple[ParameterName, ...] = ()
    deploys: bool = False
    timeout_seconds: float = Field(default=600, gt=0, le=LONGEST_BUILD)
    description: str = ""
    directory: Folder | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if PLACEHOLDER.search(self.command[0]):
            raise ValueError("command: the program itself cannot be a parameter; name it in full")
        self._parameters_fit()
        return self

    def _parameters_fit(self) -> None:
        used = {name for part in self.command for name in PLACEHOLDER.findall(part)}
        if unknown := sorted(used - set(self.parameters)):
            raise ValueError(f"command: {{{unknown[0]}}} is not declared; add {unknown[0]} to `parameters`")
        if taken := {"id", "pipeline"} & set(self.parameters):
            raise ValueError(f"parameters: {min(taken)} is the build's own; choose another name")
        if self.deploys and set(self.parameters) != {"service", "version"}:
            raise ValueError("parameters: a pipeline with `deploys: true` needs exactly [service, version]")


class LocalSettings(Section):
    """Pipelines that are commands on this machine. `folder` holds the builds; by default it is the plugin's own."""

    folder: Folder | None = None
    pipelines: dict[PipelineName, PipelineSettings] = Field(default_factory=dict)
