"""From an intended effect to its end: precondition again, `executing`, perform, outcome; after a crash, find out."""

from __future__ import annotations

import json
from typing import Any

from sysop.errors import OutcomeUnknown, ReplayMismatch, WaitUntil
from sysop.gate.bind import Bound, parse
from sysop.gate.consume import paused
from sysop.gate.desk import GATE, Desk
from sysop.gate.perform import Ending, ask, perform, result_text
from sysop.model import EffectState, Run
from sysop.store import effects, mode, runs
from sysop.store.effects import Effect
from sysop.store.writer import Tx


class EffectStage:
    """Brings ledger rows to an end, from whatever state they are in."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def carry_out(self, run: Run, bound: Bound, row: Effect) -> Effect:
        """Bring a ledger row to an end, from whatever state it is in."""
        if row.state is EffectState.UNKNOWN:
            raise _unknown(row)
        if row.state is EffectState.EXECUTING:
            row = await self._settle(run, bound, row)
        if row.state is EffectState.INTENT:
            row = await self._effect(run, bound, row)
        return row

    async def _effect(self, run: Run, bound: Bound, row: Effect) -> Effect:
        """Perform an intended effect. What runs are the bound bytes, parsed again."""
        if row.precondition is not None and await self._desk.precondition(run, bound) != row.precondition:
            return await self._end(
                run, row, EffectState.FAILED, error="the state changed right before; nothing was run"
            )
        self._desk.probe("checked")
        await self._desk.store.write(lambda tx: self._begin(tx, run, row))
        self._desk.probe("executing")
        context = self._desk.context(run, bound, "effect", write=True)
        args = parse(bound.action, json.loads(row.args))
        done = await perform(bound.action, context, args, self._desk.contexts.secrets.known())
        self._desk.probe("performed")
        if done.ending is Ending.DOUBT:
            return await self._settle(run, bound, row, done.error, fresh=True)
        state = EffectState.DONE if done.ending is Ending.DONE else EffectState.FAILED
        return await self._end(run, row, state, result=done.result, error=done.error)

    def _begin(self, tx: Tx, run: Run, row: Effect) -> None:
        """Commit `executing`, alone, right before the call; a pause that came since the intent still holds it back."""
        runs.hold(tx, run.id, run.fence)
        if mode.read_locked(tx).paused:
            raise paused()
        if not effects.move(tx, run.id, row.call, EffectState.INTENT, EffectState.EXECUTING, started_at=tx.now()):
            raise ReplayMismatch(f"call {row.call} of run {run.id} was begun by somebody else")
        tx.audit(run.id, "effect.executing", GATE, call=row.call, action=row.action, key=row.idem_key)

    async def _settle(
        self, run: Run, bound: Bound, row: Effect, error: str | None = None, *, fresh: bool = False
    ) -> Effect:
        """Find out what became of an effect that began and left no outcome. Never a blind retry.

        `fresh` means that this process made the attempt and saw it end in doubt; else it died, and its request may
        still be under way, so the target is asked only after the action's own timeout has passed.
        """
        action = bound.action
        if not fresh and not action.idempotent:
            await self._let_settle(row, action.timeout.total_seconds())
        told = await self._reconcile(run, bound)
        if told is not None and told.state == "done":
            text = result_text(action, told.result, self._desk.contexts.secrets.known())
            return await self._end(run, row, EffectState.DONE, result=text, note=told.detail)
        if told is not None and told.state == "not_done" and fresh:
            return await self._end(run, row, EffectState.FAILED, error=f"{error}; the target says: {told.detail}")
        if (told is not None and told.state == "not_done") or (action.idempotent and not fresh):
            return await self._again(run, row, told.detail if told else "the action is idempotent under its key")
        reason = error or "the process died while the effect was under way"
        await self._end(run, row, EffectState.UNKNOWN, error=reason)
        raise _unknown(row)

    async def _let_settle(self, row: Effect, timeout_s: float) -> None:
        settled = (row.started_at or 0) + int(timeout_s * 1000) + 1000
        if await self._desk.store.now() < settled:
            raise WaitUntil(
                f"call {row.call} may still be under way", waiting_for=f"settle:{row.call}", wake_at=settled
            )

    async def _reconcile(self, run: Run, bound: Bound) -> Any:
        if bound.action.reconcile is None:
            return None
        context = self._desk.context(run, bound, "reconcile")
        try:
            return await ask(bound.action, bound.action.reconcile(context, bound.args), "reconcile")
        except Exception as failed:  # a target that cannot be asked is one that cannot tell
            reason = str(failed)
            await self._desk.store.write(
                lambda tx: self._desk.note(tx, run, bound.call, "unclear", "reconcile", reason)
            )
            return None

    async def _again(self, run: Run, row: Effect, why: str) -> Effect:
        """Take a row back to `intent`, under the approval already bound to it."""

        def unit(tx: Tx) -> Effect | None:
            runs.hold(tx, run.id, run.fence)
            effects.move(tx, run.id, row.call, EffectState.EXECUTING, EffectState.INTENT, started_at=None)
            tx.audit(run.id, "effect.intent", GATE, call=row.call, action=row.action, key=row.idem_key, again=why)
            return effects.find(tx.conn, run.id, row.call)

        again = await self._desk.store.write(unit)
        return again or row

    async def _end(
        self,
        run: Run,
        row: Effect,
        state: EffectState,
        *,
        result: str | None = None,
        error: str | None = None,
        note: str | None = None,
    ) -> Effect:
        def unit(tx: Tx) -> Effect | None:
            runs.hold(tx, run.id, run.fence, even_if_cancelled=True)
            was = EffectState.INTENT if row.state is EffectState.INTENT and state is EffectState.FAILED else None
            for before in (was, EffectState.EXECUTING):
                if before and effects.move(
                    tx, run.id, row.call, before, state, result=result, error=error, finished_at=tx.now()
                ):
                    break
            facts = {"result": result, "error": error, "note": note, "key": row.idem_key}
            tx.audit(run.id, f"effect.{state}", GATE, call=row.call, action=row.action, risk=row.risk, **facts)
            return effects.find(tx.conn, run.id, row.call)

        ended = await self._desk.store.write(unit)
        self._desk.probe(f"ended.{state}")
        return ended or row


def _unknown(row: Effect) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"nobody can tell whether {row.action} on {row.target} happened; look, then say: "
        f"sysop runs resolve {row.run} {row.call} --done or --not-done",
        waiting_for=f"unknown:{row.call}",
    )
