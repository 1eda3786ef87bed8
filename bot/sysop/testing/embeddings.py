"""A server of embeddings on this machine for tests: OpenAI's `/v1/embeddings` over real HTTP, faults by script.

A text's vector is how often each letter stands in it, so that texts of the same letters are near. It is strict: what a
real server would refuse (no model, an empty or a too long list, an empty text, another encoding) is refused with status
400 and kept in `problems`; leaving the `with` block then raises AssertionError.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

MAX_TEXTS: Final = 2048
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request: a status, or with `body` an answer of that text; `hang` gives none at all."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    hang: bool = False


class EmbeddingServer:
    """The server. `url` ends in /v1; `faults` come first, one a request; `asked` are the texts of each request."""

    def __init__(self, *, key: str | None = None, faults: Sequence[Fault] = ()) -> None:
        self.key = key
        self.faults = deque(faults)
        self.asked: list[list[str]] = []
        self.problems: list[str] = []
        self.released = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.wire = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Return the base URL for a client."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        if error is None and self.problems:
            raise AssertionError(f"the server of embeddings refused requests: {self.problems}")


def letters(text: str) -> list[float]:
    """Return the vector of a text. It is not of length 1: not every server's are."""
    small = text.lower()
    return [small.count(letter) + 0.01 for letter in _LETTERS]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    wire: EmbeddingServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: clients under test give up in the middle."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        wire = self.server.wire
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/embeddings":
            return self._send(404, {"error": {"message": f"there is no {self.path}"}})
        if wire.key is not None and self.headers.get("Authorization") != f"Bearer {wire.key}":
            return self._send(401, {"error": {"message": "wrong key"}})
        try:
            body = json.loads(raw)
            problem = next(_problems(body), None)
        except ValueError:
            problem = "not JSON"
        if problem is not None:
            wire.problems.append(problem)
            return self._send(400, {"error": {"message": problem}})
        wire.asked.append(body["input"])
        if wire.faults:
            return self._fault(wire.faults.popleft())
        rows = [{"object": "embedding", "index": n, "embedding": letters(t)} for n, t in enumerate(body["input"])]
        return self._send(
            200, {"object": "list", "model": body["model"], "data": rows[::-1]}
        )  # `index` gives the order

    def _fault(self, fault: Fault) -> None:
        if fault.hang:
            self.server.wire.released.wait(60)
            self.close_connection = True
        elif fault.body is not None:
            self._answer(200, fault.body.encode(), fault.headers)
        else:
            self._send(fault.status, {"error": {"message": "scripted fault"}}, fault.headers)

    def _send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self._answer(status, json.dumps(body).encode(), headers or {})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _problems(body: Any) -> Iterator[str]:
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        yield "a request needs `model`"
        return
    texts = body.get("input")
    if not isinstance(texts, list) or not 1 <= len(texts) <= MAX_TEXTS:
        yield f"`input` must be 1 to {MAX_TEXTS} texts"
    elif not all(isinstance(text, str) and text for text in texts):
        yield "`input` holds an empty text, or something else than text"
    if body.get("encoding_format") != "float":
        yield "`encoding_format` must be float"
    if unknown := sorted(body.keys() - {"model", "input", "encoding_format", "dimensions", "user"}):
        yield f"there is no {unknown[0]!r}"
