"""The one transaction before an effect. Its order is its safety; see the comments before moving a line."""

from __future__ import annotations

from dataclasses import dataclass

from sysop.errors import ActionRefused, CallError, Parked, Paused
from sysop.gate import approvals as life
from sysop.gate.approvals import RolesOf
from sysop.gate.bind import Bound
from sysop.model import Approval, ApprovalState, Decision, EffectState, Risk, Run
from sysop.sections import BudgetSettings
from sysop.store import approvals, effects, mode, runs
from sysop.store.writer import Tx

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Consume:
    """What is about to happen, and under which authority. `approval` is None where policy allows without one."""

    run: Run
    bound: Bound
    decision: Decision
    policy: str
    approval: Approval | None
    precondition: str
    budgets: BudgetSettings
    roles_of: RolesOf


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
    mode.lock_budgets(tx, [budget_key(bound), f"target:{bound.target}"])
    over = _over_budget(tx, wish) or _overlap(tx, bound)
    if over:
        return ActionRefused(over)
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


def _overlap(tx: Tx, bound: Bound) -> str | None:
    others = effects.in_flight(tx.conn, bound.target)
    if not others:
        return None
    run, call, state = others[0]
    return f"another change to {bound.target} is not finished (run {run}, call {call}: {state})"


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
