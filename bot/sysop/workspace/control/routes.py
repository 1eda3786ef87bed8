"""`/_control`: the door of the page and of tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from sysop.workspace.control import interact, modal, places, reads, say, trouble
from sysop.workspace.control.desk import Desk
from sysop.workspace.errors import ControlError
from sysop.workspace.wire import Json

KEEP_ALIVE_SECONDS = 15.0
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Types a browser may show as they are; all else is plain text or a download."""

Handler = Callable[[Desk, Json], Awaitable[Json]]
HANDLERS: dict[str, Handler] = {
    **say.HANDLERS,
    **places.HANDLERS,
    **interact.HANDLERS,
    **modal.HANDLERS,
    **trouble.HANDLERS,
}


class Control:
    """Answers control requests. Who may ask was checked before."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/_control/state", self._read(lambda request: reads.state(self._desk, request.query))),
            web.get("/_control/messages/{channel}", self._read(self._messages)),
            web.get("/_control/log", self._read(lambda request: reads.log(self._desk, request.query))),
            web.get("/_control/events", self._events),
            web.get("/_control/files/{file_id}", self._file),
            web.post("/_control/{act}", self._act),
        ]

    def _messages(self, request: web.Request) -> Json:
        return reads.messages(self._desk, request.match_info["channel"], request.query)

    def _read(self, read: Callable[[web.Request], Json]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return web.json_response({"ok": True} | read(request))
            except ControlError as refusal:
                return _refused(refusal)

        return handle

    async def _act(self, request: web.Request) -> web.StreamResponse:
        handler = HANDLERS.get(request.match_info["act"])
        if handler is None:
            return _refused(ControlError("unknown_act", f"acts are {', '.join(sorted(HANDLERS))}"), 404)
        try:
            body = await _body(request)
            return web.json_response({"ok": True} | await handler(self._desk, body))
        except ControlError as refusal:
            return _refused(refusal)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        try:
            file = reads.file(self._desk, request.match_info["file_id"])
        except ControlError as refusal:
            return _refused(refusal, 404)
        kind = file.mimetype
        if kind.startswith("text/") or kind in ("application/json", "application/x-yaml"):
            kind = "text/plain"
        headers = {} if kind in SHOWN or kind == "text/plain" else {"Content-Disposition": "attachment"}
        charset = "utf-8" if kind == "text/plain" else None
        return web.Response(body=file.content, content_type=kind, charset=charset, headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Stream changes as they happen; a page that comes back names the last one it saw."""
        feed = self._desk.world.feed
        try:
            user = self._desk.person(dict(request.query))
            last = request.headers.get("Last-Event-ID") or request.query.get("after", "")
            seen = reads.number({"after": last}, "after", feed.last)
        except ControlError as refusal:
            return _refused(refusal)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        with feed.listen(user.id) as queue:
            try:
                await response.write(b": welcome\n\n")
                for change in feed.after(seen, user.id):
                    await response.write(_event(change))
                await self._follow(response, queue)
            except ConnectionError:
                self._desk.world.log.add("page", event="gone", user=user.id)
        return response

    async def _follow(self, response: web.StreamResponse, queue: asyncio.Queue[Json | None]) -> None:
        while True:
            try:
                change = await asyncio.wait_for(queue.get(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if change is None:
                return
            await response.write(_event(change))


def _event(change: Json) -> bytes:
    return f"id: {change['n']}\ndata: {json.dumps(change)}\n\n".encode()


async def _body(request: web.Request) -> Json:
    try:
        body = await request.json() if request.can_read_body else {}
    except (ValueError, LookupError, RecursionError):
        raise ControlError("invalid_json", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise ControlError("invalid_json", "the body must be an object")
    return body


def _refused(refusal: ControlError, status: int = 400) -> web.Response:
    body = {"ok": False, "error": refusal.error, "message": refusal.message} | refusal.extra
    return web.json_response(body, status=status)
