"""Writes plans as streams: what is missing is added, never said twice, and a stream never stays open over a wait.

A stream that Slack has ended, or that cannot be opened, goes on as a message that is updated.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from sysop import blockkit
from sysop.store import outbox
from sysop.store.outbox import Message
from sysop.surfaces.slack.blocks.plan import PlanDocument, Status
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.outbox import chunks, payload, posting, rates
from sysop.surfaces.slack.outbox.chunks import Written
from sysop.surfaces.slack.outbox.failures import CallFailed, Kind
from sysop.surfaces.slack.outbox.sending import Pace, Renderer, Sending, TooEarly
from sysop.surfaces.slack.outbox.session import Sessions

BELOW: Final = " (goes on below)"
PATIENCE_S: Final = 3.0
"""Where no stream may be started for longer than this, the plan is posted and updated instead."""
_OVER: Final = (Kind.STREAM, Kind.MESSAGE)
_WAITS: Final = (Kind.LATER, Kind.DOUBT, Kind.TOKEN, Kind.PLACE)

log = logging.getLogger(__name__)
Json = dict[str, Any]


def check_time(plan: PlanDocument, message: Message | None, now: int, streams: int, pace: Pace) -> None:
    """Raise TooEarly for a plan that was brought up to date a moment ago; the end of a stretch never waits."""
    if message is None or final(plan):
        return
    gap = max(pace.append_ms, pace.append_each_ms * streams) if message.open else pace.update_ms
    due = int(message.shown.get("at", 0)) + gap
    if due > now:
        raise TooEarly(due)


def final(plan: PlanDocument) -> bool:
    """Tell whether a stream of the plan must not stay open."""
    return plan.ended or plan.status == "suspended"


class Plans:
    """Brings plans up to date."""

    def __init__(self, renderer: Renderer, sessions: Sessions) -> None:
        self._renderer = renderer
        self._sessions = sessions

    async def send(self, s: Sending, plan: PlanDocument) -> None:
        """Bring one plan up to date."""
        stands = s.message
        if stands is not None and stands.digest == digest(plan) and not (stands.open and old(stands, s.now, s.pace)):
            await s.sent(stands.ts)
            return
        check_time(plan, stands, s.now, s.streams, s.pace)
        if stands is not None and stands.open:
            await self._write_on(s, plan, stands)
        elif self._streams(s, plan):
            await self._begin(s, plan)
        else:
            await self.flat(s, plan)

    def _streams(self, s: Sending, plan: PlanDocument) -> bool:
        """Tell whether a new stream shall be opened."""
        if plan.recipient is None or s.talk.root is None:
            return False
        stands = s.message
        if stands is None:
            return not final(plan) and s.line.room(rates.START) <= PATIENCE_S
        return stands.kind == "stream" and not stands.shown.get("ended")

    async def _begin(self, s: Sending, plan: PlanDocument) -> None:
        """Open a stream and write into it; where none can be opened, post the plan instead."""
        if s.message is None:
            await self._sessions.show(s, "processing", plan.title, plan.recipient[1] if plan.recipient else None)
        try:
            stream = await self._open(s, plan)
        except CallFailed as failed:
            if failed.kind in _WAITS:
                raise
            log.warning("%s cannot be streamed (%s); it is posted and updated", s.what, failed)
            await self.flat(s, plan)
        else:
            await self._write_on(s, plan, stream)

    async def _open(self, s: Sending, plan: PlanDocument) -> Message:
        """Open a stream. One that goes on where another one ended shows what still runs."""
        assert plan.recipient is not None
        assert s.talk.root is not None
        assert s.item.key is not None
        stands = s.message
        first, note = chunks.begin(plan.title) if stands is None else chunks.go_on(plan.title, stands.shown)
        ts = await s.line.start(s.talk.channel, s.talk.root, first, plan.recipient)
        s.probe("started")
        note["at"] = s.now
        fresh = Message(s.item.key, s.talk.id, s.talk.channel, ts, "stream", True, s.now, note, "")
        await s.save(fresh)
        return fresh

    async def _write_on(self, s: Sending, plan: PlanDocument, stream: Message) -> None:
        if s.written is not None and not s.written.open:
            await self._found_ended(s, plan, stream, s.written)
            return
        try:
            if final(plan):
                await self._finish(s, plan, stream)
            elif old(stream, s.now, s.pace):
                ended = await self._part(s, plan, stream)
                await s.sent(ended.ts, replace(ended, digest=digest(plan)))
            else:
                stream, _ = await self._append(s, plan, stream)
                await s.sent(stream.ts, replace(stream, digest=digest(plan)))
        except CallFailed as failed:
            if failed.kind in _WAITS:
                raise
            log.warning("the stream of %s has ended (%s); it goes on as a message", s.what, failed)
            if failed.kind not in _OVER:
                await self._let_end(s)
            await self._give_up(s, plan)

    async def _found_ended(self, s: Sending, plan: PlanDocument, stream: Message, there: Written) -> None:
        """Go on with a stream that is no stream any more: by us, when the last answer was lost, or by Slack."""
        left, after = chunks.missing(chunks.settled(plan, _unfinished(plan)), stream.shown, there)
        answer = plan.answer if plan.ended else None
        said = max(chunks.strings(answer.blocks), key=len, default="") if answer else ""
        if final(plan) and not any(_texts(left)) and (not said or there.has(said)):
            await s.sent(stream.ts, self._ended(s, plan, stream, after))
        else:
            await self._give_up(s, plan)

    async def _give_up(self, s: Sending, plan: PlanDocument) -> None:
        """Go on as a message that is changed as a whole."""
        assert s.message is not None
        await s.save(closed(s.message, kind="post"))
        await self.flat(s, plan)

    async def _append(
        self, s: Sending, plan: PlanDocument, stream: Message, *, keep_last: bool = False
    ) -> tuple[Message, list[Json]]:
        """Write what is missing and return the stream as it stands then; the last piece can be kept for its end."""
        while True:
            found, after = chunks.missing(plan, stream.shown, s.written)
            if chunks.too_long(stream.shown, after):
                await self._part(s, plan, stream, write=False)
                stream, s.written = await self._open(s, plan), None
                continue
            grown = replace(stream, shown={**after, "at": s.now})
            if not found or (keep_last and not chunks.missing(plan, after)[0]):
                return grown, found
            checked(found, s.what)
            await s.line.append(stream.channel, stream.ts, found)
            s.probe("appended")
            await s.save(grown)
            stream = grown

    async def _finish(self, s: Sending, plan: PlanDocument, stream: Message) -> None:
        """End a stream with everything that is missing, and the answer where there is one."""
        grown, found = await self._append(s, chunks.settled(plan, _unfinished(plan)), stream, keep_last=True)
        checked(found, s.what)
        await self._stop(s, grown, found, plan.answer if plan.ended else None, status_after(plan))
        s.probe("stopped")
        await s.sent(grown.ts, self._ended(s, plan, grown, grown.shown))

    def _ended(self, s: Sending, plan: PlanDocument, stream: Message, note: Mapping[str, Any]) -> Message:
        shown = {**note, "at": s.now, "ended": plan.ended, "status": status_after(plan)}
        return replace(closed(stream), shown=shown, digest=digest(plan))

    async def _stop(self, s: Sending, stream: Message, found: list[Json], answer: Shown | None, status: str) -> None:
        blocks = answer.blocks if answer else []
        note = payload.metadata(s.item.id)
        whole = {"text": answer.text, "blocks": blocks} if answer else None
        if whole is None or payload.fits(whole, what=s.what):
            try:
                await s.line.stop(stream.channel, stream.ts, found, blocks, status, note)
                return
            except CallFailed as failed:
                if failed.kind is not Kind.PAYLOAD or not blocks:
                    raise
                log.error("Slack refused the answer of %s (%s); it goes out as plain text", s.what, failed)
        words = {"type": "markdown_text", "text": answer.text if answer else ""}
        await s.line.stop(stream.channel, stream.ts, [*found, words], [], status, note)

    async def _part(self, s: Sending, plan: PlanDocument, stream: Message, *, write: bool = True) -> Message:
        """End a stream before Slack does, or before it is too long. What still runs goes on in the next one."""
        settled = chunks.settled(plan, "complete", BELOW)
        if write:
            stream, _ = await self._append(s, settled, stream)
        else:
            found, after = chunks.faces(settled, stream.shown)
            if found:
                await s.line.append(stream.channel, stream.ts, found)
            stream = replace(stream, shown={**after, "at": s.now})
        await s.line.stop(stream.channel, stream.ts, [], [], "processing", payload.metadata(s.item.id))
        running = {entry.id for entry in plan.entries if entry.status not in ("complete", "error")}
        tasks = {id: seen for id, seen in stream.shown.get("tasks", {}).items() if id not in running}
        ended = replace(closed(stream), shown={**stream.shown, "tasks": tasks, "at": s.now, "chars": 0})
        await s.save(ended)
        return ended

    async def _let_end(self, s: Sending) -> None:
        """End a stream that cannot be written into, so that its message can be changed."""
        assert s.message is not None
        try:
            note = payload.metadata(s.item.id)
            await s.line.stop(s.message.channel, s.message.ts, [], [], "processing", note)
        except CallFailed as failed:
            if failed.kind in _WAITS:
                raise

    async def suspend(self, s: Sending, stream: Message) -> None:
        """End whatever stream is open in a thread, because people are about to be asked there."""
        try:
            await s.line.stop(stream.channel, stream.ts, [], [], "suspended", payload.metadata(s.item.id))
        except CallFailed as failed:
            if failed.kind in _WAITS:
                raise
            log.warning("the stream of %s could not be ended (%s); people are asked all the same", stream.key, failed)
        ended = replace(closed(stream), shown={**stream.shown, "status": "suspended"}, digest="")
        await s.duty.write(lambda tx: outbox.save_message(tx, ended))

    async def flat(self, s: Sending, plan: PlanDocument) -> None:
        """Post a plan, or change the message that stands."""
        stands = s.message
        before = stands.shown.get("status") if stands is not None else "active"
        if plan.status != before:
            user = plan.recipient[1] if plan.recipient else None
            await self._sessions.show(s, plan.status, plan.title, user)
        shown = self._renderer.fallback(plan)
        await posting.message(s, shown, {"status": plan.status, "ended": plan.ended})


def digest(plan: PlanDocument) -> str:
    """Return what is equal for equal plans."""
    return payload.digest(asdict(plan))


def status_after(plan: PlanDocument) -> str:
    """Return how the agent's session stands after a stream."""
    return "suspended" if plan.status == "suspended" else "active"


def old(stream: Message, now: int, pace: Pace) -> bool:
    """Tell whether Slack would soon end a stream by itself."""
    return now - (stream.opened_at or 0) >= pace.rotate_ms


def closed(stream: Message, **changes: Any) -> Message:
    """Return a stream that is not written any more."""
    return replace(stream, open=False, **changes)


def _unfinished(plan: PlanDocument) -> Status:
    """Return what becomes of a task that runs when its stream ends."""
    return "error" if plan.ended else "pending"


def _texts(found: list[Json]) -> Iterator[str]:
    """Yield what would be missing for good if it were not written; titles are said again anyway."""
    for chunk in found:
        yield from (chunk[name] for name in ("text", "details", "output") if chunk.get(name))


def checked(found: list[Json], what: str) -> None:
    """Raise CallFailed where Slack would refuse chunks: that is our bug, and the plan is posted instead."""
    if found and payload.problems_logged(blockkit.check_chunks(found), what):
        raise CallFailed(rates.APPEND, Kind.PAYLOAD, "invalid_chunks")
