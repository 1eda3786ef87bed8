"""Intake: what was delivered is written down, then acknowledged. The work happens afterwards, from the inbox."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from sysop.errors import StoreError
from sysop.store.inbox import Letter
from sysop.store.store import Store
from sysop.surfaces.refusals import Refusals
from sysop.surfaces.slack import hearing
from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack.clients import Clients
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.letterbox import Letterbox

LIMIT_S = 2.0
"""Slack waits three seconds for an answer; ours is on its way before."""
NOTHING_WAS_RUN = "Nothing was run: Sysop cannot reach its database. Try again in a moment."
NOTHING_YET = "Sysop's database does not answer. If nothing appears within a minute, nothing was run."
_SPOKEN = (*hearing.SUBTYPES, "")

Opener = Callable[[Incoming], Awaitable[None] | None]
"""Returns the opening of the form a delivery asks for, None for most, which ask for none."""
Teller = Callable[[Incoming, str], Awaitable[None]]

log = logging.getLogger(__name__)


class NotKept(Exception):
    """A delivery could not be written down; `surely` tells whether that is certain."""

    def __init__(self, surely: bool) -> None:
        super().__init__("a delivery was not written down")
        self.surely = surely


class Intake(AsyncMiddleware):
    """The middleware between Bolt's check of the signature and everything else.

    A request that is replayed from the inbox passes; so do modals, whose listeners answer with errors of fields and
    call `keep` themselves.
    """

    def __init__(
        self,
        store: Store,
        clients: Clients,
        refusals: Refusals,
        *,
        wake: Callable[[], None],
        open: Opener,
        tell: Teller,
    ) -> None:
        self._store = store
        self._letters = Letterbox(store)
        self._clients = clients
        self._refusals = refusals
        self._wake = wake
        self._open = open
        self._tell = tell
        self._beside: set[asyncio.Task[None]] = set()
        self.limited = 0
        """How often Slack said that it holds events back."""

    @property
    def flooded(self) -> bool:
        """Tell whether deliveries come as fast as they can be taken."""
        return self._letters.flooded

    async def async_process(
        self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse | None:
        """Write a delivery down and answer; nothing else runs before that."""
        body: dict[str, Any] = req.body
        kind = body.get("type")
        if req.context.get("replay") or kind == "url_verification":
            return await next()
        if kind == "app_rate_limited":
            self.limited += 1
            log.warning("Slack holds events back: more than 30,000 came within an hour")
            return _answer()
        if kind == "view_closed":
            return _answer()
        it = edge.parse(body)
        if it is None or (it.kind == "view") != (kind == "view_submission"):
            await self._refusals.add("malformed")
            return _answer(400, "this is no delivery Sysop knows")
        if not self._clients.serves(it.team):
            await self._refusals.add("other workspace")
            return _answer(403, "this workspace is not served")
        if it.kind == "view":
            return await next()
        return await self._take(it, signature_of(req))

    async def _take(self, it: Incoming, signature: str | None) -> BoltResponse:
        try:
            fresh = await self.keep(it, signature)
        except NotKept as failed:
            return self._refuse(it, failed)
        if fresh and it.trigger and (opening := self._open(it)) is not None:
            self._beside_it(opening)
        return _answer()

    async def keep(self, it: Incoming, signature: str | None) -> bool:
        """Write a delivery into the inbox; False when it came before, or is none of our business. Raises NotKept."""
        try:
            fresh = await asyncio.wait_for(self._put(it, signature), LIMIT_S)
        except TimeoutError:
            log.warning("delivery %s was not written down within %s s", it.key, LIMIT_S)
            raise NotKept(surely=False) from None
        except StoreError as failed:
            log.warning("delivery %s was not written down: %s", it.key, failed)
            raise NotKept(surely=True) from failed
        if fresh:
            self._wake()
        return bool(fresh)

    async def _put(self, it: Incoming, signature: str | None) -> bool | None:
        it = hearing.as_written(it)
        if not await self._ours(it):
            return None
        fresh = await self._letters.put(Letter(it.key, it.kind, it.body, signature, it.lane))
        if not fresh:
            await self._refusals.add("repeated")
        return fresh

    async def _ours(self, it: Incoming) -> bool:
        """Tell whether to read on: of what people say in channels, only what is said to us."""
        event, ours = it.event, self._clients.if_known(it.team)
        if it.kind != "event" or it.name not in ("message", "app_mention"):
            return True
        if event.get("subtype") == hearing.CHANGED and it.user and not event.get("bot_id"):
            return await self._store.read(lambda conn: hearing.outdated(conn, it))
        if event.get("bot_id") or event.get("subtype") not in _SPOKEN or (ours and it.user == ours.identity.user):
            return False
        if it.name == "app_mention" or hearing.direct(it):
            return True
        if not event.get("thread_ts") or (ours and hearing.to_others(it, ours.identity.user)):
            return False
        if ours and event.get("parent_user_id") == ours.identity.user:
            return True  # perhaps a thread whose root was posted this moment
        return bool(await self._store.read(lambda conn: hearing.heard(conn, it)))

    def _refuse(self, it: Incoming, failed: NotKept) -> BoltResponse:
        """Answer so that Slack sends an event again, and so that a person knows what became of a wish."""
        said = NOTHING_WAS_RUN if failed.surely else NOTHING_YET
        if it.kind == "event":
            return _answer(503, "not written down, send it again")
        if it.kind == "command":
            return _answer(200, said)
        self._beside_it(self._tell(it, said))
        return _answer()

    def _beside_it(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_run(work))
        self._beside.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._beside.discard(task)
        if not task.cancelled() and (failed := task.exception()) is not None:
            log.error("an answer beside the acknowledgement failed", exc_info=failed)

    async def drain(self) -> None:
        """Finish what runs beside the answers."""
        if self._beside:
            await asyncio.wait(self._beside, timeout=LIMIT_S)
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)


async def _run(work: Awaitable[None]) -> None:
    await work


def signature_of(req: AsyncBoltRequest) -> str | None:
    """Return what tells a request from a copy of itself; None where the connection itself is the proof."""
    if req.mode != "http":
        return None
    given = req.headers.get("x-slack-signature") or [""]
    return hashlib.sha256(str(given[0]).encode()).hexdigest()


def _answer(status: int = 200, body: str = "") -> BoltResponse:
    headers: dict[str, str | Sequence[str]] = {"x-slack-no-retry": "1"} if status in (400, 403) else {}
    return BoltResponse(status=status, body=body, headers=headers)
