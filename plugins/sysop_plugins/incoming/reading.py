"""Read a body into a model, or say which of its fields are wrong."""

from __future__ import annotations

import logging
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_SHOWN_PROBLEMS = 3
_SHOWN_NAME = 80
_NO_OBJECT = frozenset({"model_type", "model_attributes_type", "dict_type", "mapping_type"})

M = TypeVar("M", bound=BaseModel)

log = logging.getLogger(__name__)


def read(model: type[M], payload: Any, what: str) -> M:
    """Return the body as a model. Raises ValueError: `what` it is not, and the path and fault of each wrong field."""
    try:
        return model.model_validate(payload)
    except ValidationError as wrong:
        raise ValueError(f"not {what}: {_problems(wrong)}") from wrong


def refuse(what: str, path: str, fault: str) -> NoReturn:
    """Raise ValueError for a field that is wrong in a way no model can tell."""
    raise ValueError(f"not {what}: {path}: {fault}")


def tell_of_cut(source: str, cut: int) -> None:
    """Log that the sender left alerts out of a delivery: nobody is told of them, and nothing here could ask."""
    if cut:
        log.warning("%s left %d alerts out of a delivery; let it send all of them, see docs/sources.md", source, cut)


def _problems(wrong: ValidationError) -> str:
    found = wrong.errors(include_url=False, include_context=False, include_input=False)
    shown = "; ".join(f"{_path(one['loc'])}: {_fault(one)}" for one in found[:_SHOWN_PROBLEMS])
    left = len(found) - _SHOWN_PROBLEMS
    return f"{shown}; and {left} more" if left > 0 else shown


def _fault(one: ErrorDetails) -> str:
    """Return what is wrong, without the names of our own classes."""
    return "must be a JSON object" if one["type"] in _NO_OBJECT else one["msg"].removeprefix("Value error, ")


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        name = str(part)[:_SHOWN_NAME]
        path += f"[{part}]" if isinstance(part, int) else f".{name}" if path else name
    return path or "body"
