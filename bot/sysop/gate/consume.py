"""The one transaction before an effect. Its order is its safety; see the comments before moving a line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sysop.errors import ActionRefused, CallError, Parked, Paused
from sysop.gate import approvals as life
from sysop.gate import failures
from sysop.gate.approvals import RolesOf
from sysop.gate.bind import Bound
from sysop.gate.failures import Clean, Tripped
from sysop.model import Approval, ApprovalState, Decision, EffectState, Risk, Run, Verdict
from sysop.policy_sections import BudgetSettings
from sysop.store import approvals, effects, mode, runs, targets
from sysop.store.writer import Tx

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Consume:
    """What is about to happen, and under which authority. `approval` is None where policy allows without one.

    `checked` are the actions with a post-check, `clean` writes text as cards have it.
    """

    run: Run
    bound: Bound
    decision: Decision
    policy: str
    approval: Approval | None
    precondition: str
    budgets: BudgetSettings
    roles_of: RolesOf
    checked: Collection[str]
    clean: Clean


def consume(tx: Tx, wish: Consume) -> CallError | Parked | None:
    """Use up the authority and write the intent, all or nothing. Returns why not, if not.

    A reason is returned and not raised, since an approval that is found expired or short of people is closed in this
    same transaction.
    """
    run, bound = wish.run, wish.bound
    runs.hold(tx, run.id, run.fence)  # first, so that a worker that lost its run stops before it writes
    if mode.read_locked(tx).paused:
        return paused()
    # Every worker locks in the order mode, budget, approval. On PostgreSQL the count is a statement after the lock.
    mode.lock_budgets(tx, [budget_key(bound), f"target:{targets.key(bound.target)}"])
    over = _over_budget(tx, wish) or _overlap(tx, wish)
    if over:
        return ActionRefused(over)
    if tripped := _tripped(tx, wish):
        return tripped
    if wish.approval is not None and (refused := _use(tx, wish, wish.approval)):
        return refused
    _intend(tx, wish)
    return None


def paused() -> Paused:
    """Return the error that parks a run until changes go on."""
    return Paused("changes are paused; see: sysop resume", waiting_for="pause")


def budget_key(bound: Bound) -> str:
    """Return the row that transactions of one environment and risk class lock."""
    return f"class:{bound.environment}:{bound.action.risk}"


def _over_budget(tx: Tx, wish: Consume) -> str | None:
    risk, environment = wish.bound.action.risk, wish.bound.environment
    if risk is Risk.READ:
        return None
    cap = wish.budgets.destructive if risk is Risk.DESTRUCTIVE else wish.budgets.change
    begun = effects.started_since(tx.conn, environment, risk, tx.now() - HOUR_MS)
    if begun < cap:
        return None
    return f"the budget of {environment} is used up: {begun} of {cap} {risk} actions in the last hour"


def _overlap(tx: Tx, wish: Consume) -> str | None:
    bound = wish.bound
    if bound.action.risk is Risk.READ:  # one that people approved waits for what is under way, not for its post-check
        others = effects.in_flight(tx.conn, bound.target)
    else:
        others = targets.holding(tx.conn, bound.target, bound.environment, wish.checked, tx.now())
    if not others:
        return None
    run, call, state = others[0]
    how = "done, but not verified yet" if state == EffectState.DONE else state
    way_out = "" if run == wish.run.id else _way_out(run, call, state)
    return f"another change to {bound.target} is not finished (run {run}, call {call}: {how}){way_out}"


def _way_out(run: str, call: str, state: str) -> str:
    """Say how people free a target where it may take long: a bad change must not be stuck behind its own check."""
    if state == EffectState.DONE:
        return f"; to free it before its post-check is over: sysop cancel {run}"
    if state == EffectState.UNKNOWN:
        return f"; look, then say: sysop runs resolve {run} {call} --done or --not-done"
    return ""


def _tripped(tx: Tx, wish: Consume) -> Tripped | None:
    """Return a refusal where changes of the target have failed so often that people must decide, and have not.

    The same count was made before people were asked; this one is under the target's lock.
    """
    demand = failures.demand(tx.conn, wish.bound, wish.budgets, tx.now())
    if demand is None:
        return None
    if wish.approval is None:
        return Tripped(demand.reason)
    note = failures.unseen(wish.approval, demand, wish.clean)
    if note is None:
        return None
    life.close(
        tx,
        approvals.lock(tx, wish.approval.id),
        ApprovalState.VOID,
        "service:gate",
        f"not known to who approved: {note}",
    )
    return Tripped(demand.reason)


def _use(tx: Tx, wish: Consume, approval: Approval) -> CallError | None:
    locked, now = approvals.lock(tx, approval.id), tx.now()
    fresh = life.check_open(tx, locked, now)
    if fresh.state is not ApprovalState.APPROVED or fresh.digest != approval.digest:
        return life.refusal(fresh)
    requesters = life.requesters_now(tx, wish.run.id)
    have = life.supporters(fresh, requesters, wish.roles_of)
    if len(have) < fresh.count:
        reason = f"{len(have)} of {fresh.count} approvers may still approve this"
        life.close(tx, fresh, ApprovalState.VOID, "service:gate", reason)
        return ActionRefused(f"approval {fresh.id} is void: {reason}")
    if not approvals.move(tx, fresh.id, ApprovalState.APPROVED, ApprovalState.CONSUMED):
        return ActionRefused(f"approval {fresh.id} was used by somebody else")
    tx.audit(
        approvals.chain(fresh.id),
        "approval.consumed",
        "service:gate",
        ts=now,
        run=fresh.run,
        call=fresh.call,
        digest=fresh.digest,
        approvers=list(have),
    )
    return None


def lapsed(tx: Tx, run: Run, bound: Bound, approval: str, policy: str, roles_of: RolesOf, now: int) -> str | None:
    """Return why an effect intended under this approval must not begin at `now` any more.

    Between the intent and the call lies a crash or a pause of any length: what was true then must be true still.
    """
    used = approvals.load(tx.conn, approval)
    if now >= (used.execute_by or 0):
        return f"the time to use approval {approval} ran out"
    requesters = life.requesters_now(tx, run.id)
    if life.Asked(requesters, used.preview, used.precondition, policy).digest(bound, run.id) != used.digest:
        return f"the request, the policy or the plugin has changed since approval {approval}"
    have = life.supporters(used, requesters, roles_of)
    if len(have) < used.count:
        return f"{len(have)} of {used.count} approvers of approval {approval} may still approve this"
    return None


def overtaken(tx: Tx, approval: str | None, decision: Decision, clean: Clean) -> str | None:
    """Return why the rules and freezes of this moment do not let an effect begin, whatever they said before."""
    if decision.verdict is Verdict.FORBID:
        return f"it is forbidden by now: {decision.reason}"
    if decision.verdict is Verdict.ALLOW:
        return None
    if approval is None:
        return "it needs an approval by now"
    used = approvals.load(tx.conn, approval)
    if used.count < decision.count or not set(used.roles) <= set(decision.roles):
        return f"other people must approve it by now: {decision.reason}"
    note = failures.unseen(used, decision, clean)
    return f"not known to who approved: {note}" if note else None


def _intend(tx: Tx, wish: Consume) -> None:
    bound, run = wish.bound, wish.run
    key = f"{run.id}:{bound.call.id}"
    effects.add(
        tx,
        run=run.id,
        call=bound.call.id,
        action=bound.action.name,
        risk=bound.action.risk,
        plugin_version=bound.action.version,
        args=bound.canonical,
        call_digest=bound.digest,
        target=bound.target,
        environment=bound.environment,
        state=EffectState.INTENT,
        idem_key=key,
        approval=wish.approval.id if wish.approval else None,
        precondition=wish.precondition,
        fence=run.fence,
        provider_id=bound.call.provider_id,
        created_at=tx.now(),
    )
    tx.audit(
        run.id,
        "effect.intent",
        "service:gate",
        call=bound.call.id,
        action=bound.action.name,
        plugin=f"{bound.action.plugin} {bound.action.version}",
        risk=bound.action.risk,
        args=bound.canonical,
        target=bound.target,
        environment=bound.environment,
        rule=wish.decision.rule,
        policy=wish.policy,
        approval=wish.approval.id if wish.approval else None,
        digest=bound.digest,
        key=key,
    )
