"""After an effect: did it help?"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from sysop.actions import Verification, Verify
from sysop.errors import ActionFailed, WaitUntil
from sysop.gate.bind import Bound
from sysop.gate.desk import GATE, Desk, canonical_json
from sysop.gate.perform import ask, instance
from sysop.model import EffectState, Outcome, Risk, Run
from sysop.redact import redact
from sysop.store import changes, effects, runs
from sysop.store.effects import Effect
from sysop.store.writer import Tx

NEWS_PAUSE_MS = 500
"""So soon it is asked again where something is new, and no sooner."""


class PostCheckStage:
    """Asks the post-check of an action once a visit, and parks the run while it is pending."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def verify(self, run: Run, bound: Bound, row: Effect) -> Outcome:
        """Ask once; pending parks the run. Every answer is a ledger row of its own, so it is evidence."""
        declared = bound.action.verify
        if declared is None or row.state is not EffectState.DONE or row.verified is not None:
            return row.outcome()
        prefix = f"{row.call}.verify-"
        earlier = await self._desk.store.read(lambda conn: effects.polls(conn, run.id, prefix))
        if earlier:
            await self._wait_for_turn(row, _Poll.of(earlier[-1]), declared)
        asked_at = await self._desk.store.now()
        found = await self._ask(run, bound, row, f"verify-{len(earlier) + 1}", declared)
        within = _ms(declared.within)
        late = await self._desk.store.now() - (row.finished_at or row.created_at) > within
        if found.state == "pending" and late:
            found = replace(found, state="failed", detail=f"not confirmed within {within / 1000:g} s: {found.detail}")
        poll = _Poll(found, asked_at)
        ended = await self._desk.store.write(
            lambda tx: self._record_poll(tx, run, bound, row, f"{prefix}{len(earlier) + 1}", poll)
        )
        self._desk.probe(f"verify.{found.state}")
        if found.state == "pending":
            raise await self._later(row, poll, declared)
        return ended.outcome()

    async def _wait_for_turn(self, row: Effect, last: _Poll, declared: Verify) -> None:
        """Let only a check go on that is due, or has news of what it waits for. Raises WaitUntil."""
        now, news = await self._desk.store.read(
            lambda conn: (Tx(conn).now(), changes.newest(conn, last.found.awaits) or 0)
        )
        due = last.recorded_at + last.pause(declared)
        if news >= last.asked_at:  # the same news again and again must not have it ask without a pause
            due = min(due, last.recorded_at + NEWS_PAUSE_MS)
        if now < due:
            raise _verify_later(row, last, due)

    async def _ask(self, run: Run, bound: Bound, row: Effect, kind: str, declared: Verify) -> Verification:
        context = self._desk.context(run, bound, kind)
        try:
            check = partial(declared.check, context, bound.args, json.loads(row.result or "null"))
            found = await ask(bound.action, check, "post-check", instance(Verification), self._desk.known)
            return replace(found, detail=redact(found.detail, self._desk.known()))
        except ActionFailed as failed:  # not knowing is not failing: ask again until the time is up
            return Verification("pending", str(failed))

    async def _later(self, row: Effect, poll: _Poll, declared: Verify) -> WaitUntil:
        """Return until when to wait: the longer it has taken, the more rarely it is asked."""
        now, news = await self._desk.store.read(
            lambda conn: (Tx(conn).now(), changes.newest(conn, poll.found.awaits) or 0)
        )
        if news >= poll.asked_at:
            return _verify_later(row, poll, now + NEWS_PAUSE_MS)
        elapsed = now - (row.finished_at or row.created_at)
        return _verify_later(row, poll, now + max(poll.pause(declared), elapsed // 20))

    def _record_poll(self, tx: Tx, run: Run, bound: Bound, row: Effect, call: str, poll: _Poll) -> Effect:
        runs.hold(tx, run.id, run.fence)
        state, detail = poll.found.state, poll.found.detail
        now = tx.now()
        effects.add(
            tx,
            run=run.id,
            call=call,
            action=f"{row.action}:verify",
            risk=Risk.READ,
            plugin_version=bound.action.version,
            args=row.args,
            call_digest=row.call_digest,
            target=row.target,
            environment=row.environment,
            state=EffectState.DONE,
            idem_key=f"{run.id}:{call}",
            fence=run.fence,
            result=canonical_json(poll.as_json()),
            created_at=now,
            finished_at=now,
        )
        if state == "pending":
            return row
        effects.set_verified(tx, run.id, row.call, state == "passed", detail)
        tx.audit(run.id, "effect.verified", GATE, call=row.call, action=row.action, state=state, detail=detail)
        return effects.find(tx.conn, run.id, row.call) or row


@dataclass(frozen=True, slots=True)
class _Poll:
    """An answer of the post-check, when it was asked for, and when it was written down."""

    found: Verification
    asked_at: int
    recorded_at: int = 0

    @classmethod
    def of(cls, row: Effect) -> _Poll:
        """Return what a ledger row tells of an answer."""
        told = json.loads(row.result or "{}")
        again = timedelta(milliseconds=told["again_ms"]) if told.get("again_ms") else None
        found = Verification(told["state"], told["detail"], again, tuple(told.get("awaits", ())))
        return cls(found, told.get("asked_at", row.created_at), row.created_at)

    def as_json(self) -> dict[str, Any]:
        """Return it for the ledger."""
        again = {"again_ms": _ms(self.found.again)} if self.found.again else {}
        awaits = {"awaits": list(self.found.awaits), "asked_at": self.asked_at} if self.found.awaits else {}
        return {"state": self.found.state, "detail": self.found.detail, **again, **awaits}

    def pause(self, declared: Verify) -> int:
        """Return for how long it is not asked again, in milliseconds."""
        return _ms(self.found.again or declared.every)


def _verify_later(row: Effect, poll: _Poll, wake_at: int) -> WaitUntil:
    reasons = [f"verify:{row.call}", *map(changes.reason, poll.found.awaits)]
    return WaitUntil(f"the post-check of {row.action} is pending", waiting_for=" ".join(reasons), wake_at=wake_at)


def _ms(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
