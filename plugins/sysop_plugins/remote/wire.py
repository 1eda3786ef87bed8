"""How every provider talks to its server: one policy for credentials, time, limits, pages and odd answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sysop.api import ActionFailed, Http, InvalidCall, Response

T = TypeVar("T")
LONGEST_WAIT = 20.0
"""Seconds: a server that wants a longer pause is not waited for; whoever asked hears when it may be asked again."""
MOST_PAGES = 20
_TRIES = 3
_LONGEST_TOLD = 365 * 24 * 3600.0
_READ = frozenset({200})
_SAID = 300

Next = Callable[[Response], str | None]
"""Returns the address of the page after an answer, None after the last."""
Limit = Callable[[Response], float | None]
"""Returns how many seconds a server wants us to wait after an answer that refuses for having been asked too often."""


def body_of(answer: Response) -> dict[str, Any]:
    """Return the JSON object with which a server refuses, empty where it answers with a page or anything else."""
    try:
        found = json.loads(answer.text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def retry_after(answer: Response) -> float | None:
    """Return what `Retry-After` says, in seconds, for an answer 429 or 503; half a minute where it does not say."""
    if answer.status not in (429, 503):
        return None
    said = answer.headers.get("retry-after", "")
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 30.0 if answer.status == 429 else None


class Forbidden(ActionFailed):
    """The credential is good, and not allowed to do that."""


class Unclear(Exception):
    """A change was made, and what came of it cannot be told. It is none of the errors that promise nothing happened."""


@dataclass(slots=True)
class Wire:
    """A server of a provider, for one call.

    `name` stands before every error. `headers` carry the credential, so an address elsewhere is never asked with them.
    `setting` is where the credential is named, for whoever is refused. Once a change was made, every failure is
    Unclear: the gate then looks up what became of it.
    """

    http: Http
    name: str
    base: str
    headers: Mapping[str, str]
    setting: str
    timeout: float = 10.0
    limit: Limit = retry_after
    said: Callable[[Response], str] = field(default=lambda answer: answer.text)
    changed: bool = field(default=False, init=False)

    async def read(self, shape: TypeAdapter[T], path: str, **params: str) -> T:
        """Return one answer, read as its API describes it."""
        return self._fits(shape, await self._ask("GET", self.base + path, params))

    async def text(self, path: str, **params: str) -> str:
        """Return one answer as text."""
        return (await self._ask("GET", self.base + path, params)).text

    async def plain(self, path: str, *, ok: frozenset[int]) -> Response:
        """Return one answer as it came. Any other status than those that are `ok` raises ActionFailed."""
        return await self._ask("GET", self.base + path, {}, ok)

    async def elsewhere(self, path: str) -> str:
        """Return the address an answer points to. It is for the caller to ask it, without our credential."""
        answer = await self.http.request("GET", self.base + path, headers=self.headers, timeout=self.timeout)
        if answer.status in (301, 302, 303, 307, 308) and answer.headers.get("location"):
            return answer.headers["location"]
        raise self.failure(self._why(answer))

    async def pages(self, shape: TypeAdapter[T], path: str, following: Next, **params: str) -> AsyncIterator[T]:
        """Yield page after page, at most twenty: stop reading once there is enough."""
        answer = await self._ask("GET", self.base + path, params)
        for _ in range(MOST_PAGES):
            yield self._fits(shape, answer)
            address = following(answer)
            if address is None:
                return
            if not address.startswith(self.base + "/"):
                raise self.failure("the next page would be at another server, which is not asked")
            answer = await self._ask("GET", address, {})

    async def change(self, method: str, path: str, body: Any = None, *, ok: frozenset[int]) -> Response:
        """Send a request that changes something, once. Any other status than those that are `ok` raises ActionFailed.

        After a server error or no answer the gate knows by itself that the change may have been made, and looks it up.
        """
        answer = await self.question(method, path, body, ok=ok)
        self.changed = True
        return answer

    async def question(self, method: str, path: str, body: Any = None, *, ok: frozenset[int]) -> Response:
        """Send a request once that changes nothing though its method could: a dry run, or a question with a body."""
        address = self.base + path
        answer = await self.http.request(method, address, json=body, headers=self.headers, timeout=self.timeout)
        if answer.status not in ok:
            raise self._refused(answer)
        return answer

    def fits(self, shape: TypeAdapter[T], answer: Response) -> T:
        """Read the answer to a change."""
        return self._fits(shape, answer)

    async def _ask(self, method: str, address: str, params: Mapping[str, str], ok: frozenset[int] = _READ) -> Response:
        for attempt in range(_TRIES):
            answer = await self.http.request(
                method, address, params=params or None, headers=self.headers, timeout=self.timeout
            )
            if answer.status in ok:
                return answer
            wait = self.limit(answer)
            if wait is None or wait > LONGEST_WAIT or attempt == _TRIES - 1:
                break
            await asyncio.sleep(wait)
        raise self._refused(answer)

    def failure(self, why: str) -> ActionFailed | Unclear:
        """Return the error for what went wrong: nothing happened, or nobody can tell once a change was made."""
        text = f"{self.name}: {why}"
        return Unclear(f"{text}; the change before it was accepted") if self.changed else ActionFailed(text)

    def _refused(self, answer: Response) -> ActionFailed | InvalidCall | Unclear:
        why = self._why(answer)
        if answer.status in (403, 404) and not self.changed and self.limit(answer) is None:
            return (Forbidden if answer.status == 403 else InvalidCall)(f"{self.name}: {why}")
        return self.failure(why)

    def _why(self, answer: Response) -> str:
        said = " ".join(self.said(answer)[:_SAID].split())
        wait = self.limit(answer)
        if wait is not None:
            when = datetime.fromtimestamp(time.time() + min(wait, _LONGEST_TOLD), UTC).strftime("%H:%M:%S UTC")
            return f"asked too often; it may be asked again at {when}"
        if answer.status in (401, 403):
            return f"{answer.status}, {said or 'not allowed'}; see {self.setting}"
        if answer.status == 404:
            return f"404, {said or 'there is no such thing'}, or {self.setting} may not see it"
        return f"{answer.status}, {said or 'no reason given'}"

    def _fits(self, shape: TypeAdapter[T], answer: Response) -> T:
        try:
            return shape.validate_python(answer.json())
        except ValidationError as bad:
            where = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in bad.errors()[:3])
            raise self.failure(f"the answer is not that of its API: {where}") from bad
