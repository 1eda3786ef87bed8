"""The planner without a model: finds the runbook, follows its steps, decides by its conditions.

`plan` is called from the start after every park or crash and must come to the same calls. So it decides
by what the ledger holds, by the incident as the run saw it first, and by what it stored in the plan: the
runbook with its digest before the first call, and every refusal before it acts on it, as nothing else
keeps those. `now` in expressions is the time of the newest finished call, not of the clock. The clock
only says whether the next look is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sysop import expression
from sysop.actions import Action
from sysop.agent.collect import Collect, Failure, Memory, Reply, as_text, call_text, named
from sysop.agent.question import asks, in_words, only_told
from sysop.errors import RunbookError, WaitUntil
from sysop.expression import Expression, ExpressionError
from sysop.extension import Earlier, Toolbox
from sysop.inventory import Inventory
from sysop.knowledge.index import Index, Match
from sysop.knowledge.runbook import CONTINUE, ESCALATE, Ending, Runbook, Step, Text, Value
from sysop.knowledge.search import MIN_CONFIDENCE
from sysop.knowledge.shape import ANY, Shape, conform, of_action
from sysop.model import Claim, Conclusion, EffectState, Outcome, Risk, Run

MAX_ALERTS: Final = 100


class RunbookPlanner:
    """Follows the runbook that fits the incident or the question; without one, collects facts and hands over.

    A follow-up in a conversation is answered and not acted on where acting could mean to do again what an earlier run
    has done: in a run that may look only, about an incident some run has worked on, and where its words lead to a
    runbook that was followed here before. To have it done again, people start the triage again or name the action.
    So is what somebody wrote where a runbook that changes something would be begun by a question, by words that fit it
    loosely, or beside a run that works on an incident about the same services.
    """

    def __init__(self, index: Index, actions: Mapping[str, Action], inventory: Inventory) -> None:
        self._index = index
        self._shapes = {name: of_action(action) for name, action in actions.items()}
        self._inventory = inventory

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Work until there is a conclusion. Parked passes through untouched."""
        seen = incident_view(incident)
        plan = dict(run.plan)
        earlier = await toolbox.earlier() if run.conversation else ()
        if "digest" not in plan:
            try:
                plan = await self._choose(run, seen, earlier, toolbox)
            except RunbookError as unknown:
                return _hand_over(f"The runbook that was asked for cannot be followed: {unknown}")
            await toolbox.remember(plan)
        memory = Memory(toolbox, plan)
        if plan.get("reply"):
            return await self._reply(run, seen, memory, [one for one in earlier if not one.reply]).conclude()
        if plan["runbook"] is None:
            return await Collect(run, seen, self._about(run, seen), memory, plan["why"]).conclude()
        runbook = self._index.runbooks.get(plan["runbook"])
        if runbook is None or runbook.digest != plan["digest"]:
            return _changed(plan, runbook)
        await toolbox.say("runbook", f"Following {runbook.path} ({runbook.title}): {plan['why']}.")
        return await _Walk(run, seen, memory, runbook, self._shapes).follow()

    async def _choose(
        self, run: Run, seen: Mapping[str, Any], earlier: Sequence[Earlier], toolbox: Toolbox
    ) -> dict[str, Any]:
        """Return the plan: which runbook at which digest, and why; or that the run is a reply."""
        match = self._match(run, seen)
        if run.text and not run.request.get("runbook") and _only_asks(run, seen, match, earlier):
            return {"runbook": None, "digest": None, "why": "it is a follow-up", "reply": True}
        if in_words(run):
            about = self._about(run, seen)
            if why := only_told(run, match, await toolbox.standing(), about, toolbox.tools):
                note = {} if asks(run.text) else {"note": why}
                return {"runbook": None, "digest": None, "why": why, "reply": True, **note}
        if match is None:
            return {"runbook": None, "digest": None, "why": "no runbook fits"}
        if not match.runbook.steps:
            why = f"{match.runbook.path} fits, but it has no steps that could be followed"
            return {"runbook": None, "digest": None, "why": why}
        return {"runbook": match.runbook.path, "digest": match.runbook.digest, "why": match.why}

    def _match(self, run: Run, seen: Mapping[str, Any]) -> Match | None:
        if asked := run.request.get("runbook"):
            return Match(self._index.get(str(asked)), "it was asked for")
        services = seen["services"]
        environments = sorted({self._inventory.environment_of(s) for s in services})
        found = self._index.find([a["name"] for a in seen["alerts"]], services, environments)
        words = run.text or seen["title"]
        return found or (self._index.suggest(words) if words and not seen["alerts"] else None)

    def _about(self, run: Run, seen: Mapping[str, Any]) -> Sequence[str]:
        """Return the services a question is about: those it names, else those of the incident."""
        return named(run.text, self._inventory.services) or seen["services"]

    def _reply(self, run: Run, seen: Mapping[str, Any], memory: Memory, earlier: Sequence[Earlier]) -> Reply:
        page = next((hit for hit in self._index.search(run.text, 1) if hit.confidence >= MIN_CONFIDENCE), None)
        match = self._match(run, seen)
        fits = match.runbook.path if match else None
        why = str(memory.plan.get("note") or "")
        return Reply(self._about(run, seen), memory, earlier, page, fits, seen["id"], why)


def _only_asks(run: Run, seen: Mapping[str, Any], match: Match | None, earlier: Sequence[Earlier]) -> bool:
    if run.read_only:
        return True
    followed = {one.runbook for one in earlier}
    return bool(earlier and seen["id"]) or (match is not None and match.runbook.path in followed)


def incident_view(incident: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the incident as expressions see it, every field there, at most `MAX_ALERTS` alerts."""
    given = incident or {}
    alerts = [_alert_view(a) for a in list(given.get("alerts") or ())[:MAX_ALERTS]]
    services = [str(s) for s in given.get("services") or dict.fromkeys(a["service"] for a in alerts if a["service"])]
    return {
        "id": str(given.get("id") or ""),
        "title": str(given.get("title") or ""),
        "severity": str(given.get("severity") or ""),
        "service": services[0] if services else "",
        "services": services,
        "alerts": alerts,
        "opened_at": int(given.get("opened_at") or 0),
    }


def _alert_view(alert: Mapping[str, Any]) -> dict[str, Any]:
    labels = {str(k): str(v) for k, v in (alert.get("labels") or {}).items()}
    return {
        "name": str(alert.get("name") or labels.get("alertname", "")),
        "service": str(alert.get("service") or labels.get("service", "")),
        "labels": labels,
        "annotations": {str(k): str(v) for k, v in (alert.get("annotations") or {}).items()},
        "firing": bool(alert.get("firing", alert.get("ends_at") is None)),
    }


def _changed(plan: Mapping[str, Any], runbook: Runbook | None) -> Conclusion:
    what = "is gone" if runbook is None else f"has changed (now {runbook.digest[:12]})"
    return _hand_over(
        f"{plan['runbook']} {what} since this run began to follow it at {str(plan['digest'])[:12]}. "
        "What was done so far is in the ledger; nothing more was done.",
        basis="the digest in the run's plan",
    )


def _hand_over(text: str, basis: str = "nothing was measured") -> Conclusion:
    return Conclusion(summary=text, resolved=False, basis=basis, escalate=text)


class _Stop(Exception):
    """The runbook cannot go on at a step; a person must."""

    def __init__(self, step: Step | None, reason: str) -> None:
        super().__init__(reason)
        self.step = step
        self.reason = reason


@dataclass(slots=True)
class _Walk:
    """One pass over a runbook from its first step. `steps` is what expressions see of the finished ones."""

    run: Run
    incident: Mapping[str, Any]
    memory: Memory
    runbook: Runbook
    shapes: Mapping[str, Shape]
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: int = 0
    found: list[Claim] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    proposed: list[str] = field(default_factory=list)

    async def follow(self) -> Conclusion:
        self.clock = self.run.created_at
        try:
            await self._walk()
            return await self._end()
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
        if step.when is not None and not await self._holds(step, step.when):
            self._skip(step, "its condition in the runbook does not hold")
            return None
        args = {name: await self._value(step, value) for name, value in step.args.items()}
        await self.memory.toolbox.say(f"{step.id}.start", f"{step.id}: {step.note or call_text(step.action, args)}")
        failure = await (self._once(step, args) if step.until is None else self._poll(step, args))
        await self._tell(step)
        if failure is None:
            return None
        self.steps[step.id] |= {"ok": False, "state": failure.state, "error": failure.reason}
        await self.memory.toolbox.say(f"{step.id}.failed", f"{step.id}: {failure.reason}")
        if step.otherwise == ESCALATE:
            if failure.state == "refused":
                self.proposed.append(call_text(step.action, args))
            raise _Stop(step, failure.reason)
        return None if step.otherwise == CONTINUE else step.otherwise

    async def _once(self, step: Step, args: Mapping[str, Any]) -> Failure | None:
        outcome = await self._call(step.id, step, args)
        return outcome if isinstance(outcome, Failure) else _failed(outcome)

    async def _poll(self, step: Step, args: Mapping[str, Any]) -> Failure | None:
        """Look until the condition holds: each look is a call of its own, the limit counts from the first one's row."""
        assert step.until is not None
        self._only_reads(step)
        first: int | None = None
        number = 0
        while True:
            number += 1
            outcome = await self._call(f"{step.id}#{number}", step, args)
            if isinstance(outcome, Failure):
                return outcome
            failure = _failed(outcome)  # a look that failed shows nothing; the next one may
            if failure is None and await self._holds(step, step.until):
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

    async def _tell(self, step: Step) -> None:
        """Turn what a step found into a claim. Nothing is decided by it, so its failure costs only the sentence."""
        record = self.steps[step.id]
        if not record["evidence"]:
            return
        try:
            text = await self._text(step.found) if step.found and record["result"] is not None else ""
        except ExpressionError as bad:
            text = f"{step.id}: what it found could not be told: {bad}"
        self.found.append(Claim(text or _in_short(step, record), (record["evidence"],)))

    def _skip(self, step: Step, why: str) -> None:
        self.steps[step.id] = _record(state="skipped", skipped=True)
        self.not_checked.append(f"{step.id}: {step.note or step.action} (skipped: {why})")

    async def _holds(self, step: Step | None, condition: Expression) -> bool:
        try:
            value = await expression.evaluate(condition, self._variables())
        except ExpressionError as bad:
            raise _Stop(step, str(bad)) from None
        if not isinstance(value, bool):
            raise _Stop(step, f"`{expression.short(condition.source)}` gave {value!r}, not true or false")
        return value

    async def _value(self, step: Step, value: Value) -> Any:
        if isinstance(value, Expression):
            try:
                return await expression.evaluate(value, self._variables())
            except ExpressionError as bad:
                raise _Stop(step, str(bad)) from None
        if isinstance(value, tuple):
            return [await self._value(step, v) for v in value]
        if isinstance(value, Mapping):
            return {k: await self._value(step, v) for k, v in value.items()}
        return value

    async def _text(self, text: Text) -> str:
        """Return a text; raises ExpressionError."""
        if isinstance(text, str):
            return " ".join(text.split())
        value = await expression.evaluate(text, self._variables())
        return value if isinstance(value, str) else expression.show(value)

    def _variables(self) -> dict[str, Any]:
        alerts = self.incident["alerts"]
        return {
            "incident": self.incident,
            "alert": alerts[0] if alerts else _alert_view({"firing": False}),
            "params": {**(self.run.request.get("args") or {}), "text": self.run.text},
            "now": self.clock,
            "steps": self.steps,
        }

    async def _end(self) -> Conclusion:
        for ending in self.runbook.endings:
            if ending.when is None or await self._holds(None, ending.when):
                try:
                    return await self._conclude(ending)
                except ExpressionError as bad:
                    raise _Stop(None, str(bad)) from None
        raise _Stop(None, "none of its endings fits what was found")

    async def _conclude(self, ending: Ending) -> Conclusion:
        resolved = ending.resolved if isinstance(ending.resolved, bool) else await self._holds(None, ending.resolved)
        escalate = await self._text(ending.escalate) or "The runbook ended without resolving this; a person must go on."
        confidence = await self._text(ending.confidence)
        basis = f"followed {self.runbook.path} at {self.runbook.digest[:12]}, every value is in the ledger"
        return Conclusion(
            summary=await self._text(ending.summary),
            resolved=resolved,
            cause=await self._text(ending.cause),
            confidence=confidence if confidence in ("low", "medium", "high") else "low",
            basis="; ".join(filter(None, (await self._text(ending.basis), basis))),
            claims=[*self.found, *[c for spec in ending.claims if (c := await self._claim(spec.text, spec.evidence))]],
            proposed=[await self._text(p) for p in ending.proposed],
            not_checked=self.not_checked,
            escalate=None if resolved else escalate,
        )

    async def _claim(self, text: Text, steps: Sequence[str]) -> Claim | None:
        """Return a claim, None where none of its evidence exists: what was not looked at is not claimed."""
        evidence = tuple(e for id in steps if (e := self.steps.get(id, {}).get("evidence")))
        return Claim(await self._text(text), evidence) if evidence else None

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
            basis=f"followed {self.runbook.path} at {self.runbook.digest[:12]} up to the stop",
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
