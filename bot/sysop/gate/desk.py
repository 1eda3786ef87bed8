"""What the stages of the gate share: the store, contexts for actions, and notes in the audit log."""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sysop.canonical import canonical
from sysop.errors import ActionFailed, ActionRefused, InvalidCall
from sysop.gate.bind import Bound
from sysop.gate.context import CallContext, Contexts
from sysop.gate.perform import Question, ask
from sysop.host import Host
from sysop.model import Call, EffectState, Outcome, Risk, Run
from sysop.redact import redact_value
from sysop.store import runs
from sysop.store.store import Store
from sysop.store.writer import Tx

GATE = "service:gate"
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

    def note(self, tx: Tx, run: Run, call: Call, verdict: str, rule: str, reason: str) -> None:
        """Write why a call went no further, or what it met, into the run's chain."""
        runs.hold(tx, run.id, run.fence)
        facts = {"verdict": verdict, "rule": rule, "reason": reason, "policy": self.policy}
        tx.audit(run.id, "call.judged", GATE, call=call.id, action=call.action, **facts)

    async def precondition(self, run: Run, bound: Bound) -> str:
        """Return the action's reading of the state it depends on, as canonical JSON; `null` where it declares none."""
        if bound.action.precondition is None:
            return "null"
        context = self.context(run, bound, "precondition")
        read = partial(bound.action.precondition, context, bound.args)
        return await self.question(run, bound, read, "precondition", self.clean_json)

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
            await self.store.write(lambda tx: self.note(tx, run, bound.call, "refused", what, reason))
            raise ActionRefused(f"{bound.action.name} was not tried: {reason}") from failed

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
            outcome = await self.execute(run, Call(f"{prefix}.{count}", action, args))
            if outcome.state is not EffectState.DONE:
                raise InvalidCall(f"{action}: {outcome.error}")
            return outcome.result

        key = f"{run.id}:{bound.call.id}"
        return self.contexts.for_call(
            bound.action, run.id, call or bound.call.id, key, "write" if write else "read", reader
        )


def canonical_json(value: Any) -> str:
    """Return any JSON-able value as canonical text. Raises InvalidCall or ValueError for NaN and the like."""
    return canonical(json.loads(json.dumps(value, allow_nan=False))).decode()
