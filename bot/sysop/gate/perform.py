"""The one call site of actions, and what their endings mean."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel

from sysop.actions import Action
from sysop.errors import ActionFailed, CallError
from sysop.gate.context import CallContext
from sysop.model import Change, ChangeKind
from sysop.redact import redact, redact_value
from sysop.store import changes

MAX_RESULT = 1_000_000
T = TypeVar("T")

Question = Callable[[], Awaitable[Any]]
"""Puts a question to a plugin; its code runs only inside `ask`."""

Known = Callable[[], Iterable[str]]
"""Returns the credentials handed out so far; asked after the plugin's code, which may have used a new one."""

log = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a performance ended. Doubt: the effect may have happened, nobody here can tell."""

    DONE = "done"
    FAILED = "failed"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Performed:
    """An ending with the result as JSON text or the reason."""

    ending: Ending
    result: str | None = None
    error: str | None = None


async def perform(action: Action, context: CallContext, args: BaseModel, known: Known) -> Performed:
    """Run an action under its timeout. Only CallError promises that nothing happened; any other exception is doubt.

    So is that promise where the target's own answer to a change was that of a broken server.
    """
    given = {name: getattr(args, name) for name in type(args).model_fields}
    try:
        async with asyncio.timeout(action.timeout.total_seconds()):
            result = await action._perform(context, **given)
    except CallError as failed:
        ending = Ending.DOUBT if context.http.in_doubt else Ending.FAILED
        return Performed(ending, error=redact(str(failed), known()))
    except TimeoutError:
        return Performed(Ending.DOUBT, error=f"no answer within {action.timeout.total_seconds():g} s")
    except Exception as broken:  # an action may fail in any way; the ledger keeps the reason
        log.warning("action %s raised", action.name, exc_info=True)
        return Performed(Ending.DOUBT, error=redact(f"{type(broken).__name__}: {broken}", known()))
    return Performed(Ending.DONE, result=result_text(action, result, known()))


def result_text(action: Action, result: Any, known: Iterable[str]) -> str:
    """Return a result as redacted JSON. One that cannot be stored becomes a note: the effect did happen."""
    try:
        value = action.result.dump_python(action.result.validate_python(result), mode="json")
        text = json.dumps(redact_value(value, known), sort_keys=True, allow_nan=False)
    except Exception as bad:  # a result type is plugin code as well
        log.warning("the result of %s cannot be stored: %s", action.name, bad)
        return json.dumps({"not_stored": redact(f"the result does not fit its declared type: {bad}", known)[:2000]})
    if len(text) > MAX_RESULT:
        return json.dumps({"not_stored": f"the result has {len(text)} characters, more than {MAX_RESULT}"})
    return text


def changed(action: Action, args: BaseModel, result: str | None) -> Change | None:
    """Return what an effect has changed, None where the action does not say. One that fails to say changed something.

    A person may have said that it happened: then nobody knows the result.
    """
    if action.changes is None:
        return None
    try:
        told = action.changes(args, json.loads(result or "null"))
        if not isinstance(told, Change | None):
            raise TypeError(f"changes= must return Change or None, not {type(told).__name__}")
        if told is not None and (fault := next(changes.faults(told), None)):
            raise TypeError(f"changes= returned a Change whose {' '.join(fault)}")
        return told
    except Exception:  # plugin code; what was done must be on record all the same
        log.warning("%s cannot tell what it has changed", action.name, exc_info=True)
        return Change(ChangeKind.OTHER, None, title=action.name)


async def ask(action: Action, question: Question, what: str, shape: Callable[[Any], T], known: Known) -> T:
    """Await a preview, precondition, post-check or reconcile and put the answer into shape.

    Raises ActionFailed with the reason on any failure.
    """
    try:
        async with asyncio.timeout(max(action.timeout.total_seconds(), 10.0)):
            return shape(await question())
    except CallError as failed:
        raise ActionFailed(redact(str(failed), known())) from failed
    except TimeoutError:
        raise ActionFailed(f"the {what} of {action.name} did not answer in time") from None
    except Exception as broken:  # plugin code; the caller records the reason
        log.warning("the %s of %s raised", what, action.name, exc_info=True)
        said = redact(f"{type(broken).__name__}: {broken}", known())
        raise ActionFailed(f"the {what} of {action.name} failed: {said}") from broken


def instance(of: type[T]) -> Callable[[Any], T]:
    """Return a shape that lets only this type pass."""

    def check(answer: Any) -> T:
        if not isinstance(answer, of):
            raise TypeError(f"it must return {of.__name__}, not {type(answer).__name__}")
        return answer

    return check
