"""Something in between: a real server with faults on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

from sysop.testing.wire.served import Refused, Reply, StandIn

_TIMEOUT_S = 30.0
_OF_ONE_HOP = frozenset({"connection", "content-length", "host", "transfer-encoding", "keep-alive", "accept-encoding"})


class Proxy(StandIn):
    """Passes everything on to a real server. `changes` lists what that server carried out, as `named` calls it.

    Of several cookies in one answer all are passed on, in their order. `refusing` makes the body of a scripted refusal.
    """

    def __init__(
        self,
        server: str,
        named: Callable[[str, str], str] = lambda method, path: f"{method} {path}",
        refusing: Callable[[int, str], Any] = lambda _, message: {"message": message},
    ) -> None:
        super().__init__()
        self._address = urlsplit(server).netloc
        self._named = named
        self._refusing = refusing

    def refusal(self, status: int, message: str) -> Any:
        """Return the body with which the real server would refuse."""
        return self._refusing(status, message)

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Reply:
        """Pass a request on and return what the server said."""
        kept = {name: value for name, value in headers.items() if name not in _OF_ONE_HOP}
        connection = HTTPConnection(self._address, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path + (f"?{urlencode(query)}" if query else ""), raw or None, kept)
            got = connection.getresponse()
            body = got.read().decode()
        except (OSError, HTTPException) as gone:
            self.problems.append(f"{method} {path}: the server did not answer: {gone!r}")
            raise Refused(502, self.refusal(502, "the server did not answer")) from gone
        finally:
            connection.close()
        if got.status >= 500:
            self.problems.append(f"{method} {path}: the server broke: {body[:200]}")
        if method != "GET" and got.status < 300:
            self.changes.append(self._named(method, path))
        passed = {name.lower(): value for name, value in got.getheaders() if name.lower() not in _OF_ONE_HOP}
        if cookies := got.headers.get_all("set-cookie"):
            passed["set-cookie"] = ", ".join(cookies)
        return Reply(got.status, body, passed)
