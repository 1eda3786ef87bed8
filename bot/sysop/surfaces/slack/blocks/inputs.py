"""Inputs of a modal made from an action's JSON schema, and the values typed into them, as the schema wants them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.text import one_line, plain

FIELD: Final = "value"
MOST_OPTIONS: Final = 100
MOST_INPUTS: Final = 40
WHOLE: Final = "args"
_MAX_TEXT: Final = 3000
_LONG: Final = 200
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """What a form was filled with."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a form, by block id; Slack shows it beside the inputs."""

    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Shape:
    """One parameter: its schema without the null that makes it optional."""

    schema: Schema
    kind: str
    required: bool
    default: Any


def block_of(name: str) -> str:
    """Return the id of the block that asks for a parameter."""
    return f"arg:{name}"


def inputs(schema: Schema, given: Mapping[str, Any]) -> list[Block]:
    """Return an input for each parameter, filled with what is given; very many are asked for as one JSON text."""
    names: Mapping[str, Schema] = schema.get("properties") or {}
    if len(names) > MOST_INPUTS:
        shape = _Shape({"description": "all arguments as JSON"}, "json", True, dict(given))
        return [_input(WHOLE, block_of(WHOLE), shape, dict(given) or None)]
    return [_input(name, block_of(name), _shape(schema, name), given.get(name)) for name in names]


def _shape(schema: Schema, name: str) -> _Shape:
    declared = _resolved(schema, schema["properties"][name])
    options = [_resolved(schema, one) for one in declared.get("anyOf") or ()]
    real = [one for one in options if one.get("type") != "null"]
    inner = {**declared, **real[0]} if len(real) == 1 else declared
    required = name in (schema.get("required") or ()) and len(real) == len(options)
    return _Shape(inner, _kind(inner), required, declared.get("default"))


def _resolved(schema: Schema, part: Schema) -> Schema:
    ref = str(part.get("$ref") or "")
    found = (schema.get("$defs") or {}).get(ref.removeprefix("#/$defs/"))
    return {**found, **{k: v for k, v in part.items() if k != "$ref"}} if isinstance(found, Mapping) else part


def _kind(schema: Schema) -> str:
    if _choices(schema):
        return "choice"
    kind = schema.get("type")
    if kind in ("boolean", "integer", "number", "string"):
        return str(kind)
    items = schema.get("items")
    return "lines" if kind == "array" and isinstance(items, Mapping) and items.get("type") == "string" else "json"


def _choices(schema: Schema) -> list[Any]:
    """Return the members of a closed domain, where a menu has room for them."""
    every = [schema["const"]] if "const" in schema else list(schema.get("enum") or ())
    fits = len(every) <= MOST_OPTIONS and all(len(str(one)) <= 75 and len(json.dumps(one)) <= 150 for one in every)
    return every if fits and all(str(one).strip() for one in every) else []


def _input(name: str, block_id: str, shape: _Shape, given: Any) -> Block:
    initial = shape.default if given is None else given
    element = _ELEMENTS[shape.kind](shape.schema, initial)
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(str(name), 150),
        "element": {**element, "action_id": FIELD},
        "optional": not shape.required,
    }
    hint = _hint(shape)
    return {**block, "hint": plain(hint, 300)} if hint else block


def _hint(shape: _Shape) -> str:
    told = {"lines": "one a line", "json": "JSON"}.get(shape.kind, "")
    return "; ".join(filter(None, (str(shape.schema.get("description") or ""), told)))


def _menu(schema: Schema, initial: Any) -> Block:
    options = [option(str(one), json.dumps(one)) for one in _choices(schema)]
    chosen = [one for one in options if one["value"] == json.dumps(initial)]
    return {"type": "static_select", "options": options, **({"initial_option": chosen[0]} if chosen else {})}


def _switch(schema: Schema, initial: Any) -> Block:
    return _menu({"enum": [True, False]}, initial)


def _number(schema: Schema, initial: Any) -> Block:
    made: Block = {"type": "number_input", "is_decimal_allowed": schema.get("type") == "number"}
    limits = {"min_value": schema.get("minimum"), "max_value": schema.get("maximum"), "initial_value": initial}
    return {**made, **{name: written for name, value in limits.items() if (written := _plain_number(value))}}


def _plain_number(value: Any) -> str | None:
    """Return a number as Slack takes it; one that needs an exponent is left out."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    text = str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(value)
    return text if text.lstrip("-").replace(".", "", 1).isdigit() else None


def _words(schema: Schema, initial: Any) -> Block:
    longest = min(int(schema.get("maxLength") or _MAX_TEXT), _MAX_TEXT)
    made: Block = {"type": "plain_text_input", "multiline": int(schema.get("maxLength") or 0) > _LONG}
    if longest > 0:
        made["max_length"] = longest
    return {**made, "initial_value": initial} if isinstance(initial, str) and 0 < len(initial) <= longest else made


def _lines(schema: Schema, initial: Any) -> Block:
    text = "\n".join(map(str, initial)) if isinstance(initial, list | tuple) else None
    return _words({}, text) | {"multiline": True}


def _json(schema: Schema, initial: Any) -> Block:
    text = json.dumps(initial, ensure_ascii=False) if initial is not None else None
    return _words({}, text) | {"multiline": True}


_ELEMENTS: Final = {
    "choice": _menu,
    "boolean": _switch,
    "integer": _number,
    "number": _number,
    "string": _words,
    "lines": _lines,
    "json": _json,
}


def option(text: str, value: str) -> Block:
    """Return a choice of a menu."""
    return {"text": {"type": "plain_text", "text": one_line(text, 75) or "–", "emoji": False}, "value": value}


def parse(schema: Schema, state: Mapping[str, Any]) -> Given | Wrong:
    """Return the arguments that were typed, without those left empty, or what is wrong by block."""
    names: Mapping[str, Schema] = schema.get("properties") or {}
    if len(names) > MOST_INPUTS:
        return _parse_whole(state)
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name in names:
        shape, text = _shape(schema, name), typed(state, block_of(name), FIELD)
        if text is None or not text.strip():
            if shape.required:
                errors[block_of(name)] = "This is needed."
            continue
        try:
            values[name] = _PARSERS[shape.kind](text)
        except ValueError:
            errors[block_of(name)] = f"This must be {_WANTED[shape.kind]}."
    return Wrong(errors) if errors else Given(values)


def _parse_whole(state: Mapping[str, Any]) -> Given | Wrong:
    try:
        found = json.loads(typed(state, block_of(WHOLE), FIELD) or "")
    except (ValueError, RecursionError):
        found = None
    return Given(found) if isinstance(found, dict) else Wrong({block_of(WHOLE): "This must be a JSON object."})


def typed(state: Mapping[str, Any], block: str, field: str) -> str | None:
    """Return what was typed or chosen in an input, None for nothing."""
    found = (state.get(block) or {}).get(field) or {}
    chosen = found.get("selected_option")
    value = chosen.get("value") if isinstance(chosen, Mapping) else found.get("value")
    return value if isinstance(value, str) else None


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("too deep") from None


def _parse_number(text: str) -> int | float:
    value = _parse_json(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    return value


def _parse_whole_number(text: str) -> int:
    return int(text.strip())


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "choice": _parse_json,
    "boolean": _parse_json,
    "integer": _parse_whole_number,
    "number": _parse_number,
    "string": str,
    "lines": lambda text: [line.strip() for line in text.splitlines() if line.strip()],
    "json": _parse_json,
}
_WANTED: Final = {
    "choice": "one of the choices",
    "boolean": "yes or no",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "lines": "one text a line",
    "json": "JSON",
}
