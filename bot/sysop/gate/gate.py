"""Gate.execute: the only way to an effect.

validate → digest → pause → policy → budget → approval → precondition → intent → precondition → executing → perform →
outcome → post-check, each durable before the next. Called again with the same call it goes on where it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import NoReturn

from sysop.actions import Preview
from sysop.errors import ActionRefused, InvalidCall, Parked, ReplayMismatch
from sysop.gate import approvals as life
from sysop.gate import denied, failures
from sysop.gate.around import open_incidents
from sysop.gate.bind import Bound, bind
from sysop.gate.consume import Consume, consume
from sysop.gate.context import Contexts
from sysop.gate.desk import GATE, Desk, Probe
from sysop.gate.effect import EffectStage
from sysop.gate.judging import Judging
from sysop.gate.people import People
from sysop.gate.perform import Ending, Performed, instance, perform
from sysop.gate.policy import Policy, tighten
from sysop.gate.postcheck import PostCheckStage
from sysop.host import Host
from sysop.model import Actor, Approval, ApprovalState, Call, Decision, EffectState, Origin, Outcome, Risk, Run, Verdict
from sysop.policy_sections import BudgetSettings
from sysop.store import approvals, effects, runs
from sysop.store.effects import Effect
from sysop.store.store import Store
from sysop.store.writer import Tx


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
        self._people = people
        self._judging = Judging(policy, people, host)
        self._budgets = budgets
        self._desk = Desk(store, host, contexts, policy.digest, probe, self.execute)
        self._effects = EffectStage(self._desk, people.roles_of, self._judging.of_clock)
        self._post_checks = PostCheckStage(self._desk)

    async def execute(self, run: Run, call: Call) -> Outcome:
        """Carry out one call of a run that this worker holds, at most once ever.

        Raises InvalidCall or ActionRefused where nothing ran, Parked where the run must wait, RunStopped where it is
        not ours any more. A failed action is an outcome.
        """
        bound = await self._bind(run, call)
        if run.read_only and bound.action.risk is not Risk.READ:
            await self._refuse_change(run, bound)
        await self._people.refresh(run.requesters)
        row, now = await self._desk.store.read(lambda conn: (effects.find(conn, run.id, call.id), Tx(conn).now()))
        objection = None
        if row is None:
            decision = await self._judge(run, bound, now)
            if bound.action.risk is Risk.READ and decision.verdict is Verdict.ALLOW:
                return await self._read(run, bound, decision)
            row = await self._authorise(run, bound, decision)
        elif row.call_digest != bound.digest:
            raise ReplayMismatch(f"call {call.id} of run {run.id} came back with other arguments than the ledger holds")
        elif row.state in (EffectState.INTENT, EffectState.EXECUTING):
            objection = self._objection(run, bound, row, now)
        row = await self._effects.carry_out(run, bound, row, objection)
        return await self._post_checks.verify(run, bound, row)

    async def judge(self, actor: Actor, origin: Origin, call: Call) -> Judged:
        """Say what policy would answer, without a run and without a trace."""
        bound = bind(self._desk.host, self._desk.contexts.inventory, "explain", call)
        return Judged(bound, self._judging.of_actor(bound, actor, origin, await self._desk.store.now()))

    async def _refuse_change(self, run: Run, bound: Bound) -> NoReturn:
        reason = "this run answers a question and may look only; ask for the change once the other run has ended"
        await self._desk.store.write(lambda tx: self._desk.note(tx, run, bound, "forbid", "read-only run", reason))
        raise ActionRefused(f"{bound.action.name} on {bound.target} is forbidden: {reason}")

    # -- before an effect -------------------------------------------------------------------------------------------

    async def _bind(self, run: Run, call: Call) -> Bound:
        try:
            return bind(self._desk.host, self._desk.contexts.inventory, run.id, call)
        except InvalidCall as bad:
            reason = str(bad)
            await self._desk.store.write(lambda tx: self._desk.note(tx, run, call, "invalid", "arguments", reason))
            raise

    def _objection(self, run: Run, bound: Bound, row: Effect, now: int) -> str | None:
        """Return why an effect that was authorised before a crash or a pause must not begin any more."""
        decision = self._judging.of_run(run, bound, now)
        if decision.verdict is Verdict.FORBID:
            return f"it is forbidden by now: {decision.reason}"
        if decision.verdict is Verdict.APPROVE and row.approval is None:
            return "it needs an approval by now"
        if row.started_at is None and row.plugin_version != bound.action.version:
            return f"its plugin changed from {row.plugin_version} to {bound.action.version}"
        return None

    async def _judge(self, run: Run, bound: Bound, now: int) -> Decision:
        decision = self._judging.of_run(run, bound, now)
        demand = await self._desk.store.read(lambda conn: failures.demand(conn, bound, self._budgets, now))
        if demand is not None:
            decision = self._judging.possible(tighten(decision, [demand]), run.requesters)
        if no := await self._desk.store.read(lambda conn: denied.standing(conn, run, bound, now)):
            decision = tighten(decision, [no])
        self._desk.probe("judged")
        if decision.verdict is Verdict.FORBID:
            await self._desk.store.write(
                lambda tx: self._desk.note(tx, run, bound, "forbid", decision.rule, decision.reason)
            )
            raise ActionRefused(f"{bound.action.name} on {bound.target} is forbidden: {decision.reason}")
        return decision

    async def _authorise(self, run: Run, bound: Bound, decision: Decision) -> Effect:
        """Get hold of every authority the call needs and write its intent."""
        precondition = await self._desk.precondition(run, bound)
        approval = None
        if decision.verdict is Verdict.APPROVE:
            approval = await self._approval(run, bound, decision, precondition)
            await self._people.refresh((*run.requesters, *(vote.approver for vote in approval.votes)))
        wish = Consume(
            run,
            bound,
            decision,
            self._desk.policy,
            approval,
            precondition,
            self._budgets,
            self._people.roles_of,
            self._desk.checked,
            self._desk.clean_json,
        )
        refused = await self._desk.store.write(lambda tx: consume(tx, wish))
        if isinstance(refused, Parked):
            raise refused
        if refused is not None:
            tripped = isinstance(refused, failures.Tripped)
            if tripped:
                decision = await self._judge(run, bound, await self._desk.store.now())
            if tripped or (approval and await self._is_void(approval)):
                await self._request(run, bound, decision, precondition)
            reason = str(refused)
            await self._desk.store.write(lambda tx: self._desk.note(tx, run, bound, "refused", decision.rule, reason))
            raise refused
        self._desk.probe("intent")
        return await self._row(run, bound)

    async def _row(self, run: Run, bound: Bound) -> Effect:
        row = await self._desk.store.read(lambda conn: effects.find(conn, run.id, bound.call.id))
        if row is None:
            raise ReplayMismatch(f"the ledger row of call {bound.call.id} of run {run.id} is gone")
        return row

    async def _approval(self, run: Run, bound: Bound, decision: Decision, precondition: str) -> Approval:
        """Return the approved approval of exactly this call, or raise what the run waits for."""
        newest = await self._desk.store.read(lambda conn: approvals.newest_for(conn, run.id, bound.call.id))
        if newest is None or newest.state is ApprovalState.VOID:
            await self._request(run, bound, decision, precondition)
        fresh = await self._desk.store.write(lambda tx: self._open(tx, run, newest))
        if fresh.state is ApprovalState.PENDING:
            raise life.required(fresh)
        if fresh.state is not ApprovalState.APPROVED:
            raise life.refusal(fresh)
        self._desk.probe("approved")
        if drift := await self._drift(run, bound, decision, fresh, precondition):
            await self._desk.store.write(lambda tx: self._void(tx, run, fresh, drift))
            await self._request(run, bound, decision, precondition)
        return fresh

    def _open(self, tx: Tx, run: Run, approval: Approval) -> Approval:
        runs.hold(tx, run.id, run.fence)
        locked = approvals.lock(tx, approval.id)
        return life.check_open(tx, locked, tx.now())

    def _void(self, tx: Tx, run: Run, approval: Approval, reason: str) -> None:
        runs.hold(tx, run.id, run.fence)
        life.close(tx, approval, ApprovalState.VOID, GATE, reason)

    async def _drift(
        self, run: Run, bound: Bound, decision: Decision, approval: Approval, precondition: str
    ) -> str | None:
        """Return what differs from what was approved; the preview is the one that was shown."""
        requesters = (await self._desk.store.read(lambda conn: runs.load(conn, run.id))).requesters
        now = life.Asked(requesters, approval.preview, precondition, self._desk.policy)
        shown = life.Asked(approval.requesters, approval.preview, approval.precondition, self._desk.policy)
        if now.digest(bound, run.id) == approval.digest:
            if shown.restated(bound.action, approval) != approval.digest:
                return "what was shown to people is not what would run"
            if (approval.roles, approval.count) != (decision.roles, decision.count):
                return "other people must approve this by now"
            note = failures.unseen(approval, decision, self._desk.clean_json)
            return f"not known to who approved: {note}" if note else None
        if precondition != approval.precondition:
            return f"the state has changed since the approval: was {approval.precondition}, is {precondition}"
        if set(requesters) != set(approval.requesters):
            return "somebody else has joined the request since"
        return "the policy or the plugin has changed since the approval"

    async def _request(self, run: Run, bound: Bound, decision: Decision, precondition: str) -> NoReturn:
        """Ask people. Always raises: ApprovalRequired, or ActionRefused where no preview can be made."""
        preview = await self._preview(run, bound, decision.notes)
        requesters = (await self._desk.store.read(lambda conn: runs.load(conn, run.id))).requesters
        asked = life.Asked(requesters, preview, precondition, self._desk.policy)
        approval = await self._desk.store.write(lambda tx: life.request(tx, run, bound, decision, asked))
        self._desk.probe("requested")
        raise life.required(approval)

    async def _is_void(self, approval: Approval) -> bool:
        fresh = await self._desk.store.read(lambda conn: approvals.load(conn, approval.id))
        return fresh.state is ApprovalState.VOID

    async def _preview(self, run: Run, bound: Bound, notes: tuple[str, ...]) -> str:
        if bound.action.preview is None:
            shown = Preview(summary=f"{bound.action.name} on {bound.target}")
        else:
            context = self._desk.context(run, bound, "preview")
            ask = partial(bound.action.preview, context, bound.args)
            shown = await self._desk.question(run, bound, ask, "preview", instance(Preview))
        around = await self._desk.store.read(partial(open_incidents, target=bound.target))
        return self._desk.clean_json(asdict(replace(shown, changes=(*notes, *shown.changes, *around))))

    # -- reads ------------------------------------------------------------------------------------------------------

    async def _read(self, run: Run, bound: Bound, decision: Decision) -> Outcome:
        """Perform a read: no approval, no `executing`; its one row is durable before the answer is used."""
        context = self._desk.context(run, bound, "read", bound.call.id)
        done = await perform(bound.action, context, bound.args, self._desk.known)
        row = await self._desk.store.write(lambda tx: self._record_read(tx, run, bound, decision.rule, done))
        self._desk.probe("read")
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
            plugin_version=bound.action.version,
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
        effects.add(tx, **asdict(row), fence=run.fence, provider_id=bound.call.provider_id)
        runs.progressed(tx, run.id)
        tx.audit(
            run.id,
            f"effect.{state}",
            GATE,
            call=row.call,
            action=row.action,
            risk=row.risk,
            args=bound.canonical,
            rule=rule,
            policy=self._desk.policy,
            error=done.error,
        )
        return row
