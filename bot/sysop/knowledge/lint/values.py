"""Small questions about the values and expressions of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sysop import expression
from sysop.actions import Action
from sysop.expression import Expression, ExpressionError
from sysop.inventory import nearest
from sysop.knowledge import shape
from sysop.knowledge.runbook import Runbook, Step, Value
from sysop.knowledge.shape import ANY, STRING, Shape


def open_fields(known: Mapping[str, Shape], runbook: Runbook) -> Mapping[str, Shape]:
    """Return the fields of `steps`. Unknown ids are told of once, as variables, not again as fields."""
    used = {path[1] for e in all_expressions(runbook) for path in e.uses if path[0] == "steps" and len(path) > 1}
    return {**dict.fromkeys(used, ANY), **known}


def all_expressions(runbook: Runbook) -> Iterator[Expression]:
    """Yield every expression of a page, in no order that matters."""
    for step in runbook.steps:
        yield from expressions(step.args)
        yield from (e for e in (step.when, step.until, step.found) if isinstance(e, Expression))
    for ending in runbook.endings:
        texts = (ending.summary, ending.cause, ending.confidence, ending.basis, ending.escalate, *ending.proposed)
        yield from (e for e in (ending.when, ending.resolved, *texts) if isinstance(e, Expression))
        yield from (c.text for c in ending.claims if isinstance(c.text, Expression))


def expressions(value: Value) -> Iterator[Expression]:
    """Yield the expressions inside a value."""
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from expressions(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from expressions(one)


def has_expression(value: Value) -> bool:
    """Tell whether a value is only known in a run."""
    return next(expressions(value), None) is not None


def literals(value: Value) -> Iterator[str]:
    """Yield the texts of a value that are written out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from literals(one)


def plain(value: Value) -> Any:
    """Return a value as the model of an action takes it, None where it is only known in a run."""
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    return None if isinstance(value, Expression) else value


def hint(action: Action, name: str) -> str:
    """Return what an argument must be, in the words of its action."""
    schema = action.parameters.model_json_schema()["properties"].get(name, {})
    return str(schema.get("description") or f"it must be {schema.get('type', 'what the action declares')}")


def result_shape(action: Action | None) -> Shape:
    """Return the shape of what an action answers, ANY for one that is not known."""
    return shape.of_action(action) if action is not None else ANY


def argument_shapes(step: Step, action: Action | None) -> Shape:
    """Return the shape of `steps.x.args`, which holds exactly what the step writes under `with`."""
    declared = shape.of_parameters(action).fields if action is not None else {}
    return Shape("object", {n: STRING if isinstance(v, str) else declared.get(n, ANY) for n, v in step.args.items()})


def always_false(condition: Expression | None) -> bool:
    """Tell whether a condition can never hold, whatever a run finds."""
    if condition is None or not condition.constant:
        return False
    try:
        return expression.evaluate_constant(condition) is False
    except ExpressionError:
        return False


def close(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """Return the hint to a name that is nearly this word, empty where there is none."""
    hint = nearest(word, known)
    return hint if "did you mean" in hint else ""


def article(found: Shape) -> str:
    """Return the kind of a value with its article."""
    return {"int": "a number", "double": "a number", "string": "text", "bool": "true or false"}.get(
        found.kind, f"a {found.kind}"
    )
