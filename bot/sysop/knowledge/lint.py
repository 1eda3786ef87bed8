"""Find what is wrong with a runbook before an incident does.

Each finding names the place and the fix. What is not surely wrong is not told: a value whose model is
unknown is never checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

from pydantic import ValidationError

from sysop import expression
from sysop.actions import Action
from sysop.errors import RunbookError
from sysop.expression import Expression, ExpressionError, syntax
from sysop.inventory import Inventory, nearest
from sysop.knowledge import shape
from sysop.knowledge.index import Index
from sysop.knowledge.runbook import CONTINUE, Ending, Runbook, Step, Text, Value, parse
from sysop.knowledge.shape import ANY, BOOL, INT, STRING, Shape, list_of, object_of
from sysop.model import Risk

MAX_AGE_DAYS: Final = 180

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. `step` is empty where it concerns the page or an ending."""

    file: str
    line: int
    step: str
    level: Level
    message: str
    fix: str

    def __str__(self) -> str:
        step = f"step {self.step}: " if self.step else ""
        return f"{self.file}:{self.line}: {self.level}: {step}{self.message}; {self.fix}"


_ALERT: Final = object_of(
    name=STRING,
    service=STRING,
    labels=Shape("map", item=STRING),
    annotations=Shape("map", item=STRING),
    firing=BOOL,
)
BASE_NAMES: Final[Mapping[str, Shape]] = {
    "incident": object_of(
        id=STRING,
        title=STRING,
        severity=STRING,
        service=STRING,
        services=list_of(STRING),
        alerts=list_of(_ALERT),
        opened_at=INT,
    ),
    "alert": _ALERT,
    "params": Shape("map", item=ANY),
    "now": INT,
}
"""What every expression sees besides `steps`."""


def step_shape(result: Shape, args: Shape = ANY) -> Shape:
    """Return the shape of `steps.x` for a result of some shape."""
    return object_of(
        ok=BOOL,
        skipped=BOOL,
        state=STRING,
        error=STRING,
        verified=Shape("bool", nullable=True),
        result=result,
        evidence=STRING,
        at=INT,
        args=args,
    )


def lint_text(
    content: bytes | str, path: str, actions: Mapping[str, Action], inventory: Inventory, *, today: date | None = None
) -> list[Finding]:
    """Return the findings of a page. One that cannot be parsed has a single one."""
    try:
        return lint(parse(content, path), actions, inventory, today=today)
    except RunbookError as bad:
        return [_of_error(str(bad), path)]


def lint(
    runbook: Runbook, actions: Mapping[str, Action], inventory: Inventory, *, today: date | None = None
) -> list[Finding]:
    """Return what is wrong with a runbook that parses, in the order of its lines."""
    linter = _Linter(runbook, actions, inventory, today or date.today())
    linter.page()
    for number, step in enumerate(runbook.steps):
        linter.step(number, step)
    linter.endings()
    return sorted(linter.findings, key=lambda f: (f.line, f.message))


def errors(findings: Sequence[Finding]) -> list[str]:
    """Return the findings that keep a runbook from being used, as text: a check for `index.load`."""
    return [str(f) for f in findings if f.level == "error"]


def leads(index: Index) -> list[Finding]:
    """Return where endings lead to a page that is not there or has no steps, over all pages at once."""
    return [
        Finding(page.path, ending.line, "", "error", f"follow: {problem}", "name another page without .md")
        for page in index.runbooks.values()
        for ending in page.endings
        if ending.follow and (problem := _no_lead(index, ending.follow))
    ]


def _no_lead(index: Index, name: str) -> str:
    try:
        target = index.get(name)
    except RunbookError as unknown:
        return str(unknown)
    return "" if target.steps else f"{target.path} has no steps"


def _of_error(message: str, path: str) -> Finding:
    found = re.match(re.escape(path) + r":(?:(\d+):)?(?:\d+:)? ?(?:step (\w+): )?", message)
    rest, _, fix = (message[found.end() :] if found else message).rpartition("; ")
    line, step = (found[1], found[2]) if found else (None, None)
    return Finding(path, int(line or 1), step or "", "error", rest or fix, fix)


@dataclass(slots=True)
class _Linter:
    runbook: Runbook
    actions: Mapping[str, Action]
    inventory: Inventory
    today: date
    findings: list[Finding] = field(default_factory=list)
    _seen: dict[str, Shape] = field(default_factory=dict)

    def page(self) -> None:
        runbook, lines = self.runbook, self.runbook.lines
        if not runbook.owner:
            self._tell(1, "", "error", "nobody owns this runbook", "add `owner: team` to the front matter")
        if runbook.reviewed is None:
            self._tell(1, "", "warning", "it was never reviewed", "add `reviewed: YYYY-MM-DD` after reading it")
        elif (age := (self.today - runbook.reviewed).days) > MAX_AGE_DAYS:
            fix = "read it again and set `reviewed:` to today"
            self._tell(lines["reviewed"], "", "warning", f"the last review is {age} days old", fix)
        elif age < -1:
            self._tell(lines["reviewed"], "", "error", "it is reviewed in the future", "correct `reviewed:`")
        for key, domain in (("services", "service"), ("environments", "environment")):
            for name in getattr(runbook, key):
                self._member(name, domain, lines[key], "", "warning")
        if runbook.alerts and not runbook.steps:
            self._tell(lines["alerts"], "", "warning", "it names alerts but has no step to follow", "add a step block")

    def step(self, number: int, step: Step) -> None:
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
        known = {s.id: self._seen.get(s.id, step_shape(ANY)) for s in self.runbook.steps}
        if self.runbook.steps and not self.runbook.endings:
            line = self.runbook.steps[-1].line
            self._tell(line, "", "error", "it does not say how it ends", "add a conclude block after the last step")
        for number, ending in enumerate(self.runbook.endings):
            self._ending(ending, known)
            if ending.when is None and number + 1 < len(self.runbook.endings):
                fix = "give it a `when: ${…}`, or move it to the end"
                self._tell(ending.line, "", "error", "the endings after this one are never reached", fix)

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
        dynamic = {name for name, value in step.args.items() if _has_expression(value)}
        try:
            action.parameters.model_validate({name: _plain(value) for name, value in step.args.items()})
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
                    fix = f"correct `{name}`: {_hint(action, name)}"
                    self._tell(line, step.id, "error", f"argument {name!r}: {error['msg']}", fix)
        for name, domain in action.domains.items():
            for value in _literals(step.args.get(name)):
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
        for found in _expressions(step.args):
            self._expression(found, before, step.id, ANY)
        self._seen[step.id] = step_shape(_result(action), _argument_shapes(step, action))
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
        value = shape.infer(found.tree, {**BASE_NAMES, "steps": Shape("object", _open(known, self.runbook))}, tell)
        if wanted.kind != "any" and value.kind not in ("any", wanted.kind):
            asked = "true or false" if wanted is BOOL else "text"
            tell(
                f"it gives {_article(value)}, not {asked}",
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
            tell(f"there is no variable {path[0]!r}", f"use {', '.join(sorted(names))}{_close(path[0], names)}")
        elif path[0] == "steps" and len(path) > 1 and path[1] not in known:
            ids = [s.id for s in self.runbook.steps]
            if path[1] in ids:
                tell(f"steps.{path[1]} is not finished yet", "use an earlier step, or move this one down")
            else:
                tell(f"there is no step {path[1]!r}", f"use the id of an earlier step{_close(path[1], ids)}")

    def _reachable(self, number: int, step: Step) -> None:
        if _always_false(step.when):
            self._tell(
                step.lines["when"], step.id, "error", "it is never reached: when is always false", "remove the step"
            )
        if not _always_false(step.until) or step.otherwise == CONTINUE:
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


def _open(known: Mapping[str, Shape], runbook: Runbook) -> Mapping[str, Shape]:
    """Return the fields of `steps`. Unknown ids are told of once, as variables, not again as fields."""
    used = {path[1] for e in _all_expressions(runbook) for path in e.uses if path[0] == "steps" and len(path) > 1}
    return {**dict.fromkeys(used, ANY), **known}


def _all_expressions(runbook: Runbook) -> Iterator[Expression]:
    for step in runbook.steps:
        yield from _expressions(step.args)
        yield from (e for e in (step.when, step.until, step.found) if isinstance(e, Expression))
    for ending in runbook.endings:
        texts = (ending.summary, ending.cause, ending.confidence, ending.basis, ending.escalate, *ending.proposed)
        yield from (e for e in (ending.when, ending.resolved, *texts) if isinstance(e, Expression))
        yield from (c.text for c in ending.claims if isinstance(c.text, Expression))


def _expressions(value: Value) -> Iterator[Expression]:
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _expressions(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _expressions(one)


def _has_expression(value: Value) -> bool:
    return next(_expressions(value), None) is not None


def _literals(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _literals(one)


def _plain(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return None if isinstance(value, Expression) else value


def _hint(action: Action, name: str) -> str:
    schema = action.parameters.model_json_schema()["properties"].get(name, {})
    return str(schema.get("description") or f"it must be {schema.get('type', 'what the action declares')}")


def _result(action: Action | None) -> Shape:
    return shape.of_action(action) if action is not None else ANY


def _argument_shapes(step: Step, action: Action | None) -> Shape:
    """Return the shape of `steps.x.args`, which holds exactly what the step writes under `with`."""
    declared = shape.of_schema(action.parameters.model_json_schema()).fields if action is not None else {}
    return Shape("object", {n: STRING if isinstance(v, str) else declared.get(n, ANY) for n, v in step.args.items()})


def _always_false(condition: Expression | None) -> bool:
    if condition is None or not condition.constant:
        return False
    try:
        return expression.evaluate_constant(condition) is False
    except ExpressionError:
        return False


def _close(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    hint = nearest(word, known)
    return hint if "did you mean" in hint else ""


def _article(found: Shape) -> str:
    return {"int": "a number", "double": "a number", "string": "text", "bool": "true or false"}.get(
        found.kind, f"a {found.kind}"
    )
