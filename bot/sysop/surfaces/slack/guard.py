"""The guard before Bolt over HTTP: whatever is malformed or not signed by Slack is answered here, and counted."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.adapter.asgi.http_request import AsgiHttpRequest
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import Clock, SignatureVerifier

from sysop.surfaces.refusals import Refusals

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

MAX_BODY = 1_048_576
MAX_DEPTH = 64
"""Deeper than any view."""
_TIMESTAMP = re.compile(rb"[0-9]{1,11}")
_SIGNATURE = re.compile(rb"v0=[0-9a-f]{64}")
_INNER = b"x-slack-bolt-"
_SHAPES: dict[str, type] = {
    "event": dict,
    "view": dict,
    "user": dict,
    "channel": dict,
    "container": dict,
    "message": dict,
    "actions": list,
    "authorizations": list,
}
"""What Bolt or a listener would trip over, were it of another kind."""


class Genuine:
    """A request that was read, checked and parsed, in the place of the `receive` it was read from."""

    def __init__(self, body: bytes, request: AsyncBoltRequest) -> None:
        self.request = request
        self._parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def __call__(self) -> MutableMapping[str, Any]:
        """Hand out the body once more."""
        return self._parts.pop() if self._parts else {"type": "http.disconnect"}


class Adapter(AsyncSlackRequestHandler):
    """Bolt's own ASGI handler, except that what the guard has parsed is not parsed again."""

    async def dispatch(self, request: AsgiHttpRequest) -> BoltResponse:
        """Hand a request to Bolt."""
        read: Any = request.receive
        if isinstance(read, Genuine):
            return await self.app.async_dispatch(read.request)
        return await super().dispatch(request)


class Guard:
    """Lets through to Bolt what Slack has signed and what is shaped as Slack shapes it; answers the rest itself."""

    def __init__(
        self, inner: Asgi, secret: str, refusals: Refusals, *, path: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._inner = inner
        self._verifier = SignatureVerifier(secret, _Clock(clock))
        self._refusals = refusals
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        if not scope["path"].endswith(self._path):
            await _answer(send, 404, "not found")
            return
        if scope["method"] != "POST":
            await _answer(send, 405, "method not allowed")
            return
        headers: list[Header] = [(name.lower(), value) for name, value in scope["headers"]]
        body = await _body(receive)
        found = self._checked(headers, body, scope["query_string"])
        if not isinstance(found, Genuine):
            status, reason = found
            await self._refusals.add(reason)
            await _answer(send, status, reason)
            return
        kept = [(name, value) for name, value in headers if not name.startswith(_INNER)]
        await self._inner({**scope, "path": self._path, "headers": kept}, found, send)

    def _checked(self, headers: list[Header], body: bytes | None, query: bytes) -> Genuine | tuple[int, str]:
        if body is None:
            return 413, "too large"
        if not self._signed(headers, body):
            return 401, "unauthorized"
        parsed = _parsed(headers, body, query)
        return (400, "malformed") if parsed is None else Genuine(body, parsed)

    def _signed(self, headers: list[Header], body: bytes) -> bool:
        stamp = _one(headers, b"x-slack-request-timestamp")
        signature = _one(headers, b"x-slack-signature")
        if not (_TIMESTAMP.fullmatch(stamp) and _SIGNATURE.fullmatch(signature)):
            return False
        try:
            return bool(self._verifier.is_valid(body.decode(), stamp.decode(), signature.decode()))
        except UnicodeDecodeError:
            return False


class _Clock(Clock):
    """The clock the SDK's verifier asks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock

    def now(self) -> float:
        return self._clock()


def _one(headers: Iterable[Header], name: bytes) -> bytes:
    """Return a header that stands once; twice is as good as not at all."""
    found = [value for given, value in headers if given == name]
    return found[0] if len(found) == 1 else b""


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body; None where it is larger than anything Slack sends. A sender that left sent nothing."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _parsed(headers: Iterable[Header], body: bytes, query: bytes) -> AsyncBoltRequest | None:
    """Return a signed request as Bolt parses it; None where it cannot, or misses in it what it takes for granted."""
    plain: dict[str, Any] = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in headers if not name.startswith(_INNER)
    }
    try:
        request = AsyncBoltRequest(body=body.decode(), query=query.decode("latin-1"), headers=plain)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        return None
    return request if _shaped(request.body) else None


def _shaped(parsed: Any) -> bool:
    if not isinstance(parsed, dict) or not _flat(parsed):
        return False
    return all(parsed.get(name) is None or isinstance(parsed[name], kind) for name, kind in _SHAPES.items())


def _flat(parsed: dict[str, Any]) -> bool:
    """Tell whether a body nests no deeper than anything Slack sends: what handles it later recurses."""
    level: list[Any] = [parsed]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [inner for inner in level if isinstance(inner, dict | list)]
        if not level:
            return True
    return False


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status in (400, 401, 413):
        headers.append((b"x-slack-no-retry", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
