"""Write docs/settings.md from the settings' own model: `python -m sysop.cli.settings_doc docs/settings.md`."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sysop.settings import FILE_ONLY, Settings

HEAD = """\
# Settings

Made from `bot/sysop/settings.py` and `sections.py` by `python -m sysop.cli.settings_doc docs/settings.md`; do not edit.

Sysop needs no settings to start. What you set stands in `sysop.yaml` in the current folder, or in the file that
`--config` or `SYSOP_CONFIG` names. The environment wins over the file: the column *environment* has the name, with
`__` between the parts; a list or a whole section is JSON there. Unknown keys and unknown `SYSOP_…` names are refused
with the nearest known one. People,
roles and policy stand in the file only. `sysop doctor` shows every setting in force and where it comes from.

A secret never stands in the settings, only where to find it: `env:NAME` or `file:PATH`.
"""


def document() -> str:
    """Return the whole page."""
    return HEAD + "".join(_section(path, model) for path, model in _sections("", Settings))


def _sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every section, depth first, with the path of its keys."""
    yield path, model
    for name, field in model.model_fields.items():
        kind, inner = _shape(field.annotation)
        if inner is not None:
            ends = {"one": ".", "each": ".NAME.", "list": "[]."}
            yield from _sections(f"{path}{field.alias or name}{ends[kind]}", inner)


def _section(path: str, model: type[BaseModel]) -> str:
    title = f"`{path.rstrip('.')}`" if path else "All of it"
    doc = " ".join((model.__doc__ or "").split()) if path else ""
    head = f"\n## {title}\n\n{f'{doc}{chr(10) * 2}' if doc else ''}"
    rows = "".join(_row(path, name, field) for name, field in model.model_fields.items())
    table = f"| setting | type | default | environment | meaning |\n|---|---|---|---|---|\n{rows}"
    return f"{head}{table}"


def _row(path: str, name: str, field: FieldInfo) -> str:
    key = f"{path}{field.alias or name}"
    cells = [f"`{key}`", _type(field.annotation, field), _default(field), _environment(key), field.description or ""]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _environment(key: str) -> str:
    """Return the variable's name; keys inside lists and of free names have none of their own."""
    name = f"SYSOP_{key.replace('.', '__').upper()}"
    return "" if "[]" in key or ".NAME." in key or name.startswith(FILE_ONLY) else f"`{name}`"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping | tuple):
        return f"`{', '.join(map(str, value))}`" if value else "empty"
    return f"`{value:%H:%M}`" if hasattr(value, "tzinfo") else f"`{value}`"


def _type(annotation: Any, field: FieldInfo | None = None) -> str:
    limits = _limits(field) if field else ""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(args[0]) + limits
    if origin in (Union, types.UnionType):
        return " or ".join(_type(arg) for arg in args if arg is not type(None)) + limits
    if origin is Literal:
        return ", ".join(f"`{arg}`" for arg in args)
    if origin in (tuple, list, Sequence):
        return f"list of {_type(args[0])}"
    if origin in (dict, Mapping):
        return f"{'section' if get_origin(args[1]) else _type(args[1])} by name"
    return _plain(annotation) + limits


def _plain(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    known = {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`", "time": "HH:MM"}
    known |= {"datetime": "day and time"}
    name = getattr(annotation, "__name__", "anything")
    return known.get(name, {"Path": "path", "Any": "a section of its own"}.get(name, name))


def _limits(field: FieldInfo) -> str:
    found = {key: getattr(mark, key) for mark in field.metadata for key in ("ge", "le") if hasattr(mark, key)}
    parts = [f"{word} {found[key]}" for key, word in (("ge", "from"), ("le", "to")) if key in found]
    return f", {' '.join(parts)}" if parts else ""


def _shape(annotation: Any) -> tuple[str, type[BaseModel] | None]:
    """Return how a section hangs on its key: as it is, by name, or as a list's item."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (dict, Mapping):
        return "each", _model(args[1])
    if origin in (tuple, list):
        return "list", _model(args[0])
    return "one", next((m for arg in (annotation, *args) if (m := _model(arg))), None)


def _model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
