"""From an intended effect to its end: precondition again, `executing`, perform, outcome; after a crash, find out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sysop.actions import Action, Reconciled
from sysop.errors import ActionFailed, OutcomeUnknown, ReplayMismatch, WaitUntil
from sysop.gate import approvals as life
from sysop.gate.approvals import RolesOf
from sysop.gate.bind import Bound, parse
from sysop.gate.consume import lapsed, overtaken, paused
from sysop.gate.desk import GATE, Desk
from sysop.gate.perform import Ending, ask, changed, instance, perform, result_text
from sysop.model import Change, Decision, EffectState, Risk, Run
from sysop.redact import redact
from sysop.store import changes, effects, mode, runs
from sysop.store.effects import Effect
from sysop.store.writer import Tx

OfClock = Callable[[Run, Bound, int], Decision]
"""Returns what the rules and freezes of a moment say of a run's call."""


class EffectStage:
    """Brings ledger rows to an end, from whatever state they are in."""

    def __init__(self, desk: Desk, roles_of: RolesOf, of_clock: OfClock) -> None:
        self._desk = desk
        self._roles_of = roles_of
        self._of_clock = of_clock

    async def carry_out(self, run: Run, bound: Bound, row: Effect, objection: str | None = None) -> Effect:
        """Bring a ledger row to an end, from whatever state it is in. An `objection` lets nothing begin any more."""
        if row.state is EffectState.UNKNOWN:
            raise _unknown(row)
        if row.state is EffectState.EXECUTING:
            row = await self._settle(run, bound, row)
        if row.state is EffectState.INTENT:
            row = await self._effect(run, bound, row, objection)
        return row

    async def _effect(self, run: Run, bound: Bound, row: Effect, objection: str | None) -> Effect:
        """Perform an intended effect. What runs are the bound bytes, parsed again."""
        if objection is None and await self._moved(run, bound, row):
            objection = "the state changed right before"
        self._desk.probe("checked")
        objection = objection or await self._desk.store.write(lambda tx: self._begin(tx, run, bound, row))
        if objection is not None:
            return await self._give_up(run, bound, row, objection)
        self._desk.probe("executing")
        context = self._desk.context(run, bound, "effect", write=row.risk is not Risk.READ)
        args = parse(bound.action, json.loads(row.args))
        done = await perform(bound.action, context, args, self._desk.known)
        self._desk.probe("performed")
        if done.ending is Ending.DOUBT:
            begun = await self._desk.store.read(lambda conn: effects.find(conn, run.id, row.call))
            return await self._settle(run, bound, begun or row, done.error)
        state = EffectState.DONE if done.ending is Ending.DONE else EffectState.FAILED
        return await self._end(run, bound, row, state, result=done.result, error=done.error)

    async def _give_up(self, run: Run, bound: Bound, row: Effect, objection: str) -> Effect:
        """End a row that must not go on. One that was begun before a crash may have happened: a person must say."""
        if row.started_at is None:
            return await self._end(run, bound, row, EffectState.FAILED, error=f"{objection}; nothing was run")
        await self._end(run, bound, row, EffectState.UNKNOWN, error=f"it was begun once and not finished; {objection}")
        raise _unknown(row)

    async def _moved(self, run: Run, bound: Bound, row: Effect) -> bool:
        return row.precondition is not None and await self._desk.precondition(run, bound) != row.precondition

    def _begin(self, tx: Tx, run: Run, bound: Bound, row: Effect) -> str | None:
        """Commit `executing`, alone, right before the call. Returns why not, if the authority is gone by now.

        A pause that came since the intent still holds it back.
        """
        runs.hold(tx, run.id, run.fence)
        if mode.read_locked(tx).paused:
            raise paused()
        now = tx.now()  # one reading for the check and the stamps: what began in time is never stamped late
        if gone := overtaken(tx, row.approval, self._of_clock(run, bound, now), self._desk.clean_json):
            return gone
        if row.approval and (gone := lapsed(tx, run, bound, row.approval, self._desk.policy, self._roles_of, now)):
            return gone
        if not effects.move(tx, run.id, row.call, EffectState.INTENT, EffectState.EXECUTING, started_at=now):
            raise ReplayMismatch(f"call {row.call} of run {run.id} was begun by somebody else")
        tx.audit(run.id, "effect.executing", GATE, ts=now, call=row.call, action=row.action, key=row.idem_key)
        return None

    async def _settle(self, run: Run, bound: Bound, row: Effect, doubt: str | None = None) -> Effect:
        """Find out what became of an effect that began and left no outcome. Never a blind retry.

        With `doubt` this process made the attempt and saw it end so; else it died. Either way the request may still be
        under way, so that "done" can be believed at once, "not done" only if it was asked after the action's own
        timeout. An idempotent action that nobody can be asked about goes again at once: its key makes that harmless.
        It does not where the target was asked and says that it cannot tell.
        """
        action = bound.action
        asked_at, settled = await self._desk.store.now(), _settled(row, action)
        told = await self._reconcile(run, bound)
        known = doubt or row.error
        if told is not None and told.state == "done":
            text = result_text(action, told.result, self._desk.known())
            return await self._end(run, bound, row, EffectState.DONE, result=text, note=told.detail)
        if known is not None:
            return await self._after_doubt(run, bound, row, known, told, asked_at >= settled)
        if asked_at < settled and not (action.idempotent and action.reconcile is None):
            raise _settle_later(row, settled)
        if told.state == "not_done" if told else action.idempotent:
            return await self._again(run, row, told.detail if told else "the action is idempotent under its key")
        await self._end(run, bound, row, EffectState.UNKNOWN, error="the process died while the effect was under way")
        raise _unknown(row)

    async def _after_doubt(
        self, run: Run, bound: Bound, row: Effect, doubt: str, told: Reconciled | None, settled: bool
    ) -> Effect:
        """Go on after an attempt that ended, nobody here knows how, and that the target does not call done."""
        if told is None or told.state != "not_done":
            await self._end(run, bound, row, EffectState.UNKNOWN, error=doubt)
            raise _unknown(row)
        if not settled:
            await self._keep_doubt(run, bound, row, doubt)
            raise _settle_later(row, _settled(row, bound.action))
        return await self._end(run, bound, row, EffectState.FAILED, error=f"{doubt}; the target says: {told.detail}")

    async def _keep_doubt(self, run: Run, bound: Bound, row: Effect, doubt: str) -> None:
        """Store how the attempt ended, so that whoever asks the target again knows that it is over."""

        def unit(tx: Tx) -> None:
            self._desk.note(tx, run, bound, "unclear", "outcome", doubt)
            effects.move(tx, run.id, row.call, EffectState.EXECUTING, EffectState.EXECUTING, error=doubt)

        if row.error is None:
            await self._desk.store.write(unit)

    async def _reconcile(self, run: Run, bound: Bound) -> Reconciled | None:
        if bound.action.reconcile is None:
            return None
        context = self._desk.context(run, bound, "reconcile")
        question = partial(bound.action.reconcile, context, bound.args)
        try:
            told = await ask(bound.action, question, "reconcile", instance(Reconciled), self._desk.known)
            return replace(told, detail=redact(told.detail, self._desk.known()))
        except ActionFailed as failed:  # a target that cannot be asked is one that cannot tell
            reason = str(failed)
            await self._desk.store.write(lambda tx: self._desk.note(tx, run, bound, "unclear", "reconcile", reason))
            return None

    async def _again(self, run: Run, row: Effect, why: str) -> Effect:
        """Take a row back to `intent`, under the approval already bound to it; `started_at` tells that it was begun."""

        def unit(tx: Tx) -> Effect | None:
            runs.hold(tx, run.id, run.fence)
            effects.move(tx, run.id, row.call, EffectState.EXECUTING, EffectState.INTENT)
            tx.audit(run.id, "effect.intent", GATE, call=row.call, action=row.action, key=row.idem_key, again=why)
            return effects.find(tx.conn, run.id, row.call)

        again = await self._desk.store.write(unit)
        return again or row

    async def _end(
        self,
        run: Run,
        bound: Bound,
        row: Effect,
        state: EffectState,
        *,
        result: str | None = None,
        error: str | None = None,
        note: str | None = None,
    ) -> Effect:
        done = state is EffectState.DONE
        change = changed(bound.action, bound.args, result) if done else None

        def unit(tx: Tx) -> Effect | None:
            runs.hold(tx, run.id, run.fence, even_if_cancelled=True)
            now = tx.now()
            values = {"result": result, "error": error, "finished_at": now}
            # A row given up before its call is in `intent` still; one that was performed has become `executing`.
            if not any(
                effects.move(tx, run.id, row.call, before, state, **values)
                for before in dict.fromkeys((row.state, EffectState.EXECUTING))
            ):
                raise ReplayMismatch(f"call {row.call} of run {run.id} was ended by somebody else")
            tx.audit(
                run.id,
                f"effect.{state}",
                GATE,
                call=row.call,
                action=row.action,
                risk=row.risk,
                result=result,
                error=error,
                note=note,
                key=row.idem_key,
            )
            if change is not None:
                changes.take(tx, [_ours(change, row, now)], changes.Told.OURS)
            runs.progressed(tx, run.id)
            return effects.find(tx.conn, run.id, row.call)

        ended = await self._desk.store.write(unit)
        self._desk.probe(f"ended.{state}")
        return ended or row


def close_open(tx: Tx, run: str, reason: str) -> None:
    """Leave nothing open behind a run that ends: what it never began is failed, what was under way is unknown.

    Else its targets would wait for ever, since two changes to one target never overlap.
    """
    life.void_open(tx, run, reason)
    for row in effects.unfinished(tx.conn, run):
        never = row.state is EffectState.INTENT and row.started_at is None
        state = EffectState.FAILED if never else EffectState.UNKNOWN
        error = f"{reason}; nothing was run" if never else row.error or f"{reason} while the effect was under way"
        effects.move(tx, run, row.call, row.state, state, error=error, finished_at=tx.now() if never else None)
        tx.audit(run, f"effect.{state}", GATE, call=row.call, action=row.action, error=error, key=row.idem_key)


def _ours(change: Change, row: Effect, now: int) -> Change:
    """Return a change as that of one of our effects. One that others tell of, too, has their source and id."""
    return replace(
        change,
        source=change.source if change.id else "sysop",
        id=change.id or f"{row.run}:{row.call}",
        at=change.at or now,
        began_at=change.began_at or row.started_at or now,
        environment=change.environment or row.environment,
        by=change.by or f"sysop:{row.run}",
        run=row.run,
        call=row.call,
    )


def _settled(row: Effect, action: Action) -> int:
    """Return from when on a request of the attempt cannot be under way any more."""
    return (row.started_at or 0) + int(action.timeout.total_seconds() * 1000) + 1000


def _settle_later(row: Effect, settled: int) -> WaitUntil:
    return WaitUntil(f"call {row.call} may still be under way", waiting_for=f"settle:{row.call}", wake_at=settled)


def _unknown(row: Effect) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"nobody can tell whether {row.action} on {row.target} happened; look, then say: "
        f"sysop runs resolve {row.run} {row.call} --done or --not-done",
        waiting_for=f"unknown:{row.call}",
    )
