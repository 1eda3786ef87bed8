"""One pass over a runbook's steps: its calls are made, its conditions decide, its endings conclude.

All it decides by is the run, the incident as the run saw it first and what its calls answered, so that the same pass
again comes to the same calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sysop import expression
from sysop.agent.collect import Failure, Memory, as_text, call_text
from sysop.agent.view import alert_view
from sysop.errors import WaitUntil
from sysop.expression import Expression, ExpressionError
from sysop.knowledge.runbook import CONTINUE, ESCALATE, Ending, Runbook, Step, Text, Value
from sysop.knowledge.shape import ANY, Shape, conform
from sysop.model import Claim, Conclusion, EffectState, Outcome, Risk, Run


class _Stop(Exception):
    """The runbook cannot go on at a step; a person must."""

    def __init__(self, step: Step | None, reason: str) -> None:
        super().__init__(reason)
        self.step = step
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Lead:
    """The page a run goes on with, and why."""

    runbook: Runbook
    why: str


@dataclass(slots=True)
class Walk:
    """One pass over a runbook from its first step. `steps` is what expressions see of the finished ones.

    `prefix` stands before the ids of its calls, so that two pages may use the same ids. `review` says in words whether
    anybody has reviewed the page.
    """

    run: Run
    incident: Mapping[str, Any]
    memory: Memory
    runbook: Runbook
    shapes: Mapping[str, Shape]
    prefix: str = ""
    review: str = ""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: int = 0
    found: list[Claim] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    proposed: list[str] = field(default_factory=list)
    came_from: list[str] = field(default_factory=list)

    def onward(self, runbook: Runbook, why: str, prefix: str, review: str = "") -> Walk:
        """Return the walk over a further page, with what was found up to here."""
        self.came_from.append(f"came from {self.runbook.path}: {why}")
        shared: dict[str, Any] = {"found": self.found, "not_checked": self.not_checked, "proposed": self.proposed}
        shared["came_from"] = self.came_from
        shared |= {"prefix": prefix, "review": review, "clock": self.clock}
        return Walk(self.run, self.incident, self.memory, runbook, self.shapes, **shared)

    async def follow(self, lead: Callable[[str], Runbook | None]) -> Conclusion | Lead:
        """Take the steps and return how it ends, or the page that the ending leads to, as far as `lead` knows it."""
        self.clock = max(self.clock, self.run.created_at)
        try:
            await self._walk()
            return self._end(lead)
        except _Stop as stop:
            return self._stopped(stop)

    async def _walk(self) -> None:
        jump: str | None = None
        for step in self.runbook.steps:
            if jump not in (None, step.id):
                self._skip(step, f"passed over on the way to {jump}")
                continue
            jump = await self._step(step)

    async def _step(self, step: Step) -> str | None:
        """Do one step and return the id of the step to jump to, None for the next one."""
        if step.when is not None and not self._holds(step, step.when):
            self._skip(step, "its condition in the runbook does not hold")
            return None
        args = {name: self._value(step, value) for name, value in step.args.items()}
        await self.memory.toolbox.say(
            f"{self.prefix}{step.id}.start", f"{step.id}: {step.note or call_text(step.action, args)}"
        )
        failure = await (self._once(step, args) if step.until is None else self._poll(step, args))
        self._tell(step)
        if failure is None:
            return None
        self.steps[step.id] |= {"ok": False, "state": failure.state, "error": failure.reason}
        await self.memory.toolbox.say(f"{self.prefix}{step.id}.failed", f"{step.id}: {failure.reason}")
        if step.otherwise == ESCALATE:
            if failure.state == "refused":
                self.proposed.append(call_text(step.action, args))
            raise _Stop(step, failure.reason)
        return None if step.otherwise == CONTINUE else step.otherwise

    async def _once(self, step: Step, args: Mapping[str, Any]) -> Failure | None:
        outcome = await self._call(f"{self.prefix}{step.id}", step, args)
        return outcome if isinstance(outcome, Failure) else _failed(outcome)

    async def _poll(self, step: Step, args: Mapping[str, Any]) -> Failure | None:
        """Look until the condition holds: each look is a call of its own, the limit counts from the first one's row."""
        assert step.until is not None
        self._only_reads(step)
        first: int | None = None
        number = 0
        while True:
            number += 1
            outcome = await self._call(f"{self.prefix}{step.id}#{number}", step, args)
            if isinstance(outcome, Failure):
                return outcome
            failure = _failed(outcome)  # a look that failed shows nothing; the next one may
            if failure is None and self._holds(step, step.until):
                return None
            first = outcome.at if first is None else first
            if outcome.at - first >= step.within:
                return failure or self._unmet(step)
            await self._wait(step, outcome.at + step.every)

    async def _wait(self, step: Step, due: int) -> None:
        if await self.memory.toolbox.now() < due:
            raise WaitUntil(
                f"step {step.id} looks again every {step.every // 1000} s until its condition holds",
                waiting_for=f"until:{step.id}",
                wake_at=due,
            )

    def _only_reads(self, step: Step) -> None:
        tool = self.memory.toolbox.tools.get(step.action)
        if tool is not None and tool.risk is not Risk.READ:
            raise _Stop(step, f"`until` would repeat {step.action}, which changes things; only a read may be repeated")

    def _unmet(self, step: Step) -> Failure:
        assert step.until is not None
        limit = f"within {step.within // 1000} s" if step.within else "when checked"
        shown = expression.values(step.until, self._variables())
        return Failure("unmet", f"`{expression.short(step.until.source)}` did not hold {limit} ({shown})")

    async def _call(self, id: str, step: Step, args: Mapping[str, Any]) -> Outcome | Failure:
        """Make a call and record it under the step."""
        outcome = await self.memory.call(id, step.action, args, step.note)
        if isinstance(outcome, Failure):
            self.steps[step.id] = _record(state=outcome.state, error=outcome.reason, args=args)
            return outcome
        self.clock = max(self.clock, outcome.at)
        self.steps[step.id] = _record(
            ok=outcome.ok,
            state=str(outcome.state),
            error=outcome.error or "",
            verified=outcome.verified,
            result=conform(outcome.result, self.shapes.get(step.action, ANY)),
            evidence=outcome.evidence,
            at=outcome.at,
            args=args,
        )
        return outcome

    def _tell(self, step: Step) -> None:
        """Turn what a step found into a claim. Nothing is decided by it, so its failure costs only the sentence."""
        record = self.steps[step.id]
        if not record["evidence"]:
            return
        try:
            text = self._text(step.found) if step.found and record["result"] is not None else ""
        except ExpressionError as bad:
            text = f"{step.id}: what it found could not be told: {bad}"
        self.found.append(Claim(text or _in_short(step, record), (record["evidence"],)))

    def _skip(self, step: Step, why: str) -> None:
        self.steps[step.id] = _record(state="skipped", skipped=True)
        self.not_checked.append(f"{step.id}: {step.note or step.action} (skipped: {why})")

    def _holds(self, step: Step | None, condition: Expression) -> bool:
        try:
            value = expression.evaluate(condition, self._variables())
        except ExpressionError as bad:
            raise _Stop(step, str(bad)) from None
        if not isinstance(value, bool):
            raise _Stop(step, f"`{expression.short(condition.source)}` gave {value!r}, not true or false")
        return value

    def _value(self, step: Step, value: Value) -> Any:
        if isinstance(value, Expression):
            try:
                return expression.evaluate(value, self._variables())
            except ExpressionError as bad:
                raise _Stop(step, str(bad)) from None
        if isinstance(value, tuple):
            return [self._value(step, v) for v in value]
        if isinstance(value, Mapping):
            return {k: self._value(step, v) for k, v in value.items()}
        return value

    def _text(self, text: Text) -> str:
        """Return a text; raises ExpressionError."""
        if isinstance(text, str):
            return " ".join(text.split())
        value = expression.evaluate(text, self._variables())
        return value if isinstance(value, str) else expression.show(value)

    def _variables(self) -> dict[str, Any]:
        alerts = self.incident["alerts"]
        return {
            "incident": self.incident,
            "alert": alerts[0] if alerts else alert_view({"firing": False}),
            "params": {**(self.run.request.get("args") or {}), "text": self.run.text},
            "now": self.clock,
            "steps": self.steps,
        }

    def _end(self, lead: Callable[[str], Runbook | None]) -> Conclusion | Lead:
        for ending in self.runbook.endings:
            if ending.when is None or self._holds(None, ending.when):
                try:
                    if ending.follow and (page := lead(ending.follow)) is not None:
                        return Lead(page, self._text(ending.summary))
                    return self._conclude(ending)
                except ExpressionError as bad:
                    raise _Stop(None, str(bad)) from None
        raise _Stop(None, "none of its endings fits what was found")

    def _conclude(self, ending: Ending) -> Conclusion:
        resolved = ending.resolved if isinstance(ending.resolved, bool) else self._holds(None, ending.resolved)
        escalate = self._text(ending.escalate) or "The runbook ended without resolving this; a person must go on."
        confidence = self._text(ending.confidence)
        basis = f"{self._followed()}, every value is in the ledger"
        return Conclusion(
            summary=self._text(ending.summary),
            resolved=resolved,
            cause=self._text(ending.cause),
            confidence=confidence if confidence in ("low", "medium", "high") else "low",
            basis="; ".join(filter(None, (self._text(ending.basis), *self.came_from, basis))),
            claims=[*self.found, *[c for spec in ending.claims if (c := self._claim(spec.text, spec.evidence))]],
            proposed=[self._text(p) for p in ending.proposed],
            not_checked=self.not_checked,
            escalate=None if resolved else escalate,
        )

    def _followed(self) -> str:
        """Return which page was followed, at which revision, and whether anybody has reviewed it."""
        return f"followed {self.runbook.path} at {self.runbook.digest[:12]}{self.review and f' ({self.review})'}"

    def _claim(self, text: Text, steps: Sequence[str]) -> Claim | None:
        """Return a claim, None where none of its evidence exists: what was not looked at is not claimed."""
        evidence = tuple(e for id in steps if (e := self.steps.get(id, {}).get("evidence")))
        return Claim(self._text(text), evidence) if evidence else None

    def _stopped(self, stop: _Stop) -> Conclusion:
        where = f"at step {stop.step.id}" if stop.step else "at its end"
        section = stop.step.section if stop.step else ""
        text = f"{self.runbook.title}: the runbook stopped {where}: {stop.reason}. See {self.runbook.cite(section)}."
        reached = {*self.steps, stop.step.id if stop.step else ""}
        missed = [f"{s.id}: {s.note or s.action} (not reached)" for s in self.runbook.steps if s.id not in reached]
        return Conclusion(
            summary=text,
            resolved=False,
            confidence="low",
            basis="; ".join((*self.came_from, f"{self._followed()} up to the stop")),
            claims=self.found,
            proposed=self.proposed,
            not_checked=[*self.not_checked, *missed],
            escalate=text,
        )


def _failed(outcome: Outcome) -> Failure | None:
    if outcome.state is not EffectState.DONE:
        return Failure(str(outcome.state), f"{outcome.action} failed: {outcome.error or outcome.state}")
    if outcome.verified is False:
        return Failure("done", f"{outcome.action} was done but did not help: {outcome.verification or 'no detail'}")
    return None


def _record(**known: Any) -> dict[str, Any]:
    empty = {"ok": False, "skipped": False, "state": "", "error": "", "verified": None, "result": None}
    return {**empty, "evidence": "", "at": 0, "args": {}, **known}


def _in_short(step: Step, record: Mapping[str, Any]) -> str:
    answer = record["error"] or as_text(record["result"])
    return f"{call_text(step.action, record['args'])} is {record['state']}: {answer}"
