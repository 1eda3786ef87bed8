"""The plugin's section of sysop.yaml: which pipelines there are and how each service is deployed and judged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sysop.api import ActionFailed

PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
SAMPLES = 3
"""So many readings in a row, all after the build's end, must be below the bound: one alone may be a lucky gap."""
LONGEST_BUILD = 24 * 3600
LONGEST_HEALTH = 150


def _absolute(path: Path) -> Path:
    """Where Sysop is started from must not decide where builds are looked for."""
    whole = path.expanduser()
    if not whole.is_absolute():
        raise ValueError(f"{path} is relative; give an absolute path")
    return whole


Folder = Annotated[Path, AfterValidator(_absolute)]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,39}$")]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PipelineSettings(_Section):
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


class LocalSettings(_Section):
    """Pipelines that are commands on this machine. `folder` holds the builds; by default it is the plugin's own."""

    folder: Folder | None = None
    pipelines: dict[PipelineName, PipelineSettings] = {}


class HealthQuery(_Section):
    """What a service must show after a deploy: the query's only series stays below the bound.

    `within_seconds` counts from the build's end; readings are `every_seconds` apart. `{service}` in the
    query is replaced.
    """

    query: str = Field(min_length=1)
    below: float
    within_seconds: int = Field(default=60, ge=1, le=LONGEST_HEALTH)
    every_seconds: int = Field(default=2, ge=1, le=30)

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        needed = self.every_seconds * (SAMPLES - 1)
        if self.within_seconds <= needed:
            raise ValueError(f"within_seconds: {SAMPLES} readings {self.every_seconds} s apart need over {needed} s")
        return self


class ServiceSettings(_Section):
    """How one service is deployed and judged. Without `pipeline`, the only pipeline that deploys is taken."""

    pipeline: str | None = None
    health: HealthQuery | None = None


class Settings(_Section):
    """The whole section. `default_service` stands in for services not named."""

    provider: Literal["local"] = "local"
    local: LocalSettings = LocalSettings()
    services: dict[str, ServiceSettings] = {}
    default_service: ServiceSettings = ServiceSettings()

    @model_validator(mode="after")
    def _pipelines_exist(self) -> Self:
        named = {f"services.{name}": s for name, s in self.services.items()}
        for place, service in {**named, "default_service": self.default_service}.items():
            if service.pipeline is None:
                continue
            found = self.local.pipelines.get(service.pipeline)
            if found is None or not found.deploys:
                raise ValueError(
                    f"{place}.pipeline: {service.pipeline!r} is not a pipeline with `deploys: true`; "
                    f"there are: {', '.join(self._deploying()) or 'none'}"
                )
        return self

    def pipeline_of(self, service: str) -> str:
        """Return the pipeline that deploys a service. Raises ActionFailed saying which setting to add."""
        named = self._service(service).pipeline or self.default_service.pipeline
        if named is not None:
            return named
        deploying = self._deploying()
        if len(deploying) == 1:
            return deploying[0]
        if not deploying:
            raise ActionFailed(
                "no pipeline deploys: declare one with `deploys: true` under plugins.cicd.local.pipelines"
            )
        raise ActionFailed(
            f"several pipelines deploy ({', '.join(deploying)}): "
            f"name one under plugins.cicd.services.{service}.pipeline"
        )

    def timeout_of(self, pipeline: str) -> float:
        """Return how many seconds a build may take; of a pipeline that is not declared any more, as many as any may."""
        found = self.local.pipelines.get(pipeline)
        return found.timeout_seconds if found else LONGEST_BUILD

    def health_of(self, service: str) -> HealthQuery | None:
        """Return what a service must show after a deploy, None where nothing is declared."""
        found = self._service(service).health or self.default_service.health
        return found and found.model_copy(update={"query": found.query.replace("{service}", service)})

    def _service(self, name: str) -> ServiceSettings:
        return self.services.get(name, self.default_service)

    def _deploying(self) -> list[str]:
        return sorted(name for name, p in self.local.pipelines.items() if p.deploys)
