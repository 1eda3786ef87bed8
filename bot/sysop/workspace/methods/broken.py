"""Requests that fail because somebody asked for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from sysop.workspace.faults import Fault
from sysop.workspace.state.world import World

Handle = Callable[[Fault | None], Awaitable[web.Response]]


async def unless_broken(world: World, request: web.Request, name: str, handle: Handle) -> web.Response:
    """Answer a request by its handler, or let it fail as the next fault of this name wants it.

    A hanging request reaches its handler late, a dropped one before or after it did its work. An `error` is the
    handler's to answer.
    """
    fault = world.faults.take(name)
    if fault is None:
        return await handle(None)
    world.log.add("fault", method=name, fault=fault.kind)
    if fault.kind == "drop_before":
        return _cut(request)
    if fault.kind == "500":
        return web.Response(status=500, text="upstream error")
    if fault.kind == "429":
        headers = {"Retry-After": str(fault.retry_after)}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
    if fault.kind == "hang":
        await world.clock.sleep_steady(fault.seconds)
    response = await handle(fault)
    return _cut(request) if fault.kind == "drop_after" else response


def _cut(request: web.Request) -> web.Response:
    """Break the connection instead of answering."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
