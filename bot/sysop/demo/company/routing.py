"""Which process talks to which address, as arguments of their commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sysop.demo.company.topology import ACQUIRER, FINDS, GATEWAY, ORDERS, PAYMENTS, Service

RATE = 20.0
"""Orders a second that customers of the small company place."""


def arguments(service: Service, urls: Mapping[str, str]) -> Sequence[str]:
    """Return the routes of a service; a path whose dependency this company does not have is left out.

    Payments depend on the acquirer where there is one.
    """
    routes = dict(service.routes)
    if service.name == PAYMENTS.name and ACQUIRER in urls:
        routes[service.path] = ACQUIRER
    return [
        f"--route={path}" if called is None else f"--route={path}={called}={urls[called]}"
        for path, called in routes.items()
        if called is None or called in urls
    ]


def streams(gateway: str, *, whole: bool) -> Sequence[str]:
    """Return what customers ask of the gateway."""
    rates = {GATEWAY.path: ORDERS, **dict.fromkeys(GATEWAY.also, FINDS)} if whole else {GATEWAY.path: RATE}
    return [f"--stream={rate}={gateway}{path}" for path, rate in rates.items()]
