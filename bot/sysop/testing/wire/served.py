"""The HTTP side of a stand-in: threads, faults, and a list of what the real server would not have understood."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from sysop.testing.wire.faults import Fault

_HANG_S = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON, or text where the body is one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request the server says no to."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.reply = Reply(status, body)


class Served:
    """One HTTP server in threads of its own."""

    def __init__(self, serve: Callable[[BaseHTTPRequestHandler], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two packets, and the second would wait for 40 ms

            def do_GET(self) -> None:
                serve(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class StandIn:
    """A server that stands in for a vendor's. `changes` lists what was changed: two of a kind are a change made twice.

    Leaving the `with` block raises AssertionError where something was asked that the real server would not understand.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.changes: list[str] = []
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._served = Served(self._serve)

    @property
    def url(self) -> str:
        """Return the address."""
        return self._served.url

    def fault(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._faults.append(fault)

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Reply:
        """Answer a request; `headers` have lower-case names. May raise Refused."""
        raise NotImplementedError

    def refusal(self, status: int, message: str) -> Any:
        """Return the body with which the real server would refuse."""
        return {"message": message}

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._served.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self._over.set()
        self._served.stop()
        if kind is None:
            assert not self.problems, self.problems

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        fault = next((one for one in self._faults if one.hits(handler.command, handler.path)), None)
        if fault is None:
            send(handler, self._answer(handler, raw))
        elif fault.kind == "status":
            send(handler, Reply(fault.status, self.refusal(fault.status, fault.message), fault.headers))
        elif fault.kind in ("hang", "cut_before", "cut_after"):
            if fault.kind == "hang":
                self._over.wait(_HANG_S)
            elif fault.kind == "cut_after":
                self._answer(handler, raw)
            handler.close_connection = True
            handler.connection.close()
        else:
            reply = self._answer(handler, raw)
            send(handler, reply, b"<html>oops" if fault.kind == "garbage" else b'{"odd": true}')

    def _answer(self, handler: BaseHTTPRequestHandler, raw: bytes) -> Reply:
        address = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.asked.append(f"{handler.command} {handler.path}")
            try:
                return self.answer(handler.command, address.path, dict(parse_qsl(address.query)), headers, raw)
            except Refused as no:
                return no.reply


def send(handler: BaseHTTPRequestHandler, reply: Reply, instead: bytes | None = None) -> None:
    """Send an answer, or its head with another body."""
    text = isinstance(reply.body, str)
    body = reply.body.encode() if text else b"" if reply.body is None else json.dumps(reply.body).encode()
    body = body if instead is None else instead
    handler.send_response(reply.status)
    kind = "text/plain; charset=utf-8" if text else "application/json; charset=utf-8"
    for name, value in {"content-type": kind, **reply.headers}.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
