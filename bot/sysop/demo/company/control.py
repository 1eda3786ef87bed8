"""The supervisor's door: how the company fares, what its pipelines order, and, for drills, what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sysop.demo.company import operations, wire
from sysop.demo.company.child import ChildFailed
from sysop.demo.company.estate import UnknownRevision
from sysop.demo.company.operations import UnknownService
from sysop.demo.company.releases import UnknownRelease
from sysop.demo.company.supervisor import Company
from sysop.demo.company.trouble import BadFault, Trouble
from sysop.demo.company.wire import Request, Response

Told = Mapping[str, Any]
Order = Callable[[Company, Told], Awaitable[dict[str, Any]]]


class BadOrder(Exception):
    """An order lacks a field; the text names what to send."""


def handler(company: Company) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of the control port of a company."""

    async def handle(request: Request) -> Response:
        if (request.method, request.path) == ("GET", "/metrics"):
            return Response(200, company.metrics().encode(), "text/plain; version=0.0.4; charset=utf-8")
        if not company.ready:
            return wire.json_response({"error": "the company is still starting"}, 503)
        if (request.method, request.path) == ("GET", "/status"):
            return wire.json_response(company.status())
        if request.method == "POST" and (order := ORDERS.get(request.path)) is not None:
            return await _obey(company, order, request.body)
        return wire.json_response({"error": f"there are GET /status, /metrics and POST {', '.join(ORDERS)}"}, 404)

    return handle


async def _obey(company: Company, order: Order, body: bytes) -> Response:
    try:
        told = json.loads(body)
        if not isinstance(told, dict):
            raise BadOrder("send one JSON object")
        return wire.json_response(await order(company, told))
    except (ValueError, BadOrder) as bad:
        return wire.json_response({"error": str(bad)}, 400)
    except (UnknownRelease, UnknownService, UnknownRevision, BadFault) as unknown:
        return wire.json_response({"error": str(unknown)}, 422)
    except ChildFailed as failed:
        return wire.json_response({"error": str(failed)}, 500)


async def _deploy(company: Company, told: Told) -> dict[str, Any]:
    service, version = _texts(told, "service", "version")
    return {"log": await company.deploy(service, version, _by(told))}


async def _configure(company: Company, told: Told) -> dict[str, Any]:
    service, revision = _texts(told, "service", "revision")
    return {"log": operations.configure(company, service, revision, _by(told))}


async def _clean_up(company: Company, told: Told) -> dict[str, Any]:
    (service,) = _texts(told, "service")
    return {"log": operations.clean_up(company, service, _by(told))}


async def _renew_certificate(company: Company, told: Told) -> dict[str, Any]:
    (service,) = _texts(told, "service")
    return {"log": operations.renew_certificate(company, service, _by(told))}


async def _checks(company: Company, told: Told) -> dict[str, Any]:
    service, build = _texts(told, "service", "build")
    return await operations.check(company, service, build, _by(told))


async def _fault(company: Company, told: Told) -> dict[str, Any]:
    if not company.options.whole:
        raise BadFault("kind: only a company that was started with --whole breaks on demand")
    return Trouble(company).cause(told)


ORDERS: Mapping[str, Order] = {
    "/deploy": _deploy,
    "/configure": _configure,
    "/clean-up": _clean_up,
    "/renew-certificate": _renew_certificate,
    "/checks": _checks,
    "/fault": _fault,
}


def _texts(told: Told, *fields: str) -> tuple[str, ...]:
    if missing := [field for field in fields if field not in told]:
        raise BadOrder(f"{missing[0]}: is missing; send {', '.join(fields)}")
    return tuple(str(told[field]) for field in fields)


def _by(told: Told) -> str:
    return str(told.get("by", ""))
