"""A strict Prometheus over HTTP: range queries by exact text, series as functions of time, nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Prom:
    """`series` by query: labels and a function of time that gives a number, or None for no sample."""

    url: str = ""
    token: str | None = None
    series: dict[str, list[tuple[dict[str, str], Callable[[float], float | None]]]] = field(default_factory=dict)
    asked: list[dict[str, float]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    """Whole results by query, for what a Prometheus may say besides."""

    down: bool = False

    def gives(self, query: str, value: Callable[[float], float | None], **labels: str) -> None:
        self.series.setdefault(query, []).append((labels, value))

    def answer(self, path: str, params: dict[str, str]) -> tuple[int, Any]:
        if self.down:
            return 503, {"status": "error", "errorType": "unavailable", "error": "down for a test"}
        query = params.get("query", "")
        if query in self.answers:
            return 200, {"status": "success", "data": self.answers[query]}
        if path != "/api/v1/query_range" or query not in self.series:
            return 400, {"status": "error", "errorType": "bad_data", "error": f"unknown {path} {query!r}"}
        start, end, step = float(params["start"]), float(params["end"]), float(params["step"])
        points = int((end - start) // step) + 1
        if points > 11_000:
            return 400, {"status": "error", "errorType": "bad_data", "error": "exceeded maximum resolution of 11,000"}
        self.asked.append({"start": start, "end": end, "step": step})
        times = [start + n * step for n in range(points)]
        result = [
            {"metric": labels, "values": [[t, str(v)] for t in times if (v := value(t)) is not None]}
            for labels, value in self.series[query]
        ]
        whole = [one for one in result if one["values"]]
        return 200, {"status": "success", "data": {"resultType": "matrix", "result": whole}}


@contextmanager
def prometheus() -> Iterator[Prom]:
    prom = Prom()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            wanted = f"Bearer {prom.token}" if prom.token else None
            if self.headers.get("Authorization") != wanted:
                status, body = 401, {"status": "error"}
            else:
                status, body = prom.answer(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    prom.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield prom
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
