"""Signed HTTP: every envelope is a POST to the app's request URL."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import aiohttp

from sysop.workspace.delivery.envelope import ACK_SECONDS, COMMAND, EVENT, Answer, Envelope, Retry
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json

FORM = "application/x-www-form-urlencoded"
VERIFY_SECONDS = 0.05


class Http:
    """Posts to the request URL, once that has proven that it is the app's."""

    late = "http_timeout"

    def __init__(self, world: World, url: str) -> None:
        self._world = world
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self.verified = asyncio.Event()

    async def start(self) -> None:
        """Begin to ask the request URL for its proof, until it gives it."""
        self._session = aiohttp.ClientSession(trust_env=False, auto_decompress=True)
        self._world.timers.start(self._verify())

    async def stop(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def deliver(self, envelope: Envelope, retry: Retry | None) -> Answer:
        """Post an envelope and wait for the answer. Events wait until the URL is verified; nothing else does."""
        if not self.verified.is_set():
            if envelope.kind != EVENT:
                return Answer("connection_failed")
            await self.verified.wait()
        body, kind = encode(envelope)
        return await self._post(body, kind, _retry_headers(retry))

    async def _verify(self) -> None:
        challenge = self._world.ids.hex()
        proof: Json = {"token": self._world.app.verification_token, "challenge": challenge}
        body = json.dumps(proof | {"type": "url_verification"}).encode()
        while True:
            answer = await self._post(body, "application/json", {})
            if _proven(answer, challenge):
                break
            self._world.log.add("http", event="url_verification", reason=answer.reason or "wrong challenge")
            await asyncio.sleep(VERIFY_SECONDS)
        self._world.log.add("http", event="url_verification", reason="")
        self.verified.set()
        self._world.feed.publish("connection", transport="http", connected=True, count=1)

    def _sign(self, body: bytes) -> dict[str, str]:
        """Return the headers that prove the sender. The app reads its own clock, so this is the real time."""
        timestamp = str(int(time.time()))
        base = b"v0:" + timestamp.encode() + b":" + body
        digest = hmac.new(self._world.app.signing_secret.encode(), base, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}

    async def _post(self, body: bytes, kind: str, more: dict[str, str]) -> Answer:
        posting = asyncio.ensure_future(self._send(body, {"Content-Type": kind, **self._sign(body), **more}))
        try:
            if not await self._world.clock.wait_for(posting, ACK_SECONDS):
                return Answer(self.late)
            return posting.result()
        finally:
            posting.cancel()

    async def _send(self, body: bytes, headers: dict[str, str]) -> Answer:
        assert self._session is not None  # started before anything is delivered
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                text = await response.text()
                no_retry = response.headers.get("X-Slack-No-Retry") == "1"
                ok = 200 <= response.status < 300
                answered = _read(text, response.content_type)
                return Answer("" if ok else "http_error", answered, response.status, no_retry)
        except aiohttp.ClientConnectorError:
            return Answer("connection_failed")
        except (aiohttp.ClientError, OSError):
            return Answer("unknown_error")


def encode(envelope: Envelope) -> tuple[bytes, str]:
    """Return the body of an envelope and its content type: JSON, a form, or a form around JSON."""
    if envelope.kind == EVENT:
        return json.dumps(envelope.payload).encode(), "application/json"
    if envelope.kind == COMMAND:
        return urlencode(envelope.payload, errors="replace").encode(), FORM
    return urlencode({"payload": json.dumps(envelope.payload)}).encode(), FORM


def _retry_headers(retry: Retry | None) -> dict[str, str]:
    if retry is None:
        return {}
    return {"X-Slack-Retry-Num": str(retry.number), "X-Slack-Retry-Reason": retry.reason}


def _read(text: str, content_type: str) -> object:
    """Return an answer as JSON where it is JSON, else as text; None for nothing."""
    if not text:
        return None
    if content_type == "application/json":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _proven(answer: Answer, challenge: str) -> bool:
    said = answer.body.get("challenge") if isinstance(answer.body, dict) else answer.body
    return answer.acknowledged and said == challenge
