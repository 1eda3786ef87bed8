"""Who calls whom in the company, and which team owns what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """One service of the company. `calls` is the service it depends on, None for the last in the chain."""

    name: str
    path: str
    calls: str | None
    team: str


GATEWAY = Service("gateway", "/order", "checkout", "edge team")
CHECKOUT = Service("checkout", "/checkout", "payments", "checkout team")
PAYMENTS = Service("payments", "/charge", None, "payments team")

SERVICES = {service.name: service for service in (GATEWAY, CHECKOUT, PAYMENTS)}
