"""The life of an approval: asked for, voted on, used once, or closed. See docs/approvals.md for the state diagram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sysop.actions import Action
from sysop.canonical import digest
from sysop.errors import ActionRefused, ApprovalRequired, NotAllowed
from sysop.gate.bind import Bound
from sysop.model import Actor, Approval, ApprovalState, Decision, Run, RunState, new_id
from sysop.store import approvals as rows
from sysop.store import runs
from sysop.store.writer import Tx

RolesOf = Callable[[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything an approval binds beside the call itself. `preview` and `precondition` are canonical JSON."""

    requesters: tuple[str, ...]
    preview: str
    precondition: str
    policy: str

    def digest(self, bound: Bound, run: str) -> str:
        """Return the digest a person approves."""
        call = (run, bound.call.id, bound.action.name, bound.canonical, bound.target, bound.environment)
        return self._digest(bound.action, call)

    def restated(self, action: Action, approval: Approval) -> str:
        """Return the digest of the call as the stored approval shows it to people."""
        call = (approval.run, approval.call, approval.action, approval.args, approval.target, approval.environment)
        return self._digest(action, call)

    def _digest(self, action: Action, call: tuple[str, str, str, str, str, str]) -> str:
        payload = {
            **dict(zip(("run", "call", "action", "args", "target", "environment"), call, strict=True)),
            "plugin": f"{action.plugin} {action.version}",
            "requesters": sorted(self.requesters),
            "preview": self.preview,
            "precondition": self.precondition,
            "policy": self.policy,
        }
        return digest("sysop/approval/1", payload)


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of a click. `counted` False means it changed nothing, `message` says why."""

    counted: bool
    state: ApprovalState
    message: str


def request(tx: Tx, run: Run, bound: Bound, decision: Decision, asked: Asked) -> Approval:
    """Insert a pending approval with its audit entry."""
    runs.hold(tx, run.id, run.fence)
    approval, now = new_id("apr"), tx.now()
    values: dict[str, Any] = {
        "digest": asked.digest(bound, run.id),
        "action": bound.action.name,
        "risk": bound.action.risk,
        "args": bound.canonical,
        "target": bound.target,
        "environment": bound.environment,
        "requesters": sorted(asked.requesters),
        "roles": list(decision.roles),
        "count": decision.count,
        "preview": asked.preview,
        "precondition": asked.precondition,
        "reason": bound.call.reason,
    }
    approve_by = now + decision.approve_within
    rows.add(
        tx,
        id=approval,
        run=run.id,
        call=bound.call.id,
        approve_by=approve_by,
        execute_within=decision.execute_within,
        created_at=now,
        **values,
    )
    facts: dict[str, Any] = {
        "run": run.id,
        "call": bound.call.id,
        "approve_by": approve_by,
        "execute_within": decision.execute_within,
    }
    tx.audit(rows.chain(approval), "approval.requested", "service:gate", **facts, **values)
    tx.audit(
        run.id,
        "call.judged",
        "service:gate",
        call=bound.call.id,
        action=bound.action.name,
        verdict=decision.verdict,
        rule=decision.rule,
        approval=approval,
        policy=asked.policy,
    )
    return rows.load(tx.conn, approval)


def required(approval: Approval) -> ApprovalRequired:
    """Return the error that parks a run until people have answered, or the time is up."""
    return ApprovalRequired(
        f"{approval.action} on {approval.target} waits for approval {approval.id}",
        approval=approval.id,
        digest=approval.digest,
        wake_at=approval.approve_by,
    )


def check_open(tx: Tx, approval: Approval, now: int) -> Approval:
    """Return the approval as it is now, expired if its time is up. What follows from it is stamped with that time."""
    deadline = approval.approve_by if approval.state is ApprovalState.PENDING else approval.execute_by
    if approval.state in rows.OPEN and deadline is not None and now >= deadline:
        close(
            tx,
            approval,
            ApprovalState.EXPIRED,
            "service:gate",
            "nobody answered in time" if approval.state is ApprovalState.PENDING else "it was not used in time",
        )
        return rows.load(tx.conn, approval.id)
    return approval


def refusal(approval: Approval) -> ActionRefused:
    """Return the error for a closed approval."""
    votes = "; ".join(
        f"{v.approver.partition(':')[2]}: {v.reason}" for v in approval.votes if not v.approve and v.reason
    )
    why = approval.closed_reason or votes
    return ActionRefused(f"approval {approval.id} was {approval.state}{f': {why}' if why else ''}")


def close(tx: Tx, approval: Approval, to: ApprovalState, actor: str, reason: str) -> bool:
    """Move an open approval to a final state and wake its run; False when it is closed or somebody was faster."""
    if approval.state not in rows.OPEN or not rows.move(tx, approval.id, approval.state, to, closed_reason=reason):
        return False
    tx.audit(rows.chain(approval.id), f"approval.{to}", actor, run=approval.run, call=approval.call, reason=reason)
    runs.wake(tx, approval.run, f"approval:{approval.id}")
    return True


def void_open(tx: Tx, run: str, reason: str) -> None:
    """Close every open approval of a run that has ended."""
    for approval in rows.open_of_run(tx.conn, run):
        close(tx, approval, ApprovalState.VOID, "service:gate", reason)


def vote(
    tx: Tx,
    approval_id: str,
    actor: Actor,
    approve: bool,
    reason: str,
    *,
    delivery: str,
    digest: str | None,
    roles_of: RolesOf,
) -> Counted:
    """Count one click. A replayed, late, foreign or own-request click changes nothing and says so.

    `delivery` names the click itself, so that the same one delivered twice counts once. `digest`, where the surface
    has it, is what the person was shown.
    """
    if not rows.first_delivery(tx, delivery):
        return Counted(False, rows.load(tx.conn, approval_id).state, "this click was handled already")
    approval, now = rows.lock(tx, approval_id), tx.now()
    approval = check_open(tx, approval, now)
    problem = _problem(approval, actor, digest, roles_of)
    if problem is None and not rows.add_vote(tx, approval_id, actor.id, approve, reason, now):
        problem = "you have voted already"
    tx.audit(
        rows.chain(approval_id),
        "approval.voted",
        actor.id,
        ts=now,
        run=approval.run,
        call=approval.call,
        approve=approve,
        reason=reason,
        digest=approval.digest,
        counted=problem is None,
        problem=problem,
    )
    if problem is not None:
        return Counted(False, approval.state, problem)
    if not approve:
        close(tx, approval, ApprovalState.DENIED, actor.id, reason)
        return Counted(True, ApprovalState.DENIED, "denied")
    return _count(tx, approval, roles_of, now)


def _problem(approval: Approval, actor: Actor, digest: str | None, roles_of: RolesOf) -> str | None:
    if approval.state is not ApprovalState.PENDING:
        return f"the approval is {approval.state} already"
    if digest is not None and digest != approval.digest:
        return "this is not what you were shown; look at the approval again"
    if not actor.human:
        return "this account is not known as a person; only people can approve, no guests and no bots"
    if set(actor.ids) & set(approval.requesters):
        return "who asks for a change cannot approve it"
    if set(actor.ids) & {vote.approver for vote in approval.votes}:
        return "you have voted already"
    if not roles_of(actor.id) & set(approval.roles):
        return f"this needs the role {' or '.join(approval.roles)}"
    return None


def supporters(approval: Approval, requesters: tuple[str, ...], roles_of: RolesOf) -> tuple[str, ...]:
    """Return the people whose yes counts now: they hold a role still and have asked for nothing in this run."""
    return tuple(
        v.approver
        for v in approval.votes
        if v.approve and v.approver not in requesters and roles_of(v.approver) & set(approval.roles)
    )


def _count(tx: Tx, approval: Approval, roles_of: RolesOf, now: int) -> Counted:
    approval = rows.load(tx.conn, approval.id)
    have = len(supporters(approval, approval.requesters, roles_of))
    if have < approval.count:
        return Counted(True, approval.state, f"{have} of {approval.count} approvals")
    execute_by = now + approval.execute_within
    rows.move(tx, approval.id, ApprovalState.PENDING, ApprovalState.APPROVED, execute_by=execute_by)
    tx.audit(
        rows.chain(approval.id),
        "approval.approved",
        "service:gate",
        ts=now,
        run=approval.run,
        call=approval.call,
        digest=approval.digest,
        approvers=[v.approver for v in approval.votes if v.approve],
        execute_by=execute_by,
    )
    runs.wake(tx, approval.run, f"approval:{approval.id}")
    return Counted(True, ApprovalState.APPROVED, "approved")


def revoke(tx: Tx, approval_id: str, actor: Actor, reason: str, roles_of: RolesOf) -> Counted:
    """Take an approval back before it is used: its requesters may, and whoever may approve it."""
    approval = rows.lock(tx, approval_id)
    approval = check_open(tx, approval, tx.now())
    if approval.state not in rows.OPEN:
        return Counted(False, approval.state, f"the approval is {approval.state} already")
    if actor.id not in approval.requesters and not roles_of(actor.id) & set(approval.roles):
        raise NotAllowed(f"only who asked, or a person with role {' or '.join(approval.roles)}, can revoke this")
    close(tx, approval, ApprovalState.REVOKED, actor.id, reason)
    return Counted(True, ApprovalState.REVOKED, "revoked")


def requesters_now(tx: Tx, run: str) -> tuple[str, ...]:
    """Return everybody whose message is in the run's history so far, read in this transaction."""
    return runs.load(tx.conn, run).requesters


def is_over(run: Run) -> bool:
    """Tell whether a run has ended."""
    return run.state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)
