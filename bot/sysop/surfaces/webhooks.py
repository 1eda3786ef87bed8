"""Alerts in over HTTP, and the health of this process. A 2xx is sent only after a durable write."""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sysop.errors import StoreError
from sysop.extension import AlertSource
from sysop.incidents.lifecycle import Lifecycle
from sysop.model import Alert
from sysop.redact import UNSTORABLE, redact_value
from sysop.store.store import Store
from sysop.surfaces.refusals import Refusals

MAX_DEPTH = 32
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

log = logging.getLogger(__name__)


class Webhooks:
    """Routes `POST /webhooks/SOURCE`, `/healthz`, `/readyz`, and whatever applications share the port."""

    def __init__(
        self,
        store: Store,
        lifecycle: Lifecycle,
        sources: Mapping[str, AlertSource],
        tokens: Mapping[str, str],
        max_body: int,
        ready: Callable[[], bool],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._sources = sources
        self._tokens = tokens
        self._max_body = max_body
        self._ready = ready
        self._more = more or {}
        self._refusals = Refusals(store, "service:webhooks")

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/webhooks/{source}", self._take, methods=["POST"]),
                Route("/healthz", self._health),
                Route("/readyz", self._readiness),
                *(Route(path, app) for path, app in self._more.items()),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        await self._refusals.flush()

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _readiness(self, _request: Request) -> Response:
        try:
            await self._store.check()
        except StoreError as bad:
            return JSONResponse({"status": "not ready", "reason": str(bad)}, status_code=503)
        if not self._ready():
            return JSONResponse({"status": "not ready", "reason": "starting or draining"}, status_code=503)
        return JSONResponse({"status": "ready"})

    async def _take(self, request: Request) -> Response:
        name = request.path_params["source"]
        token = self._tokens.get(name)
        if token is None or not _authorized(request, token):
            # The same answer for an unknown source and a wrong token: a stranger learns nothing.
            return await self._refuse(401, "unauthorized", "no source of this name takes this token")
        body = await self._body(request)
        if body is None:
            return await self._refuse(413, "too large", f"the body is larger than {self._max_body} bytes")
        try:
            alerts = _checked(self._sources[name].parse(_json(body)))
        except ValueError as bad:
            return await self._refuse(400, "malformed", str(bad))
        try:
            taken = await self._lifecycle.take(alerts)
        except StoreError as bad:
            log.warning("a delivery from %s was not stored: %s", name, bad)
            return JSONResponse({"error": "not stored, send it again"}, status_code=503, headers={"Retry-After": "5"})
        return JSONResponse({"new": taken.new, "ended": taken.ended, "known": taken.known})

    async def _body(self, request: Request) -> bytes | None:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._max_body:
                    return None
        except ClientDisconnect:
            return b""
        return bytes(body)

    async def _refuse(self, status: int, reason: str, message: str) -> Response:
        await self._refusals.add(reason)
        return JSONResponse({"error": redact_value(message)}, status_code=status)


def _authorized(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {token}".encode())


def _checked(alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts. Raises ValueError for one that no database can keep as it is: its sender would try for ever.

    Notes and links are kept with a mark in the place of such a character; by these fields alerts are told apart.
    """
    checked = list(alerts)
    for number, alert in enumerate(checked):
        fields = {"fingerprint": alert.fingerprint, **{f"labels.{name}": text for name, text in alert.labels.items()}}
        for name, text in fields.items():
            if UNSTORABLE.search(name + text):
                raise ValueError(
                    f"alerts[{number}].{name}: holds a NUL or half a surrogate pair, which cannot be stored; "
                    "take the character out where the alert is made"
                )
    return checked


def _json(body: bytes) -> object:
    """Return the parsed body. Raises ValueError; depth is counted first, since the parser recurses."""
    depth = deepest = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError(f"the JSON is nested deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(body)
    except (UnicodeDecodeError, RecursionError) as bad:
        raise ValueError(f"the body is not JSON in UTF-8: {bad}") from bad
    except json.JSONDecodeError as bad:
        raise ValueError(f"the body is not JSON: {bad}") from bad
