"""What a value looks like, as far as its declared model tells: for finding misspelt fields before a run.

Everything not surely known is ANY, about which nothing is ever said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import BaseModel, TypeAdapter

from sysop.actions import Action
from sysop.expression import syntax
from sysop.inventory import nearest

Kind = Literal["any", "null", "bool", "int", "double", "string", "list", "map", "object"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of value. `fields` goes with object, `item` with list and map."""

    kind: Kind
    fields: Mapping[str, Shape] = field(default_factory=dict)
    item: Shape | None = None
    nullable: bool = False

    @property
    def number(self) -> bool:
        """Tell whether it is surely a number and never null."""
        return self.kind in ("int", "double") and not self.nullable


ANY: Final = Shape("any")
BOOL: Final = Shape("bool")
INT: Final = Shape("int")
DOUBLE: Final = Shape("double")
STRING: Final = Shape("string")
NULL: Final = Shape("null")


def object_of(**fields: Shape) -> Shape:
    """Return the shape of a record with exactly these fields."""
    return Shape("object", fields)


def list_of(item: Shape) -> Shape:
    """Return the shape of a list."""
    return Shape("list", item=item)


def of_schema(schema: Mapping[str, Any]) -> Shape:
    """Return the shape a JSON schema declares."""
    return _Schema(schema.get("$defs", {})).shape(schema, 0)


def of_action(action: Action) -> Shape:
    """Return the shape of an action's JSON result."""
    return _of_result(action.result)


def of_parameters(action: Action) -> Shape:
    """Return the shape of an action's arguments."""
    return _of_model(action.parameters)


@lru_cache(512)  # a schema takes a millisecond or two, and every step of every page asks for one
def _of_result(result: TypeAdapter[Any]) -> Shape:
    return of_schema(result.json_schema(mode="serialization"))


@lru_cache(512)
def _of_model(parameters: type[BaseModel]) -> Shape:
    return of_schema(parameters.model_json_schema())


_SIMPLE: Final[Mapping[Any, Shape]] = {
    "null": NULL,
    "boolean": BOOL,
    "integer": INT,
    "number": DOUBLE,
    "string": STRING,
}


@dataclass(frozen=True, slots=True)
class _Schema:
    definitions: Mapping[str, Any]

    def shape(self, schema: Any, depth: int) -> Shape:
        if not isinstance(schema, Mapping) or depth > 16:  # recursive models are known to some depth only
            return ANY
        if "$ref" in schema:
            return self.shape(self.definitions.get(str(schema["$ref"]).rpartition("/")[2]), depth + 1)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return _union([self.shape(s, depth + 1) for s in schema[several]])
        if "const" in schema or "enum" in schema:
            return _union([_of_value(v) for v in schema.get("enum", [schema.get("const")])])
        kind = schema.get("type")
        if kind == "array":
            return self._list(schema, depth)
        if kind == "object":
            return self._object(schema, depth)
        return _SIMPLE.get(kind, ANY) if isinstance(kind, str) else ANY

    def _list(self, schema: Mapping[str, Any], depth: int) -> Shape:
        if "prefixItems" in schema:
            return list_of(_union([self.shape(s, depth + 1) for s in schema["prefixItems"]]))
        return list_of(self.shape(schema.get("items"), depth + 1))

    def _object(self, schema: Mapping[str, Any], depth: int) -> Shape:
        properties = schema.get("properties")
        extra = schema.get("additionalProperties", False)
        if properties and not extra:
            return Shape("object", {name: self.shape(s, depth + 1) for name, s in properties.items()})
        if properties:
            return ANY
        return Shape("map", item=self.shape(extra, depth + 1))


def _of_value(value: Any) -> Shape:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    return INT if isinstance(value, int) else DOUBLE if isinstance(value, float) else STRING


def _union(shapes: Iterable[Shape]) -> Shape:
    """Return what is true of every alternative; a number that may be int or double is any."""
    given = list(shapes)
    known = [s for s in given if s.kind != "null"]
    nullable = len(known) < len(given) or any(s.nullable for s in known)
    kinds = {s.kind for s in known}
    if len(kinds) != 1:
        return ANY if kinds else NULL
    (kind,) = kinds
    fields: dict[str, Shape] = {}
    for shape in known:
        for name, one in shape.fields.items():
            fields[name] = one if name not in fields or fields[name] == one else ANY
    items = [s.item for s in known if s.item is not None]
    return Shape(kind, fields, _union(items) if items else None, nullable)


def conform(value: Any, shape: Shape) -> Any:
    """Return the value with every whole number that is declared as float made one: CEL does not mix the two."""
    if shape.kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list | tuple):
        item = shape.item if shape.kind == "list" and shape.item else ANY
        return [conform(v, item) for v in value]
    if isinstance(value, Mapping):
        item = shape.item if shape.kind == "map" and shape.item else ANY
        return {k: conform(v, shape.fields.get(k, item)) for k, v in value.items()}
    return value


Report = Callable[[str, str], None]
"""Told of each mistake: the message and the fix."""

_COMPARE: Final = frozenset({"<", "<=", ">", ">=", "==", "!=", "in", "&&", "||", "!"})
_RESULTS: Final[Mapping[str, Shape]] = {
    "size": INT,
    "string": STRING,
    "int": INT,
    "double": DOUBLE,
    "show": STRING,
    "percent": STRING,
    **dict.fromkeys(("has", "contains", "startsWith", "endsWith", "matches", "all", "exists", "exists_one"), BOOL),
}


def infer(node: syntax.Node, names: Mapping[str, Shape], report: Report) -> Shape:
    """Return the shape of an expression's value, telling of fields that do not exist and types that do not mix."""
    match node:
        case syntax.Literal(value=value):
            return _of_value(value)
        case syntax.Name(name=name):
            return names.get(name, ANY)
        case syntax.Member(base=base, field=name):
            return _member(infer(base, names, report), name, base, report)
        case syntax.Index(base=base, key=key):
            infer(key, names, report)
            return infer(base, names, report).item or ANY
        case syntax.Operator(sign=sign, args=args):
            return _operator(sign, [infer(a, names, report) for a in args], report)
        case syntax.Items(args=args, is_map=is_map):
            shapes = [infer(a, names, report) for a in args]
            return ANY if is_map else list_of(_union(shapes) if shapes else ANY)
        case syntax.Apply():
            return _apply(node, names, report)


def _member(base: Shape, name: str, node: syntax.Node, report: Report) -> Shape:
    where = ".".join(syntax.chain(node) or ("it",))
    if base.kind == "object":
        if name not in base.fields:
            report(f"{where} has no field {name!r}", f"use a declared one{nearest(name, base.fields)}")
            return ANY
        return base.fields[name]
    if base.kind == "map":
        return base.item or ANY
    if base.kind == "list":
        report(f"{where} is a list, it has no field {name!r}", "take an entry first: `[0]`, argmax() or a macro")
    elif base.kind in ("string", "bool", "int", "double"):
        kind = "an int" if base.kind == "int" else f"a {base.kind}"
        report(f"{where} is {kind}, it has no field {name!r}", f"leave `.{name}` out")
    return ANY


def _operator(sign: str, shapes: list[Shape], report: Report) -> Shape:
    if sign in _COMPARE:
        return BOOL
    if sign == "?:":
        return _union(shapes[1:])
    if len(shapes) == 1:
        return shapes[0]
    left, right = shapes
    if {left.kind, right.kind} == {"int", "double"} and left.number and right.number:
        report(f"`{sign}` mixes int and double, which CEL refuses", "write the number as 2.0, or convert by double()")
        return ANY
    if sign == "+" and "string" in (left.kind, right.kind) and (left.number or right.number):
        report("`+` joins text and a number, which CEL refuses", "convert the number by show() or string()")
        return STRING
    return left if left.kind == right.kind else ANY


def _apply(node: syntax.Apply, names: Mapping[str, Shape], report: Report) -> Shape:
    if node.name == "has" and len(node.args) == 1:
        asked = node.args[0]
        infer(asked.base if isinstance(asked, syntax.Member) else asked, names, report)
        return BOOL
    target = infer(node.target, names, report) if node.target is not None else None
    if target is not None and node.is_macro:
        return _macro(node, target, names, report)
    args = [infer(a, names, report) for a in node.args]
    if target is not None:
        args.insert(0, target)
    if node.name == "argmax":
        return _argmax(node, args, report)
    if node.name in ("min", "max"):
        return _union([(a.item or ANY) if a.kind == "list" else a for a in args]) if args else ANY
    return _RESULTS.get(node.name, ANY)


def _macro(node: syntax.Apply, target: Shape, names: Mapping[str, Shape], report: Report) -> Shape:
    bound = node.args[0]
    item = (target.item or ANY) if target.kind == "list" else ANY
    inner = {**names, bound.name: item} if isinstance(bound, syntax.Name) else dict(names)
    results = [infer(part, inner, report) for part in node.args[1:]]
    if node.name == "filter":
        return target
    return list_of(results[-1]) if node.name == "map" else BOOL


def _argmax(node: syntax.Apply, args: list[Shape], report: Report) -> Shape:
    if len(args) != 2 or args[0].kind != "list" or args[0].item is None:
        return ANY
    item, name = args[0].item, node.args[-1]
    if item.kind == "object" and isinstance(name, syntax.Literal) and isinstance(name.value, str):
        _member(item, name.value, syntax.Name("an entry"), report)
    return item
