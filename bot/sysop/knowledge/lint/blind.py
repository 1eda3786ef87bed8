"""A page must not call an incident resolved of which it saw nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sysop import expression
from sysop.expression import Expression, ExpressionError
from sysop.knowledge.runbook import CONTINUE, ESCALATE, Ending, Runbook, Step, Value

_UNSEEN: Final[Mapping[str, Any]] = {
    "ok": False,
    "skipped": False,
    "state": "",
    "error": "",
    "verified": None,
    "result": None,
    "evidence": "",
    "at": 0,
    "args": {},
}


def resolved_blindly(runbook: Runbook) -> Ending | None:
    """Return the ending that is reached as resolved though every call failed or was skipped; None where none is.

    The page is walked as a run would, for one incident that may happen, so that what is told is always an example
    of a run that would go wrong. An expression that cannot be evaluated stops a run, and a person is called.
    """
    if not runbook.steps:
        return None
    names = _incident(runbook)
    try:
        if not _walked(runbook, names):
            return None
        ending = next(
            (e for e in runbook.endings if e.when is None or expression.evaluate(e.when, names) is True), None
        )
        return ending if ending is not None and not ending.follow and _resolved(ending, names) else None
    except ExpressionError:
        return None


def _resolved(ending: Ending, names: Mapping[str, Any]) -> bool:
    if isinstance(ending.resolved, Expression):
        return expression.evaluate(ending.resolved, names) is True
    return ending.resolved


def _walked(runbook: Runbook, names: dict[str, Any]) -> bool:
    """Tell whether a run comes to the endings, and leave in `names` what they see then."""
    jump = ""
    for step in runbook.steps:
        if (jump and step.id != jump) or not _runs(step, names):
            names["steps"][step.id] = {**_UNSEEN, "skipped": True, "state": "skipped"}
            continue
        args = {name: _value(value, names) for name, value in step.args.items()}
        error = "the call failed"
        names["steps"][step.id] = {**_UNSEEN, "state": "failed", "error": error, "evidence": step.id, "args": args}
        if step.otherwise == ESCALATE:
            return False
        jump = "" if step.otherwise == CONTINUE else step.otherwise
    return True


def _runs(step: Step, names: Mapping[str, Any]) -> bool:
    return step.when is None or expression.evaluate(step.when, names) is True


def _value(value: Value, names: Mapping[str, Any]) -> Any:
    if isinstance(value, Expression):
        return expression.evaluate(value, names)
    if isinstance(value, tuple):
        return [_value(one, names) for one in value]
    if isinstance(value, Mapping):
        return {key: _value(one, names) for key, one in value.items()}
    return value


def _incident(runbook: Runbook) -> dict[str, Any]:
    """Return what expressions see of a small incident that the page is made for."""
    service = next((name for name in runbook.services if name != "*"), "service")
    name = next(iter(runbook.alerts), "Alert")
    labels = {"alertname": name, "service": service}
    alert = {"name": name, "service": service, "labels": labels, "annotations": {}, "firing": True}
    incident: dict[str, Any] = {"id": "incident", "title": runbook.title, "severity": "critical", "service": service}
    incident |= {"services": [service], "alerts": [alert], "opened_at": 0}
    return {"incident": incident, "alert": alert, "params": {"text": ""}, "now": 0, "steps": {}}
