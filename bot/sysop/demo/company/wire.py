"""HTTP/1.1 with one request a connection: small enough that a process is up in a tenth of a second.

A server here can stop accepting on a socket that another process still serves, without losing a connection:
that is what a deploy needs, and what asyncio's own server does not promise.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 1024 * 1024
READ_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A request as it came. `values` are the query's parameters, overridden by those of a form body."""

    method: str
    path: str
    values: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """An answer, made or received."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"

    @property
    def ok(self) -> bool:
        """Say whether the status is 2xx."""
        return 200 <= self.status < 300


Handler = Callable[[Request], Awaitable[Response]]


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as a JSON answer."""
    return Response(status, json.dumps(value).encode(), "application/json")


def text_response(text: str, status: int = 200) -> Response:
    """Return a line of text as an answer."""
    return Response(status, f"{text}\n".encode())


def open_socket() -> socket.socket:
    """Return a listening socket on a free port of the loopback address."""
    listening = socket.create_server((HOST, 0), backlog=256)
    listening.setblocking(False)
    return listening


def address(listening: socket.socket) -> str:
    """Return the base URL of a listening socket."""
    return f"http://{HOST}:{listening.getsockname()[1]}"


class Server:
    """Serves one handler on any number of listening sockets."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._sockets: list[socket.socket] = []
        self._open: set[asyncio.Task[None]] = set()

    def listen(self, listening: socket.socket) -> None:
        """Start to accept on a socket, which may be shared with other processes."""
        listening.setblocking(False)
        self._sockets.append(listening)
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def close(self) -> None:
        """Stop accepting; requests that were accepted go on."""
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets.clear()

    async def drain(self) -> None:
        """Stop accepting, then finish what was accepted."""
        self.close()
        while self._open:
            await asyncio.wait(self._open)

    def _accept(self, listening: socket.socket) -> None:
        # Accepting and starting the task is one step, so no accepted connection can be lost between the two.
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process on the same socket was faster
        connection.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._open.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        if not task.cancelled() and (problem := task.exception()):
            log.error("a request was dropped", exc_info=problem)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=HEAD_LIMIT)
        try:
            async with asyncio.timeout(READ_SECONDS):
                request = await _read_request(reader)
            response = await self._handler(request) if isinstance(request, Request) else request
            writer.write(_head(response) + response.body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            log.debug("a client went away")
        finally:
            await _close(writer)


async def fetch(
    url: str,
    *,
    timeout: float,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send one request. Raises TimeoutError when it takes too long, another OSError for what is not an HTTP answer."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = {"Host": parts.netloc, "Connection": "close", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80, limit=HEAD_LIMIT)
        try:
            writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
            return await _read_response(reader)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as broken:
            raise ConnectionError(f"{url} gave no complete HTTP answer") from broken
        finally:
            await _close(writer)


async def _read_request(reader: asyncio.StreamReader) -> Request | Response:
    try:
        (method, target, _), headers = await _read_head(reader)
        length = int(headers.get("content-length", "0"))
    except (ValueError, asyncio.LimitOverrunError):
        return text_response("not an HTTP request", 400)
    if "transfer-encoding" in headers:
        return text_response("send a Content-Length", 411)
    if not 0 <= length <= BODY_LIMIT:
        return text_response("the body is too large", 413)
    body = await reader.readexactly(length)
    parts = urlsplit(target)
    values = dict(parse_qsl(parts.query, keep_blank_values=True))
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        values.update(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return Request(method, parts.path, values, body)


async def _read_response(reader: asyncio.StreamReader) -> Response:
    (_, status, *_), headers = await _read_head(reader)
    length = headers.get("content-length")
    body = await reader.read() if length is None else await reader.readexactly(int(length))
    return Response(int(status), body, headers.get("content-type", ""))


async def _read_head(reader: asyncio.StreamReader) -> tuple[list[str], dict[str, str]]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *rest = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return first.split(" ", 2), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _head(response: Response) -> bytes:
    return (
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
