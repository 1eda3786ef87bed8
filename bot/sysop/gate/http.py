"""The HTTP client of plugins: allow-listed hosts, time limits, retries for reads, nothing else."""

from __future__ import annotations

import asyncio
import json as jsonlib
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel

from sysop.errors import ActionFailed, DoubtfulAnswer, SettingsError, SysopError

MAX_BODY = 16 * 1024 * 1024
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer with its body read."""

    status: int
    headers: Mapping[str, str]
    text: str
    problem: Callable[[str], SysopError] = ActionFailed

    def json(self) -> Any:
        """Return the body parsed. Where it is not JSON: ActionFailed, or doubt once a changing request was sent."""
        try:
            return jsonlib.loads(self.text)
        except ValueError as bad:
            raise self.problem(f"the answer (status {self.status}) is not JSON: {self.text[:120]!r}") from bad


class HttpClient:
    """One connection pool for all plugins, closed by `close`. It follows no redirects, so none can leave the list.

    The authorities of `ca_file` are trusted beside the well-known ones. Raises SettingsError where it cannot be read.
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        self._client: httpx2.AsyncClient | None = None
        self._verify = True if ca_file is None else _trusting(ca_file)

    def client(self) -> httpx2.AsyncClient:
        """Return the pool, made at first use."""
        if self._client is None:
            # The session that one call has signed in to must never carry the requests of another.
            none_kept = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
            self._client = httpx2.AsyncClient(
                follow_redirects=False, trust_env=False, verify=self._verify, cookies=none_kept
            )
        return self._client

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class PluginHttp:
    """The client as one call sees it: only the hosts of its plugin's settings and of `egress.allow`.

    Where the call `changes` something it remembers that a changing request may have arrived: from then on no failure
    means "surely nothing happened".
    """

    def __init__(self, pool: HttpClient, allowed: Collection[str], *, changes: bool) -> None:
        self._pool = pool
        self._allowed = frozenset(allowed)
        self._changes = changes
        self._sent = 0
        self._broke = False

    @property
    def in_doubt(self) -> bool:
        """Tell whether a changing request was answered by a failure that does not say whether it was carried out."""
        return self._broke

    @property
    def changed(self) -> bool:
        """Tell whether a changing request of this call may have arrived."""
        return self._changes and self._sent > 0

    def problem(self, text: str) -> SysopError:
        """Return the error for what went wrong by now: ActionFailed, or doubt once a changing request was sent."""
        return DoubtfulAnswer(f"{text}; a changing request was sent") if self.changed else ActionFailed(text)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> Reply:
        """Send a request; reads are tried up to three times when the connection or the server fails.

        Raises ActionFailed if this call surely had no effect so far. A changing request that may have arrived raises
        httpx2's own error, and whatever fails after one DoubtfulAnswer; the gate takes both as doubt.
        """
        self._check(url)
        send = partial(self._once, method, url, params, json, headers, timeout)
        return await (self._read(url, send) if method.upper() in _READS else self._change(url, send))

    async def _change(self, url: str, send: Callable[[], Awaitable[Reply]]) -> Reply:
        self._sent += 1  # before it is sent: whoever cancels it cannot tell how far it came
        try:
            reply = await send()
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as bad:
            self._sent -= 1
            raise self.problem(_unreachable(url, bad)) from bad
        # A proxy before the target gives up sooner than the target does: its 502 or 504 says nothing of the change.
        self._broke = self._broke or (self._changes and (reply.status >= 500 or reply.status == 408))
        return reply

    async def _read(self, url: str, send: Callable[[], Awaitable[Reply]]) -> Reply:
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                reply = await send()
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as bad:
                if last:
                    raise self.problem(_unreachable(url, bad)) from bad
            except httpx2.HTTPError as bad:
                if last:
                    raise self.problem(f"{_shown(url)} did not answer: {bad or type(bad).__name__}") from bad
            else:
                if reply.status < 500 or last:
                    return reply
            await asyncio.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

    async def _once(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        json: Any,
        headers: Mapping[str, str] | None,
        timeout: float,
    ) -> Reply:
        client = self._pool.client()
        async with client.stream(method, url, params=params, json=json, headers=headers, timeout=timeout) as answer:
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY:
                    raise self.problem(f"{_shown(url)} sent more than {MAX_BODY} bytes")
            text = body.decode(answer.encoding or "utf-8", "replace")
            return Reply(answer.status_code, dict(answer.headers), text, self.problem)

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.problem(f"{url!r} is not an http(s) address")
        names = {parts.hostname, f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"}
        if not names & self._allowed:
            raise self.problem(f"connections to {parts.hostname} are not allowed; add the host to egress.allow")


def _trusting(ca_file: Path) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as bad:  # an OSError as well
        raise SettingsError(f"egress.ca_file: {ca_file} holds no certificates in PEM form") from bad
    except OSError as bad:
        raise SettingsError(f"egress.ca_file: {ca_file} cannot be read: {bad.strerror}") from bad
    return context


def _unreachable(url: str, bad: Exception) -> str:
    return f"{_shown(url)} cannot be reached: {bad or type(bad).__name__}"


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def hosts_in(settings: Any) -> Iterable[str]:
    """Return `host:port` of every address in a plugin's settings."""
    return {host for text in _strings(settings) if (host := _host(text))}


def _host(text: str) -> str | None:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
