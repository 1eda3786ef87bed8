"""What one call has signed in to is not there for another: the client of plugins keeps no cookies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sysop.gate.http import HttpClient, PluginHttp


@pytest.fixture
def shown() -> Iterator[tuple[str, list[str | None]]]:
    """Return a server that gives every caller a session, and what cookies it was shown."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("cookie"))
            self.send_response(200)
            self.send_header("set-cookie", "session=of-the-first; Path=/")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


async def test_a_session_of_one_call_does_not_carry_the_next(shown: tuple[str, list[str | None]]) -> None:
    url, seen = shown
    pool = HttpClient()
    signs_in, other = (PluginHttp(pool, ["127.0.0.1"], changes=changes) for changes in (True, False))
    answer = await signs_in.request("GET", url)
    assert answer.headers["set-cookie"].startswith("session=of-the-first")
    await other.request("GET", url)
    await signs_in.request("GET", url, headers={"cookie": "session=its-own"})
    await pool.close()
    assert seen == [None, None, "session=its-own"]
