"""The guard before Bolt over HTTP: whatever is malformed or not signed by Slack is answered here, and counted."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from slack_bolt.request.async_request import AsyncBoltRequest
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
        refused = self._problem(headers, body)
        if refused is not None:
            status, reason = refused
            await self._refusals.add(reason)
            await _answer(send, status, reason)
            return
        assert body is not None
        kept = [(name, value) for name, value in headers if not name.startswith(_INNER)]
        passed = {**scope, "path": self._path, "headers": kept}
        await self._inner(passed, _again(body), send)

    def _problem(self, headers: list[Header], body: bytes | None) -> tuple[int, str] | None:
        if body is None:
            return 413, "too large"
        if not self._signed(headers, body):
            return 401, "unauthorized"
        return None if _shaped(headers, body) else (400, "malformed")

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


def _shaped(headers: Iterable[Header], body: bytes) -> bool:
    """Tell whether Bolt can parse a signed body, and finds in it what it takes for granted."""
    plain: dict[str, Any] = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in headers if not name.startswith(_INNER)
    }
    try:
        parsed: Any = AsyncBoltRequest(body=body.decode(), headers=plain).body
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        return False
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


def _again(body: bytes) -> Receive:
    """Return a `receive` that hands out what was read already."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    return receive


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status in (400, 401, 413):
        headers.append((b"x-slack-no-retry", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
