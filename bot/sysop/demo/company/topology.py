"""Who calls whom in the company, and which team owns what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Service:
    """One service of the company. `calls` is the service it depends on, None for the last in the chain.

    `also` are further paths with the service each depends on, and `asked` what customers of the whole company ask of
    it per second, directly or through others.
    """

    name: str
    path: str
    calls: str | None
    team: str
    asked: float
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def routes(self) -> Mapping[str, str | None]:
        """Return each path with what it depends on."""
        return {self.path: self.calls, **self.also}


ORDERS, FINDS = 12.0, 8.0
"""What customers of the whole company start per second."""

GATEWAY = Service("gateway", "/order", "checkout", "edge team", ORDERS + FINDS, {"/find": "search"})
CHECKOUT = Service("checkout", "/checkout", "payments", "checkout team", ORDERS)
PAYMENTS = Service("payments", "/charge", None, "payments team", ORDERS)
SEARCH = Service("search", "/search", None, "search team", FINDS)

SERVICES = {service.name: service for service in (GATEWAY, CHECKOUT, PAYMENTS)}
"""The services of every company."""

WHOLE = {**SERVICES, SEARCH.name: SEARCH}
"""The services of the whole company, the one that drills break."""

ACQUIRER = "acquirer"
"""The external party that payments depends on; nobody in the company can change it."""

NAMESPACE = "shop"
"""Where the Deployments of the services are in Kubernetes."""
