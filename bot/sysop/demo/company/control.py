"""The supervisor's door: `GET /status` for how the company fares, `POST /deploy` for a pipeline."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from sysop.demo.company import wire
from sysop.demo.company.child import ChildFailed
from sysop.demo.company.scenario import UnknownRelease
from sysop.demo.company.supervisor import Company
from sysop.demo.company.wire import Request, Response


def handler(company: Company) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of the control port of a company."""

    async def handle(request: Request) -> Response:
        if not company.ready:
            return wire.json_response({"error": "the company is still starting"}, 503)
        if (request.method, request.path) == ("GET", "/status"):
            return wire.json_response(company.status())
        if (request.method, request.path) == ("POST", "/deploy"):
            return await _deploy(company, request.body)
        return wire.json_response({"error": "there are GET /status and POST /deploy"}, 404)

    return handle


async def _deploy(company: Company, body: bytes) -> Response:
    try:
        wanted = json.loads(body)
        service, version = str(wanted["service"]), str(wanted["version"])
    except (ValueError, KeyError, TypeError):
        return wire.json_response({"error": 'send {"service": …, "version": …}'}, 400)
    try:
        return wire.json_response({"log": await company.deploy(service, version)})
    except UnknownRelease as unknown:
        return wire.json_response({"error": str(unknown)}, 422)
    except ChildFailed as failed:
        return wire.json_response({"error": str(failed)}, 500)
