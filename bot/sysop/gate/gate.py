"""Gate.execute: the only way to an effect.

validate → digest → pause → policy → budget → approval → precondition → intent → precondition → executing → perform →
outcome → post-check, each durable before the next. Called again with the same call it goes on where it was.
"""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from sysop.actions import Preview
from sysop.canonical import canonical
from sysop.errors import ActionRefused, InvalidCall, OutcomeUnknown, Parked, ReplayMismatch, WaitUntil
from sysop.gate import approvals as life
from sysop.gate.bind import Bound, bind, parse
from sysop.gate.consume import Consume, consume, paused
from sysop.gate.context import CallContext, Contexts
from sysop.gate.people import People
from sysop.gate.perform import Ending, Performed, ask, perform, result_text
from sysop.gate.policy import Policy, Question, tighten
from sysop.host import Host
from sysop.model import Actor, Approval, ApprovalState, Call, Decision, EffectState, Origin, Outcome, Risk, Run, Verdict
from sysop.settings import BudgetSettings
from sysop.store import approvals, effects, mode, runs
from sysop.store.effects import Effect
from sysop.store.store import Store
from sysop.store.writer import Tx

GATE = "service:gate"
Probe = Callable[[str], None]


def _no_probe(_point: str) -> None:
    """Do nothing; the crash matrix dies here instead."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Policy's answer before anything runs, for `sysop policy explain`."""

    bound: Bound
    decision: Decision


class Gate:
    """One per process. `probe` is called at every step by name, for the crash matrix."""

    def __init__(
        self,
        store: Store,
        host: Host,
        policy: Policy,
        people: People,
        contexts: Contexts,
        budgets: BudgetSettings,
        probe: Probe = _no_probe,
    ) -> None:
        self._store = store
        self._host = host
        self._policy = policy
        self._people = people
        self._contexts = contexts
        self._budgets = budgets
        self._probe = probe

    async def execute(self, run: Run, call: Call) -> Outcome:
        """Carry out one call of a run that this worker holds, at most once ever.

        Raises InvalidCall or ActionRefused where nothing ran, Parked where the run must wait, RunStopped where it is
        not ours any more. A failed action is an outcome.
        """
        bound = await self._bind(run, call)
        row = await self._store.read(lambda conn: effects.find(conn, run.id, call.id))
        if row is None:
            decision = await self._judge(run, bound)
            if bound.action.risk is Risk.READ and decision.verdict is Verdict.ALLOW:
                return await self._read(run, bound, decision)
            row = await self._authorise(run, bound, decision)
        elif row.call_digest != bound.digest:
            raise ReplayMismatch(f"call {call.id} of run {run.id} came back with other arguments than the ledger holds")
        row = await self._carry_out(run, bound, row)
        return await self._verify(run, bound, row)

    async def judge(self, actor: Actor, origin: Origin, call: Call) -> Judged:
        """Say what policy would answer, without a run and without a trace."""
        bound = bind(self._host, self._contexts.inventory, "explain", call)
        return Judged(bound, self._decide(bound, actor, origin, await self._store.now()))

    # -- before an effect -------------------------------------------------------------------------------------------

    async def _bind(self, run: Run, call: Call) -> Bound:
        try:
            return bind(self._host, self._contexts.inventory, run.id, call)
        except InvalidCall as bad:
            reason = str(bad)
            await self._store.write(lambda tx: self._note_judged(tx, run, call, "invalid", "arguments", reason))
            raise

    def _decide(self, bound: Bound, actor: Actor, origin: Origin, now: int) -> Decision:
        question = Question(
            bound.action.name, bound.action.risk, bound.environment, bound.target, actor.roles, origin, now
        )
        decision = tighten(self._policy.decide(question), self._host.judge(bound.call, bound.action, actor))
        if decision.verdict is Verdict.APPROVE and len(self._people.holding(decision.roles)) < decision.count:
            return Decision(Verdict.FORBID, decision.rule, _nobody_can(decision))
        return decision

    async def _judge(self, run: Run, bound: Bound) -> Decision:
        actor = Actor(run.requesters[0], frozenset(run.roles))
        decision = self._decide(bound, actor, run.origin, await self._store.now())
        self._probe("judged")
        if decision.verdict is Verdict.FORBID:
            await self._store.write(
                lambda tx: self._note_judged(tx, run, bound.call, "forbid", decision.rule, decision.reason)
            )
            raise ActionRefused(f"{bound.action.name} on {bound.target} is forbidden: {decision.reason}")
        return decision

    def _note_judged(self, tx: Tx, run: Run, call: Call, verdict: str, rule: str, reason: str) -> None:
        runs.hold(tx, run.id, run.fence)
        facts = {"verdict": verdict, "rule": rule, "reason": reason, "policy": self._policy.digest}
        tx.audit(run.id, "call.judged", GATE, call=call.id, action=call.action, **facts)

    async def _authorise(self, run: Run, bound: Bound, decision: Decision) -> Effect:
        """Get hold of every authority the call needs and write its intent."""
        precondition = await self._precondition(run, bound)
        approval = None
        if decision.verdict is Verdict.APPROVE:
            approval = await self._approval(run, bound, decision, precondition)
        wish = Consume(
            run, bound, decision, self._policy.digest, approval, precondition, self._budgets, self._people.roles_of
        )
        refused = await self._store.write(lambda tx: consume(tx, wish))
        if isinstance(refused, Parked):
            raise refused
        if refused is not None:
            if approval and await self._is_void(approval):
                await self._request(run, bound, decision, precondition)
            reason = str(refused)
            await self._store.write(lambda tx: self._note_judged(tx, run, bound.call, "refused", decision.rule, reason))
            raise refused
        self._probe("intent")
        return await self._row(run, bound)

    async def _row(self, run: Run, bound: Bound) -> Effect:
        row = await self._store.read(lambda conn: effects.find(conn, run.id, bound.call.id))
        if row is None:
            raise ReplayMismatch(f"the ledger row of call {bound.call.id} of run {run.id} is gone")
        return row

    async def _approval(self, run: Run, bound: Bound, decision: Decision, precondition: str) -> Approval:
        """Return the approved approval of exactly this call, or raise what the run waits for."""
        newest = await self._store.read(lambda conn: approvals.newest_for(conn, run.id, bound.call.id))
        if newest is None or newest.state is ApprovalState.VOID:
            await self._request(run, bound, decision, precondition)
        fresh = await self._store.write(lambda tx: life.check_open(tx, newest))
        if fresh.state is ApprovalState.PENDING:
            raise life.required(fresh)
        if fresh.state is not ApprovalState.APPROVED:
            raise life.refusal(fresh)
        self._probe("approved")
        if drift := await self._drift(run, bound, fresh, precondition):
            await self._store.write(lambda tx: life.close(tx, fresh, ApprovalState.VOID, GATE, drift))
            await self._request(run, bound, decision, precondition)
        return fresh

    async def _drift(self, run: Run, bound: Bound, approval: Approval, precondition: str) -> str | None:
        """Return what differs from what was approved; the preview is the one that was shown."""
        requesters = (await self._store.read(lambda conn: runs.load(conn, run.id))).requesters
        now = life.Asked(requesters, approval.preview, precondition, self._policy.digest)
        if now.digest(bound, run.id) == approval.digest:
            return None
        if precondition != approval.precondition:
            return f"the state has changed since the approval: was {approval.precondition}, is {precondition}"
        if set(requesters) != set(approval.requesters):
            return "somebody else has joined the request since"
        return "the policy or the plugin has changed since the approval"

    async def _request(self, run: Run, bound: Bound, decision: Decision, precondition: str) -> NoReturn:
        """Ask people. Always raises: ApprovalRequired, or ActionRefused where no preview can be made."""
        preview = await self._preview(run, bound)
        requesters = (await self._store.read(lambda conn: runs.load(conn, run.id))).requesters
        asked = life.Asked(requesters, preview, precondition, self._policy.digest)
        approval = await self._store.write(lambda tx: life.request(tx, run, bound, decision, asked))
        self._probe("requested")
        raise life.required(approval)

    async def _is_void(self, approval: Approval) -> bool:
        fresh = await self._store.read(lambda conn: approvals.load(conn, approval.id))
        return fresh.state is ApprovalState.VOID

    async def _preview(self, run: Run, bound: Bound) -> str:
        if bound.action.preview is None:
            shown = Preview(summary=f"{bound.action.name} on {bound.target}")
        else:
            context = self._context(run, bound, "preview")
            shown = await self._question(run, bound, bound.action.preview(context, bound.args), "preview")
        return _canonical_json(asdict(shown))

    async def _precondition(self, run: Run, bound: Bound) -> str:
        if bound.action.precondition is None:
            return "null"
        context = self._context(run, bound, "precondition")
        reading = await self._question(run, bound, bound.action.precondition(context, bound.args), "precondition")
        return _canonical_json(reading)

    async def _question(self, run: Run, bound: Bound, question: Any, what: str) -> Any:
        try:
            return await ask(bound.action, question, what)
        except Exception as failed:
            reason = str(failed)
            await self._store.write(lambda tx: self._note_judged(tx, run, bound.call, "refused", what, reason))
            raise ActionRefused(f"{bound.action.name} was not tried: {reason}") from failed

    # -- reads ------------------------------------------------------------------------------------------------------

    async def _read(self, run: Run, bound: Bound, decision: Decision) -> Outcome:
        """Perform a read: no approval, no `executing`; its one row is durable before the answer is used."""
        context = self._context(run, bound, "read", bound.call.id)
        done = await perform(bound.action, context, bound.args, self._contexts.secrets.known())
        row = await self._store.write(lambda tx: self._record_read(tx, run, bound, decision.rule, done))
        self._probe("read")
        return row.outcome()

    def _record_read(self, tx: Tx, run: Run, bound: Bound, rule: str, done: Performed) -> Effect:
        runs.hold(tx, run.id, run.fence)
        state = EffectState.DONE if done.ending is Ending.DONE else EffectState.FAILED
        now = tx.now()
        row = Effect(
            run=run.id,
            call=bound.call.id,
            action=bound.action.name,
            risk=bound.action.risk,
            args=bound.canonical,
            call_digest=bound.digest,
            target=bound.target,
            environment=bound.environment,
            state=state,
            idem_key=f"{run.id}:{bound.call.id}",
            approval=None,
            precondition=None,
            result=done.result,
            error=done.error,
            verified=None,
            verification=None,
            created_at=now,
            started_at=None,
            finished_at=now,
        )
        plugin = {"plugin_version": bound.action.version, "fence": run.fence, "provider_id": bound.call.provider_id}
        effects.add(tx, **asdict(row), **plugin)
        facts = {"args": bound.canonical, "rule": rule, "policy": self._policy.digest, "error": done.error}
        tx.audit(run.id, f"effect.{state}", GATE, call=row.call, action=row.action, risk=row.risk, **facts)
        return row

    def _context(
        self, run: Run, bound: Bound, kind: str, call: str | None = None, *, write: bool = False
    ) -> CallContext:
        """Return a context whose own reads are evidence under this call, each with an id never used before."""
        prefix = f"{bound.call.id}.{kind}-{random.token_hex(3)}"
        count = 0

        async def reader(action: str, args: Mapping[str, Any]) -> Any:
            nonlocal count
            count += 1
            found = self._host.find(action)
            if found is None or found.risk is not Risk.READ:
                raise InvalidCall(f"{bound.action.name} may use read actions only, and {action} is none")
            outcome = await self.execute(run, Call(f"{prefix}.{count}", action, args))
            if outcome.state is not EffectState.DONE:
                raise InvalidCall(f"{action}: {outcome.error}")
            return outcome.result

        key = f"{run.id}:{bound.call.id}"
        return self._contexts.for_call(
            bound.action, run.id, call or bound.call.id, key, "write" if write else "read", reader
        )

    # -- the effect -------------------------------------------------------------------------------------------------

    async def _carry_out(self, run: Run, bound: Bound, row: Effect) -> Effect:
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
        if row.precondition is not None and await self._precondition(run, bound) != row.precondition:
            return await self._end(
                run, row, EffectState.FAILED, error="the state changed right before; nothing was run"
            )
        self._probe("checked")
        await self._store.write(lambda tx: self._begin(tx, run, row))
        self._probe("executing")
        context = self._context(run, bound, "effect", write=True)
        args = parse(bound.action, json.loads(row.args))
        done = await perform(bound.action, context, args, self._contexts.secrets.known())
        self._probe("performed")
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
            text = result_text(action, told.result, self._contexts.secrets.known())
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
        if await self._store.now() < settled:
            raise WaitUntil(
                f"call {row.call} may still be under way", waiting_for=f"settle:{row.call}", wake_at=settled
            )

    async def _reconcile(self, run: Run, bound: Bound) -> Any:
        if bound.action.reconcile is None:
            return None
        context = self._context(run, bound, "reconcile")
        try:
            return await ask(bound.action, bound.action.reconcile(context, bound.args), "reconcile")
        except Exception as failed:  # a target that cannot be asked is one that cannot tell
            reason = str(failed)
            await self._store.write(lambda tx: self._note_judged(tx, run, bound.call, "unclear", "reconcile", reason))
            return None

    async def _again(self, run: Run, row: Effect, why: str) -> Effect:
        """Take a row back to `intent`, under the approval already bound to it."""

        def unit(tx: Tx) -> Effect | None:
            runs.hold(tx, run.id, run.fence)
            effects.move(tx, run.id, row.call, EffectState.EXECUTING, EffectState.INTENT, started_at=None)
            tx.audit(run.id, "effect.intent", GATE, call=row.call, action=row.action, key=row.idem_key, again=why)
            return effects.find(tx.conn, run.id, row.call)

        again = await self._store.write(unit)
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

        ended = await self._store.write(unit)
        self._probe(f"ended.{state}")
        return ended or row

    # -- after the effect -------------------------------------------------------------------------------------------

    async def _verify(self, run: Run, bound: Bound, row: Effect) -> Outcome:
        """Ask the post-check once; pending parks the run. Every answer is a ledger row of its own, so it is evidence."""
        declared = bound.action.verify
        if declared is None or row.state is not EffectState.DONE or row.verified is not None:
            return row.outcome()
        prefix = f"{row.call}.verify-"
        earlier = await self._store.read(lambda conn: effects.polls(conn, run.id, prefix))
        every, within = int(declared.every.total_seconds() * 1000), int(declared.within.total_seconds() * 1000)
        if earlier and await self._store.now() < earlier[-1].created_at + every:
            raise _verify_later(row, earlier[-1].created_at + every)
        context = self._context(run, bound, f"verify-{len(earlier) + 1}")
        try:
            found = await ask(
                bound.action, declared.check(context, bound.args, json.loads(row.result or "null")), "post-check"
            )
            state, detail = found.state, found.detail
        except Exception as failed:  # not knowing is not failing: ask again until the time is up
            state, detail = "pending", str(failed)
        late = await self._store.now() - (row.finished_at or row.created_at) > within
        if state == "pending" and late:
            state, detail = "failed", f"not confirmed within {declared.within.total_seconds():g} s: {detail}"
        ended = await self._store.write(
            lambda tx: self._record_poll(tx, run, bound, row, f"{prefix}{len(earlier) + 1}", state, detail)
        )
        self._probe(f"verify.{state}")
        if state == "pending":
            raise _verify_later(row, await self._store.now() + every)
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
            result=_canonical_json({"state": state, "detail": detail}),
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


def _unknown(row: Effect) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"nobody can tell whether {row.action} on {row.target} happened; look, then say: "
        f"sysop runs resolve {row.run} {row.call} --done or --not-done",
        waiting_for=f"unknown:{row.call}",
    )


def _canonical_json(value: Any) -> str:
    return canonical(json.loads(json.dumps(value, allow_nan=False))).decode()


def _nobody_can(decision: Decision) -> str:
    roles = " or ".join(decision.roles)
    return (
        f"{decision.reason}, and fewer than {decision.count} people hold it. Add to sysop.yaml:\n"
        "people:\n  NAME:\n    uid: UID  # what `id -u` prints for that person\n"
        f"    roles: [{decision.roles[0]}]\n"
        f"(anybody with role {roles}; who asks can never approve)"
    )
