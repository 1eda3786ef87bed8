"""Alerts in over HTTP, and the health of this process. A 2xx is sent only after a durable write.

A delivery that finds no room, or no database, is answered 503: Alertmanager and Datadog send again what met a 5xx, and
nothing else, not even a 429.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sysop.changes.feed import Delivered, fit
from sysop.delivery import Delivery
from sysop.errors import CallError, NotGenuine, StoreError
from sysop.extension import AlertSource, PluginContext
from sysop.incidents.lifecycle import Lifecycle
from sysop.model import Alert, Change
from sysop.redact import redact_value
from sysop.store.store import Store
from sysop.surfaces import strict
from sysop.surfaces.backlog import Backlog, Full, Share
from sysop.surfaces.receive import Refused, receive
from sysop.surfaces.refusals import Refusals
from sysop.surfaces.storable import check

AGAIN_S = 5
LARGE = 65_536
"""Bodies of more bytes are read in a thread: one of a megabyte takes up to a fifth of a second (measured)."""

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """One source that is open: what reads its deliveries, its token, and what its plugin sees."""

    source: AlertSource
    token: str
    context: Callable[[], PluginContext]


@dataclass(frozen=True, slots=True)
class Told:
    """All that a delivery tells: alerts, changes, and the names of what has moved on."""

    alerts: list[Alert]
    changes: list[Change]
    moved: list[str]


class Webhooks:
    """Routes `POST /webhooks/SOURCE`, `/healthz`, `/readyz`, and whatever applications share the port."""

    def __init__(
        self,
        store: Store,
        lifecycle: Lifecycle,
        delivered: Delivered,
        doors: Mapping[str, Door],
        max_body: int,
        backlog: Backlog,
        ready: Callable[[], bool],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._delivered = delivered
        self._doors = doors
        self._max_body = max_body
        self._backlog = backlog
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
        writing = asyncio.create_task(self._refusals.keep_writing())
        yield
        writing.cancel()
        await asyncio.wait({writing})
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
        try:
            with self._backlog.share() as share:
                told = await self._read(name, request, share)
                await self._delivered(told.changes, told.moved)  # first: an alert it tells of may be due to it
                taken = await self._lifecycle.take(told.alerts)
        except Refused as no:
            return await self._refuse(no)
        except Full:
            return await self._refuse(Refused(503, "full", "too much is waiting, send it again", again=True))
        except StoreError as bad:
            log.warning("a delivery from %s was not stored: %s", name, bad)
            return _answer(Refused(503, "not stored", "not stored, send it again", again=True))
        return JSONResponse({"new": taken.new, "ended": taken.ended, "known": taken.known})

    async def _read(self, name: str, request: Request, share: Share) -> Told:
        """Return what a delivery tells. Raises Refused, or Full where too much waits already."""
        delivery = await receive(request, self._max_body, share)
        door = self._doors.get(name)
        if door is None or not door.source.proves(delivery, door.token):
            # The same answer for an unknown source and a wrong token: a stranger learns nothing.
            raise _stranger()
        try:
            parsed = await _work(delivery, strict.parse, delivery.body)
            return await _told(door, replace(delivery, json=parsed), share)
        except ValueError as bad:
            raise Refused(400, "malformed", str(bad), told=f"a delivery from {name} is lost: {str(bad)!r}") from bad

    async def _refuse(self, no: Refused) -> Response:
        """Count and answer. Who is to come again is answered at once: the database may be what is too slow.

        The log tells of the first of a kind since they were counted: strangers must not fill it either.
        """
        told = no.told or (f"a delivery was sent back, to come again: {no.message}" if no.again else "")
        if told and not self._refusals.counts[no.reason]:
            log.warning("%s", told)
        if no.again:
            self._refusals.note(no.reason)
        else:
            await self._refusals.add(no.reason)
        return _answer(no)


async def _told(door: Door, delivery: Delivery, share: Share) -> Told:
    """Let the plugin read a delivery. Raises ValueError for a bad body, Full, or Refused for everything else."""
    source = door.source
    try:
        if source.accept:
            await source.accept(delivery, door.context())
        share.wait()
        return await _work(delivery, _all, source, delivery)
    except (ValueError, Full):
        raise
    except NotGenuine as bad:
        raise _stranger("not genuine", f"a delivery to {source.name} is not genuine: {bad}") from bad
    except (CallError, OSError) as bad:
        told = f"a delivery to {source.name} cannot be checked now: {bad}"
        message = "the sender cannot be checked now, send it again"
        raise Refused(503, "unchecked", message, again=True, told=told) from bad
    except Exception as broken:  # a plugin's own mistake; a sender that tries again later loses nothing
        log.exception("plugin %s failed to read a delivery to %s", source.plugin, source.name)
        raise Refused(500, "broken", f"the plugin {source.plugin} failed to read this; its log says why") from broken


def _all(source: AlertSource, delivery: Delivery) -> Told:
    return Told(
        check(source.parse(delivery)),
        fit(source.changes(delivery) if source.changes else ()),
        list(source.moved(delivery) if source.moved else ()),
    )


async def _work(delivery: Delivery, work: Callable[..., T], *args: Any) -> T:
    """Do what takes long for a large delivery, while others are answered."""
    return await asyncio.to_thread(work, *args) if len(delivery.body) > LARGE else work(*args)


def _stranger(reason: str = "unauthorized", told: str = "") -> Refused:
    return Refused(401, reason, "no source of this name takes this token", told=told)


def _answer(no: Refused) -> Response:
    headers = {"Retry-After": str(AGAIN_S)} if no.again else None
    return JSONResponse({"error": redact_value(no.message)}, status_code=no.status, headers=headers)
