"""What the stages of the gate share: the store, contexts for actions, and notes in the audit log."""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sysop.canonical import canonical
from sysop.errors import ActionFailed, ActionRefused, ApprovalRequired, InvalidCall
from sysop.gate import approvals as life
from sysop.gate.bind import Bound, bind
from sysop.gate.context import CallContext, Contexts
from sysop.gate.perform import Question, ask
from sysop.host import Host
from sysop.model import ApprovalState, Call, Change, EffectState, Outcome, Risk, Run
from sysop.redact import redact_value
from sysop.store import approvals, changes, runs
from sysop.store.store import Store
from sysop.store.writer import Tx

GATE = "service:gate"
MAX_ASKED = 4000
Probe = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """Shared by one gate's stages. `execute` is the gate itself, for the reads an action makes of its own."""

    store: Store
    host: Host
    contexts: Contexts
    policy: str
    probe: Probe
    execute: Callable[[Run, Call], Awaitable[Outcome]]

    def note(self, tx: Tx, run: Run, call: Bound | Call, verdict: str, rule: str, reason: str) -> None:
        """Write why a call went no further, or what it met, into the run's chain, with all that policy looks at."""
        runs.hold(tx, run.id, run.fence)
        id, action, facts = self._about(run, call)
        facts |= {"verdict": verdict, "rule": rule, "reason": reason, "policy": self.policy}
        tx.audit(run.id, "call.judged", GATE, call=id, action=action, **facts)

    def _about(self, run: Run, call: Bound | Call) -> tuple[str, str, dict[str, Any]]:
        """Return a call's id, action and what else is known of it; one that cannot be bound has no target."""
        try:
            bound = call if isinstance(call, Bound) else bind(self.host, self.contexts.inventory, run.id, call)
        except InvalidCall:
            assert isinstance(call, Call)
            found = self.host.find(call.action)
            known = {"risk": found.risk} if found else {}
            return call.id, call.action, {**known, "args": _asked(call, self.known())}
        facts = {"risk": bound.action.risk, "target": bound.target, "environment": bound.environment}
        return bound.call.id, bound.action.name, {**facts, "args": bound.canonical}

    async def precondition(self, run: Run, bound: Bound) -> str:
        """Return the action's reading of the state it depends on, as canonical JSON; `null` where it declares none."""
        if bound.action.precondition is None:
            return "null"
        context = self.context(run, bound, "precondition")
        read = partial(bound.action.precondition, context, bound.args)
        return await self.question(run, bound, read, "precondition", self.clean_json)

    @property
    def checked(self) -> frozenset[str]:
        """Return the actions that have a post-check: they hold their target until it is over."""
        return frozenset(name for name, found in self.host.actions.items() if found.verify is not None)

    def known(self) -> Iterable[str]:
        """Return the credentials handed out so far."""
        return self.contexts.secrets.known()

    def clean_json(self, value: Any) -> str:
        """Return a plugin's answer as canonical text without secrets."""
        return canonical_json(redact_value(json.loads(json.dumps(value, allow_nan=False)), self.known()))

    async def question(self, run: Run, bound: Bound, question: Question, what: str, shape: Callable[[Any], T]) -> T:
        """Await a question to the plugin before anything ran. Raises ActionRefused with the reason."""
        try:
            return await ask(bound.action, question, what, shape, self.known)
        except ActionFailed as failed:
            reason = str(failed)
            await self.store.write(lambda tx: self.note(tx, run, bound, "refused", what, reason))
            raise ActionRefused(f"{bound.action.name} was not tried: {reason}") from failed

    async def _withdraw(self, run: Run, approval: str, reason: str) -> None:
        """Close an approval that was asked for by a call which cannot wait for it."""

        def unit(tx: Tx) -> None:
            runs.hold(tx, run.id, run.fence)
            life.close(tx, approvals.lock(tx, approval), ApprovalState.VOID, GATE, reason)

        await self.store.write(unit)

    def context(
        self, run: Run, bound: Bound, kind: str, call: str | None = None, *, write: bool = False
    ) -> CallContext:
        """Return a context whose own reads are evidence under this call, each with an id never used before."""
        prefix = f"{bound.call.id}.{kind}-{random.token_hex(3)}"
        count = 0

        async def reader(action: str, args: Mapping[str, Any]) -> Any:
            nonlocal count
            count += 1
            found = self.host.find(action)
            if found is None or found.risk is not Risk.READ:
                raise InvalidCall(f"{bound.action.name} may use read actions only, and {action} is none")
            try:
                outcome = await self.execute(run, Call(f"{prefix}.{count}", action, args))
            except ApprovalRequired as wait:  # a run can wait for people; an action under its timeout cannot
                reason = (
                    f"{bound.action.name} reads {action}, which policy wants approved by people; "
                    f"a read inside an action cannot wait for them, so let policy allow {action}"
                )
                await self._withdraw(run, wait.approval, reason)
                raise InvalidCall(reason) from wait
            if outcome.state is not EffectState.DONE:
                raise InvalidCall(f"{action}: {outcome.error}")
            return outcome.result

        key = f"{run.id}:{bound.call.id}"
        return self.contexts.for_call(
            bound.action, run.id, call or bound.call.id, key, "write" if write else "read", reader, self._changed
        )

    async def _changed(self, since: int, until: int, services: Sequence[str] | None) -> Sequence[Change]:
        return await self.store.read(partial(changes.between, since=since, until=until, services=services))


def _asked(call: Call, known: Iterable[str]) -> str:
    """Return the arguments of a call that cannot be bound, as they were asked for, cut where they are long."""
    return json.dumps(redact_value(dict(call.args), known), default=str)[:MAX_ASKED]


def canonical_json(value: Any) -> str:
    """Return any JSON-able value as canonical text. Raises InvalidCall or ValueError for NaN and the like."""
    return canonical(json.loads(json.dumps(value, allow_nan=False))).decode()
