"""The plugin's section of sysop.yaml: which pipelines there are and how each service is deployed and judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from sysop.api import ActionFailed
from sysop_plugins.cicd.argocd.settings import ArgoSettings
from sysop_plugins.cicd.buildbot.settings import BuildbotSettings
from sysop_plugins.cicd.declared import LONGEST_BUILD, Declared, Section
from sysop_plugins.cicd.github.settings import GitHubSettings
from sysop_plugins.cicd.gitlab.settings import GitLabSettings
from sysop_plugins.cicd.jenkins.settings import JenkinsSettings
from sysop_plugins.cicd.local.settings import LocalSettings

SAMPLES = 3
"""So many readings in a row, all after the build's end, must be well at least: one alone may be a lucky gap."""
LONGEST_HEALTH = 3600


class HealthQuery(Section):
    """What a service must show after a deploy: the only series of the query stays well over a window.

    Well is below `below` and, with `worse_than_before`, at most so many times the median of the `before_seconds` before
    the change; what is not above `floor` is never worse. More is worse: turn a query of the other kind around.
    `within_seconds` counts from the build's end; readings are `every_seconds` apart over the last `window_seconds`, at
    least three. `{service}` in the query is replaced.
    """

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


class ServiceSettings(Section):
    """How one service is deployed and judged. Without `pipeline`, the only pipeline that deploys is taken."""

    pipeline: str | None = None
    health: Queries = ()


class Settings(Section):
    """The whole section. Every provider may be used at once; a pipeline's name stands for one pipeline in all of them.

    `default_service` stands in for services not named.
    """

    local: LocalSettings = LocalSettings()
    github: GitHubSettings | None = None
    gitlab: GitLabSettings | None = None
    jenkins: JenkinsSettings | None = None
    argocd: ArgoSettings | None = None
    buildbot: BuildbotSettings | None = None
    services: dict[str, ServiceSettings] = Field(default_factory=dict)
    default_service: ServiceSettings = ServiceSettings()

    @model_validator(mode="after")
    def _pipelines_exist(self) -> Self:
        self._names_are_unique()
        named = {f"services.{name}": s for name, s in self.services.items()}
        declared = self.declared()
        for place, service in {**named, "default_service": self.default_service}.items():
            if service.pipeline is None:
                continue
            if service.pipeline not in declared or not declared[service.pipeline].deploys:
                raise ValueError(
                    f"{place}.pipeline: {service.pipeline!r} is not a pipeline that deploys; "
                    f"there are: {', '.join(self._deploying()) or 'none'}"
                )
        return self

    def _names_are_unique(self) -> None:
        names = [name for pipelines in self._by_provider().values() for name in pipelines]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"pipelines: {twice[0]!r} is declared by two providers; rename one of them")

    def _by_provider(self) -> dict[str, Mapping[str, Declared]]:
        """Return what each provider declares."""
        found: dict[str, Mapping[str, Declared]] = {
            "local": {
                name: Declared("local", p.description, p.parameters, p.deploys, p.timeout_seconds)
                for name, p in self.local.pipelines.items()
            }
        }
        for provider, section in (
            ("github", self.github),
            ("gitlab", self.gitlab),
            ("jenkins", self.jenkins),
            ("argocd", self.argocd),
            ("buildbot", self.buildbot),
        ):
            if section is not None:
                found[provider] = {
                    name: Declared(
                        provider, p.description, _takes(p.deploys, p.parameters), p.deploys, p.timeout_seconds, p.own
                    )
                    for name, p in section.pipelines.items()
                }
        return found

    def declared(self) -> dict[str, Declared]:
        """Return every pipeline by name."""
        return {name: one for pipelines in self._by_provider().values() for name, one in pipelines.items()}

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
                "no pipeline deploys: declare one with `deploys: true` under plugins.cicd.local.pipelines, "
                "or one of another provider"
            )
        raise ActionFailed(
            f"several pipelines deploy ({', '.join(deploying)}): "
            f"name one under plugins.cicd.services.{service}.pipeline"
        )

    def releases(self, service: str) -> str:
        """Return the pipeline that may deploy a service. Raises ActionFailed where it would deploy another one."""
        pipeline = self.pipeline_of(service)
        own = self.declared()[pipeline].own
        if own is None or self.default_service.pipeline == pipeline:
            return pipeline
        named = self.services_of(pipeline) or [own]
        if service in named:
            return pipeline
        raise ActionFailed(
            f"service: pipeline {pipeline} deploys {', '.join(named)}; if it deploys {service} too, "
            f"name it under plugins.cicd.services.{service}.pipeline"
        )

    def services_of(self, pipeline: str) -> list[str]:
        """Return the services that name a pipeline as the one that deploys them."""
        return sorted(name for name, service in self.services.items() if service.pipeline == pipeline)

    def timeout_of(self, pipeline: str) -> float:
        """Return how many seconds a build may take; of a pipeline that is not declared any more, as many as any may."""
        found = self.declared().get(pipeline)
        return found.timeout_seconds if found else LONGEST_BUILD

    def health_of(self, service: str) -> tuple[HealthQuery, ...]:
        """Return what a service must show after a deploy, nothing where nothing is declared."""
        found = self._service(service).health or self.default_service.health
        return tuple(one.model_copy(update={"query": one.query.replace("{service}", service)}) for one in found)

    def _service(self, name: str) -> ServiceSettings:
        return self.services.get(name, self.default_service)

    def _deploying(self) -> list[str]:
        return sorted(name for name, one in self.declared().items() if one.deploys)


def _takes(deploys: bool, declared: tuple[str, ...]) -> tuple[str, ...]:
    return ("service", "version") if deploys else declared
