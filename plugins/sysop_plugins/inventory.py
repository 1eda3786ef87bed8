"""Inventory: what the company runs, who owns it and what depends on what."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from sysop.api import (
    Action,
    Context,
    Health,
    HealthCheck,
    InvalidCall,
    Inventory,
    PluginContext,
    Risk,
    Service,
    ServiceName,
    action,
    hookimpl,
)

_FIX = """\
declare your services in sysop.yaml:
  inventory:
    checkout:
      environment: production
      owner: team-shop
      description: Takes orders
      depends_on: [payments]
    payments: {}"""


class ServiceEntry(BaseModel):
    """One service. `dependents` are the services that call it, directly or through others, nearest first."""

    model_config = ConfigDict(frozen=True)

    name: str
    environment: str
    owner: str
    description: str
    depends_on: tuple[str, ...]
    dependents: tuple[str, ...]


class Services(BaseModel):
    """All services, by name."""

    model_config = ConfigDict(frozen=True)

    services: tuple[ServiceEntry, ...]
    count: int


@action(risk=Risk.READ)
async def services(ctx: Context) -> Services:
    """List the services the company runs with environment, owner and dependencies."""
    known = sorted(ctx.inventory.services.values(), key=lambda s: s.name)
    return Services(services=tuple(_entry(ctx.inventory, s) for s in known), count=len(known))


@action(risk=Risk.READ)
async def service(ctx: Context, service: ServiceName) -> ServiceEntry:
    """Show one service: environment, owner, what it calls and who calls it."""
    found = ctx.inventory.services.get(service)
    if found is None:
        raise InvalidCall(f"service: {service!r} is not in the inventory; add it in sysop.yaml under `inventory:`")
    return _entry(ctx.inventory, found)


def _entry(inventory: Inventory, found: Service) -> ServiceEntry:
    return ServiceEntry(
        name=found.name,
        environment=found.environment,
        owner=found.owner,
        description=found.description,
        depends_on=tuple(found.depends_on),
        dependents=inventory.dependents(found.name),
    )


async def _health(ctx: PluginContext) -> Health:
    known = ctx.inventory.services
    if not known:
        return Health(None, "no service is declared: names are not checked and nothing is correlated", _FIX)
    return Health(True, f"{len(known)} services")


@hookimpl
def register_actions() -> Iterable[Action]:
    """Offer the reads."""
    return [services, service]


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    """Tell when there is nothing to check names against."""
    return [HealthCheck("inventory", _health)]
