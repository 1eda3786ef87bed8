"""The rules one page is held against. What is not surely wrong is not told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pydantic import ValidationError

from sysop import expression
from sysop.actions import Action
from sysop.expression import Expression, syntax
from sysop.inventory import Inventory, nearest
from sysop.knowledge import shape
from sysop.knowledge.lint.blind import resolved_blindly
from sysop.knowledge.lint.finding import Finding, Level
from sysop.knowledge.lint.hidden import hidden
from sysop.knowledge.lint.names import BASE_NAMES, step_shape
from sysop.knowledge.lint.values import (
    always_false,
    argument_shapes,
    article,
    close,
    expressions,
    has_expression,
    hint,
    literals,
    open_fields,
    plain,
    result_shape,
)
from sysop.knowledge.runbook import CONTINUE, Ending, Runbook, Step, Text
from sysop.knowledge.shape import ANY, BOOL, STRING, Shape
from sysop.model import Risk


@dataclass(slots=True)
class Linter:
    """The findings of one page, gathered part by part: the page, each step in its order, the endings."""

    runbook: Runbook
    actions: Mapping[str, Action]
    inventory: Inventory
    today: date
    max_age: int
    findings: list[Finding] = field(default_factory=list)
    _seen: dict[str, Shape] = field(default_factory=dict)

    def page(self) -> None:
        """Check the front matter and what cannot be seen of the prose."""
        runbook, lines = self.runbook, self.runbook.lines
        if not runbook.owner:
            level: Level = "error" if lines else "warning"  # plain prose is fine without front matter
            self._tell(1, "", level, "nobody owns this runbook", "add `owner: team` to the front matter")
        if runbook.reviewed is None:
            self._tell(1, "", "warning", "it was never reviewed", "add `reviewed: YYYY-MM-DD` after reading it")
        elif (age := (self.today - runbook.reviewed).days) > self.max_age:
            fix = "read it again and set `reviewed:` to today"
            self._tell(lines["reviewed"], "", "warning", f"the last review is {age} days old", fix)
        elif age < -1:
            self._tell(lines["reviewed"], "", "error", "it is reviewed in the future", "correct `reviewed:`")
        for key, domain in (("services", "service"), ("environments", "environment")):
            for name in getattr(runbook, key):
                self._member(name, domain, lines[key], "", "warning")
        if runbook.alerts and not runbook.steps and not any(s.title and s.text for s in runbook.sections):
            fix = "write below a heading what to look at and what helps"
            self._tell(lines["alerts"], "", "warning", "it names alerts but says nothing about them", fix)
        self.findings += hidden(runbook)

    def step(self, number: int, step: Step) -> None:
        """Check a step; those before it must have been checked."""
        action = self.actions.get(step.action)
        if action is None:
            fix = f"use an action of a loaded plugin{nearest(step.action, self.actions)}"
            self._tell(step.lines["action"], step.id, "error", f"there is no action {step.action!r}", fix)
        else:
            self._arguments(step, action)
            self._risks(number, step, action)
        self._step_expressions(number, step, action)
        self._reachable(number, step)

    def endings(self) -> None:
        """Check how the page ends; all steps must have been checked."""
        known = {s.id: self._seen.get(s.id, step_shape(ANY)) for s in self.runbook.steps}
        if self.runbook.steps and not self.runbook.endings:
            line = self.runbook.steps[-1].line
            self._tell(line, "", "error", "it does not say how it ends", "add a conclude block after the last step")
        for number, ending in enumerate(self.runbook.endings):
            self._ending(ending, known)
            if ending.when is None and number + 1 < len(self.runbook.endings):
                fix = "give it a `when: ${…}`, or move it to the end"
                self._tell(ending.line, "", "error", "the endings after this one are never reached", fix)
        if (wrong := resolved_blindly(self.runbook)) is not None:
            line = wrong.resolved.line if isinstance(wrong.resolved, Expression) else wrong.line
            fix = "let its `when` ask for a step that is `.ok` and for what that step found"
            self._tell(line, "", "error", "it ends as resolved also where every call failed", fix)

    def _ending(self, ending: Ending, known: Mapping[str, Shape]) -> None:
        conditions = (ending.when, ending.resolved)
        for condition in conditions:
            if isinstance(condition, Expression):
                self._expression(condition, known, "", BOOL)
        texts = (ending.summary, ending.cause, ending.confidence, ending.basis, ending.escalate, *ending.proposed)
        for text in (*texts, *(c.text for c in ending.claims)):
            self._text(text, known, "")
        for claim in ending.claims:
            for id in claim.evidence:
                if id not in known:
                    fix = f"name a step of this page{nearest(id, known)}"
                    self._tell(claim.line, "", "error", f"the evidence {id!r} is no step", fix)

    def _arguments(self, step: Step, action: Action) -> None:
        fields = action.parameters.model_fields
        first = step.lines.get("with", step.line)
        dynamic = {name for name, value in step.args.items() if has_expression(value)}
        try:
            action.parameters.model_validate({name: plain(value) for name, value in step.args.items()})
        except ValidationError as bad:
            for error in bad.errors(include_url=False):
                name = str(error["loc"][0]) if error["loc"] else ""
                line = step.lines.get(f"with.{name}", first)
                if error["type"] == "extra_forbidden":
                    fix = f"remove it{nearest(name, fields)}"
                    self._tell(line, step.id, "error", f"{action.name} has no argument {name!r}", fix)
                elif error["type"] == "missing" and name not in step.args:
                    fix = f"add `{name}: …` below `with:`"
                    self._tell(line, step.id, "error", f"{action.name} needs the argument {name!r}", fix)
                elif name and name not in dynamic:
                    fix = f"correct `{name}`: {hint(action, name)}"
                    self._tell(line, step.id, "error", f"argument {name!r}: {error['msg']}", fix)
        for name, domain in action.domains.items():
            for value in literals(step.args.get(name)):
                self._member(value, domain, step.lines[f"with.{name}"], step.id, "error")

    def _member(self, name: str, domain: str, line: int, step: str, level: Level) -> None:
        members = self.inventory.domain(domain)
        if members and name not in members and not (name == "*" and not step):
            fix = f"use a {domain} of the inventory{nearest(name, members)}"
            self._tell(line, step, level, f"{name!r} is no {domain} in the inventory", fix)

    def _risks(self, number: int, step: Step, action: Action) -> None:
        if action.risk is Risk.READ:
            return
        if step.until is not None:
            fix = "put the condition on a read step after it"
            self._tell(
                step.lines["until"], step.id, "error", f"until would repeat {action.name}, which changes things", fix
            )
        later = self.runbook.steps[number + 1 :]
        if not any(s.until is not None and self._is_read(s) for s in later):
            level: Level = "warning" if action.verify else "error"
            fix = "add a later read step with `until` and `within`"
            self._tell(step.line, step.id, level, f"nothing checks afterwards that {action.name} helped", fix)

    def _is_read(self, step: Step) -> bool:
        action = self.actions.get(step.action)
        return action is None or action.risk is Risk.READ

    def _step_expressions(self, number: int, step: Step, action: Action | None) -> None:
        before = dict(self._seen)
        if step.when is not None:
            self._expression(step.when, before, step.id, BOOL)
        for found in expressions(step.args):
            self._expression(found, before, step.id, ANY)
        self._seen[step.id] = step_shape(result_shape(action), argument_shapes(step, action))
        if step.until is not None:
            self._expression(step.until, self._seen, step.id, BOOL)
        if step.found is not None:
            self._text(step.found, self._seen, step.id)

    def _text(self, text: Text, known: Mapping[str, Shape], step: str) -> None:
        if isinstance(text, Expression):
            self._expression(text, known, step, STRING)

    def _expression(self, found: Expression, known: Mapping[str, Shape], step: str, wanted: Shape) -> None:
        tell: Callable[[str, str], None] = lambda message, fix: self._tell(  # noqa: E731  partial cannot fix the place
            found.line, step, "error", f"{message} in `{expression.short(found.source)}`", fix
        )
        names = {**BASE_NAMES, "steps": Shape("any")}
        for path in sorted(found.uses):
            self._variable(path, known, names, step, tell)
        for node in syntax.descend(found.tree):
            if isinstance(node, syntax.Apply) and (fix := expression.unknown_function(node.name)) is not None:
                tell(f"there is no function {node.name!r}", fix or "see docs/runbooks.md for all of them")
        value = shape.infer(
            found.tree, {**BASE_NAMES, "steps": Shape("object", open_fields(known, self.runbook))}, tell
        )
        if wanted.kind != "any" and value.kind not in ("any", wanted.kind):
            asked = "true or false" if wanted is BOOL else "text"
            tell(
                f"it gives {article(value)}, not {asked}",
                "compare it with something" if wanted is BOOL else "use show()",
            )

    def _variable(
        self,
        path: tuple[str, ...],
        known: Mapping[str, Shape],
        names: Mapping[str, Shape],
        step: str,
        tell: Callable[[str, str], None],
    ) -> None:
        if path[0] not in names:
            tell(f"there is no variable {path[0]!r}", f"use {', '.join(sorted(names))}{close(path[0], names)}")
        elif path[0] == "steps" and len(path) > 1 and path[1] not in known:
            ids = [s.id for s in self.runbook.steps]
            if path[1] in ids:
                tell(f"steps.{path[1]} is not finished yet", "use an earlier step, or move this one down")
            else:
                tell(f"there is no step {path[1]!r}", f"use the id of an earlier step{close(path[1], ids)}")

    def _reachable(self, number: int, step: Step) -> None:
        if always_false(step.when):
            self._tell(
                step.lines["when"], step.id, "error", "it is never reached: when is always false", "remove the step"
            )
        if not always_false(step.until) or step.otherwise == CONTINUE:
            return
        for later in self.runbook.steps[number + 1 :]:
            if later.id == step.otherwise:
                return
            fix = f"correct `until` of {step.id}, which never holds, or remove the step"
            self._tell(later.line, later.id, "error", "it is never reached", fix)

    def _tell(self, line: int, step: str, level: Level, message: str, fix: str) -> None:
        finding = Finding(self.runbook.path, line, step, level, message, fix)
        if finding not in self.findings:
            self.findings.append(finding)
