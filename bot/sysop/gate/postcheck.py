"""After an effect: did it help?"""

from __future__ import annotations

import json
from functools import partial

from sysop.actions import Verification
from sysop.errors import ActionFailed, WaitUntil
from sysop.gate.bind import Bound
from sysop.gate.desk import GATE, Desk, canonical_json
from sysop.gate.perform import ask, instance
from sysop.model import EffectState, Outcome, Risk, Run
from sysop.redact import redact
from sysop.store import effects, runs
from sysop.store.effects import Effect
from sysop.store.writer import Tx


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
        every, within = int(declared.every.total_seconds() * 1000), int(declared.within.total_seconds() * 1000)
        if earlier and await self._desk.store.now() < earlier[-1].created_at + every:
            raise _verify_later(row, earlier[-1].created_at + every)
        context = self._desk.context(run, bound, f"verify-{len(earlier) + 1}")
        try:
            check = partial(declared.check, context, bound.args, json.loads(row.result or "null"))
            found = await ask(bound.action, check, "post-check", instance(Verification), self._desk.known)
            state, detail = found.state, redact(found.detail, self._desk.known())
        except ActionFailed as failed:  # not knowing is not failing: ask again until the time is up
            state, detail = "pending", str(failed)
        late = await self._desk.store.now() - (row.finished_at or row.created_at) > within
        if state == "pending" and late:
            state, detail = "failed", f"not confirmed within {declared.within.total_seconds():g} s: {detail}"
        ended = await self._desk.store.write(
            lambda tx: self._record_poll(tx, run, bound, row, f"{prefix}{len(earlier) + 1}", state, detail)
        )
        self._desk.probe(f"verify.{state}")
        if state == "pending":
            now = await self._desk.store.now()
            raise _verify_later(row, now + max(every, (now - (row.finished_at or row.created_at)) // 20))
        return ended.outcome()

    def _record_poll(self, tx: Tx, run: Run, bound: Bound, row: Effect, call: str, state: str, detail: str) -> Effect:
        runs.hold(tx, run.id, run.fence)
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
            result=canonical_json({"state": state, "detail": detail}),
            created_at=now,
            finished_at=now,
        )
        if state == "pending":
            return row
        effects.set_verified(tx, run.id, row.call, state == "passed", detail)
        tx.audit(run.id, "effect.verified", GATE, call=row.call, action=row.action, state=state, detail=detail)
        return effects.find(tx.conn, run.id, row.call) or row


def _verify_later(row: Effect, wake_at: int) -> WaitUntil:
    return WaitUntil(f"the post-check of {row.action} is pending", waiting_for=f"verify:{row.call}", wake_at=wake_at)
