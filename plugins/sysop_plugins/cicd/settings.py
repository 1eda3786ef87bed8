"""The plugin's section of sysop.yaml: which pipelines there are and how each service is deployed and judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from sysop.api import ActionFailed
from sysop_plugins.cicd.argocd.settings import ArgoSettings
from sysop_plugins.cicd.buildbot.settings import BuildbotSettings
from sysop_plugins.cicd.declared import LONGEST_BUILD, Declared, Section
from sysop_plugins.cicd.github.settings import GitHubSettings
from sysop_plugins.cicd.gitlab.settings import GitLabSettings
from sysop_plugins.cicd.jenkins.settings import JenkinsSettings
from sysop_plugins.cicd.local.settings import LocalSettings
from sysop_plugins.remote.queries import HealthQuery, Queries, asked_of


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
        return asked_of(service, self._service(service).health or self.default_service.health)

    def _service(self, name: str) -> ServiceSettings:
        return self.services.get(name, self.default_service)

    def _deploying(self) -> list[str]:
        return sorted(name for name, one in self.declared().items() if one.deploys)


def _takes(deploys: bool, declared: tuple[str, ...]) -> tuple[str, ...]:
    return ("service", "version") if deploys else declared
