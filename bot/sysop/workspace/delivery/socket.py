"""Socket Mode: up to ten connections, envelopes to each in turn, acks back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from sysop.workspace.delivery.envelope import ACK_SECONDS, Answer, Envelope, Retry
from sysop.workspace.ids import Ids
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json

MOST = 10
GRACE_SECONDS = 10.0


@dataclass(eq=False)
class Connection:
    """One connection. A ghost has no socket any more: what is sent to it is lost."""

    socket: web.WebSocketResponse | None
    transport: asyncio.Transport | None = None
    waiting: dict[str, asyncio.Future[object]] = field(default_factory=dict)


class Sockets:
    """Every open connection of the app."""

    late = "timeout"

    def __init__(self, world: World) -> None:
        self._world = world
        self._tickets: set[str] = set()
        self._linked: set[Connection] = set()
        self._open: list[Connection] = []
        self._turn = 0

    def ticket(self) -> str:
        """Return a new one-use ticket."""
        ticket = Ids.secret()
        self._tickets.add(ticket)
        return ticket

    def __len__(self) -> int:
        return len(self._open)

    async def link(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403, text="the ticket is not valid, or was used")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(timeout=1.0, max_msg_size=1024 * 1024)
        await socket.prepare(request)
        if len(self._open) >= MOST:
            await self._say_goodbye(socket, "too_many_websockets")
            return socket
        connection = Connection(socket, request.transport)
        self._linked.add(connection)
        self._open.append(connection)
        self._changed()
        try:
            await socket.send_json(self._hello())
            await self._receive(connection, socket)
        except ConnectionError:
            self._world.log.add("socket", event="lost")
        finally:
            self._drop(connection)
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "connection_info": {"app_id": self._world.app.app_id},
            "debug_info": {"host": "local-stand-in", "approximate_connection_time": 18060},
        }

    async def _receive(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                ack = json.loads(message.data)
            except (ValueError, RecursionError):
                ack = None
            if not isinstance(ack, dict):
                self._world.log.add("socket", event="nonsense", data=str(message.data)[:200])
                continue
            self._acknowledge(connection, ack)

    def _acknowledge(self, connection: Connection, ack: Json) -> None:
        waiting = connection.waiting.pop(str(ack.get("envelope_id")), None)
        if waiting is None or waiting.done():
            self._world.log.add("ack", envelope_id=ack.get("envelope_id"), late=True)
        else:
            waiting.set_result(ack.get("payload"))

    async def deliver(self, envelope: Envelope, retry: Retry | None) -> Answer:
        """Send an envelope over the next connection and wait for its ack."""
        if not self._open:
            return Answer("connection_failed")
        connection = self._open[self._turn % len(self._open)]
        self._turn += 1
        envelope_id = self._world.ids.uuid()
        waiting: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = waiting
        body: Json = {"envelope_id": envelope_id, "type": envelope.kind, "payload": envelope.payload}
        body["accepts_response_payload"] = envelope.answerable
        if retry is not None:
            body |= {"retry_attempt": retry.number, "retry_reason": retry.reason}
        if not await self._send(connection, body):
            return Answer("connection_failed")
        if not await self._world.clock.wait_for(waiting, ACK_SECONDS):
            connection.waiting.pop(envelope_id, None)
            return Answer(self.late)
        return Answer("connection_failed") if waiting.cancelled() else Answer(body=waiting.result() or None)

    async def _send(self, connection: Connection, body: Json) -> bool:
        if connection.socket is None:
            return True
        try:
            await connection.socket.send_json(body)
        except ConnectionError:
            self._drop(connection)
            return False
        return True

    def _retire(self, connection: Connection) -> None:
        """Send nothing more over a connection; what it still owes can come."""
        if connection in self._open:
            self._open.remove(connection)
            self._changed()

    def _drop(self, connection: Connection) -> None:
        self._retire(connection)
        self._linked.discard(connection)
        for waiting in connection.waiting.values():
            waiting.cancel()

    def _changed(self) -> None:
        self._world.log.add("socket", event="connections", count=len(self._open))
        self._world.feed.publish("connection", transport="socket", connected=len(self._open) > 0, count=len(self._open))

    async def _say_goodbye(self, socket: web.WebSocketResponse, reason: str, *, close: bool = True) -> None:
        self._world.log.add("socket", event="disconnect", reason=reason)
        body: Json = {"type": "disconnect", "reason": reason, "debug_info": {"host": "local-stand-in"}}
        try:
            await socket.send_json(body)
            if close:
                await socket.close()
        except ConnectionError:
            self._world.log.add("socket", event="lost")

    async def refresh(self) -> None:
        """Ask every connection to come again; the old one goes in its own time, or after ten seconds."""
        for connection in list(self._open):
            self._retire(connection)
            if connection.socket is not None:
                await self._say_goodbye(connection.socket, "refresh_requested", close=False)
                self._world.timers.start(self._close_later(connection.socket))

    async def _close_later(self, socket: web.WebSocketResponse) -> None:
        await self._world.clock.sleep(GRACE_SECONDS)
        await socket.close()

    async def disable(self) -> None:
        """End every connection for good, as when Socket Mode is switched off."""
        for connection in list(self._open):
            self._drop(connection)
            if connection.socket is not None:
                await self._say_goodbye(connection.socket, "link_disabled")

    async def warn(self) -> None:
        """Tell every connection that it will end in ten seconds."""
        for connection in list(self._open):
            if connection.socket is not None:
                await self._say_goodbye(connection.socket, "warning", close=False)
        self._world.timers.after(GRACE_SECONDS, lambda: self._world.timers.start(self.refresh()))

    def cut(self) -> None:
        """Break every connection without a word."""
        for connection in list(self._open):
            self._drop(connection)
            if connection.transport is not None:
                connection.transport.abort()

    def haunt(self) -> None:
        """Add a connection the app knows nothing of any more."""
        self._open.append(Connection(None))
        self._changed()

    def exorcise(self) -> None:
        """Take all ghosts away."""
        for connection in [one for one in self._open if one.socket is None]:
            self._drop(connection)

    async def stop(self) -> None:
        """Close every connection."""
        for connection in list(self._linked):
            self._drop(connection)
            if connection.socket is not None:
                await connection.socket.close()
