"""The plugin's section of sysop.yaml: which cluster, which namespaces, and how far each service may be scaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sysop.api import ActionFailed
from sysop_plugins.remote.queries import HealthQuery, Queries, asked_of

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Section(BaseModel):
    """A part of the settings: frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ScaleBounds(Section):
    """How many replicas a service may be given."""

    min: int = Field(default=1, ge=0, le=1000)
    max: int = Field(default=10, ge=1, le=1000)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is more than max, {self.max}")
        return self


class ServiceSettings(Section):
    """Where a service runs: its Deployment, named like the service unless said otherwise."""

    namespace: Name | None = None
    deployment: Name | None = None
    scale: ScaleBounds | None = None
    health: Queries = ()


class Place(Section):
    """A Deployment in its namespace."""

    namespace: Name
    name: Name

    def __str__(self) -> str:
        """Return both as `namespace/name`."""
        return f"{self.namespace}/{self.name}"


class Settings(Section):
    """The whole section. Without `url` there is no cluster and every action says so.

    `namespaces` are those that may be looked at and changed, no others. `write_user` is the user of the write
    credential where that is not the read credential's: the server is then asked what that user may. `nodes` lets nodes
    be cordoned. `feed` has the record of changes told of every rollout in the cluster, for what no pipeline tells of.
    `steady_seconds` is how long pods must be ready without a restart before a change counts as good.
    """

    url: str = Field(default="", pattern=r"^(https?://[^\s/]+(/[^\s?#]*[^\s?#/])?)?$")
    token_secret: str = Field(default="kubernetes", min_length=1)
    write_user: str | None = None
    namespaces: tuple[Name, ...] = ()
    nodes: bool = False
    feed: bool = False
    scale: ScaleBounds = ScaleBounds()
    health: Queries = ()
    services: dict[str, ServiceSettings] = Field(default_factory=dict)
    steady_seconds: float = Field(default=10, ge=0, le=300)
    timeout: float = Field(default=10, gt=0, le=60)

    @model_validator(mode="after")
    def _places_fit(self) -> Self:
        if self.url and not self.namespaces:
            raise ValueError("namespaces: name the namespaces that may be looked at and changed")
        taken: dict[Place, str] = {}
        for name, service in self.services.items():
            if service.namespace is not None and service.namespace not in self.namespaces:
                raise ValueError(f"services.{name}.namespace: {service.namespace!r} is not among `namespaces`")
            if service.namespace is None and len(self.namespaces) > 1:
                raise ValueError(f"services.{name}.namespace: there are several namespaces; name the service's")
            if (place := self._place(name)) is None:
                continue
            if place in taken:
                raise ValueError(f"services.{name}: {place} is already that of {taken[place]}")
            taken[place] = name
        return self

    def place_of(self, service: str) -> Place:
        """Return where a service's Deployment is. Raises ActionFailed saying which setting to add.

        A Deployment belongs to one service only: changes to a service never overlap, so neither do those to it.
        """
        if not self.url:
            raise ActionFailed("no cluster is declared: set plugins.kubernetes.url")
        place = self._place(service)
        if place is None:
            raise ActionFailed(
                f"service: there are several namespaces; name that of {service} under "
                f"plugins.kubernetes.services.{service}.namespace"
            )
        if service not in self.services and (owner := self._named().get(place)):
            raise ActionFailed(f"service: {place} is declared as that of {owner}; ask for that service")
        return place

    def service_of(self, place: Place) -> str | None:
        """Return the service a Deployment is that of, None where settings give it to nobody."""
        if owner := self._named().get(place):
            return owner
        return place.name if place.name not in self.services and self._place(place.name) == place else None

    def bounds_of(self, service: str) -> ScaleBounds:
        """Return how many replicas a service may be given."""
        named = self.services.get(service)
        return (named and named.scale) or self.scale

    def health_of(self, service: str) -> tuple[HealthQuery, ...]:
        """Return what a service must show after a change, nothing where nothing is declared."""
        named = self.services.get(service)
        return asked_of(service, (named and named.health) or self.health)

    def _place(self, service: str) -> Place | None:
        named = self.services.get(service, ServiceSettings())
        only = self.namespaces[0] if len(self.namespaces) == 1 else None
        namespace = named.namespace or only
        return Place(namespace=namespace, name=named.deployment or service) if namespace else None

    def _named(self) -> Mapping[Place, str]:
        return {place: name for name in self.services if (place := self._place(name))}
