"""The shape of a CEL expression, for checking it before it ever runs.

The library evaluates expressions but tells no more of them than their names. This reads the same text
into a tree. It is not a second judge of what is valid: the library compiles first, and what this cannot
follow is refused with a request to write it more simply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 32
MAX_HEIGHT: Final = 120
MACROS: Final = frozenset({"all", "exists", "exists_one", "map", "filter"})

_TOKEN: Final = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)
    |(?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_RANK: Final = {"||": 1, "&&": 2} | dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in"), 3)
_BINARY: Final = _RANK | {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Text with a backslash in it reads as empty: only plain text is ever looked at."""

    value: str | int | float | bool | bytes | None


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or a name a macro binds."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`base.field`, or `base["field"]` with a constant key."""

    base: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index:
    """`base[key]`."""

    base: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Apply:
    """`name(args)`, or `target.name(args)`."""

    name: str
    target: Node | None
    args: tuple[Node, ...]

    @property
    def is_macro(self) -> bool:
        """Tell whether this walks a list, binding a name."""
        return self.target is not None and self.name in MACROS and len(self.args) > 1


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator with its operands; `?:` has three."""

    sign: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list, or a map as alternating keys and values."""

    args: tuple[Node, ...]
    is_map: bool = False


Node = Literal | Name | Member | Index | Apply | Operator | Items


class NotUnderstood(Exception):
    """The text is not the CEL this reads."""


def parse(source: str) -> Node:
    """Return the tree of an expression. Raises NotUnderstood."""
    reader = _Reader(list(_tokens(source)))
    node = reader.expression()
    reader.expect("end", "")
    _check_height(node)
    return node


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below."""
    match node:
        case Member(base=base):
            return (base,)
        case Index(base=base, key=key):
            return (base, key)
        case Apply(target=target, args=args):
            return args if target is None else (target, *args)
        case Operator(args=args) | Items(args=args):
            return args
        case _:
            return ()


def chain(node: Node) -> tuple[str, ...] | None:
    """Return `("steps", "x", "result")` for such a chain of members from a variable, None for anything else."""
    fields: list[str] = []
    while isinstance(node, Member):
        fields.append(node.field)
        node = node.base
    return (node.name, *reversed(fields)) if isinstance(node, Name) else None


def chains(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[tuple[str, ...]]:
    """Yield the longest member chain of every use of a variable, leaving out names bound by macros."""
    found = chain(node)
    if found is not None:
        if found[0] not in bound:
            yield found
        return
    if isinstance(node, Apply) and node.is_macro and isinstance(node.args[0], Name):
        assert node.target is not None
        yield from chains(node.target, bound)
        for part in node.args[1:]:
            yield from chains(part, bound | {node.args[0].name})
        return
    for part in children(node):
        yield from chains(part, bound)


def walks(node: Node, functions: frozenset[str], depth: int = 0) -> Iterator[int]:
    """Yield for every macro how deeply it is nested, 1 for the outermost. One of `functions` in it counts too."""
    if isinstance(node, Apply) and node.is_macro:
        yield depth + 1
        assert node.target is not None
        yield from walks(node.target, functions, depth)
        for part in node.args[1:]:
            yield from walks(part, functions, depth + 1)
        return
    if depth and isinstance(node, Apply) and node.name in functions:
        yield depth + 1
    for part in children(node):
        yield from walks(part, functions, depth)


def descend(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    for part in children(node):
        yield from descend(part)


def walks_a_sum(root: Node) -> bool:
    """Tell whether a macro walks a sum, which may be a list much longer than any that came in."""
    targets = [n.target for n in descend(root) if isinstance(n, Apply) and n.is_macro and n.target is not None]
    return any(isinstance(part, Operator) and part.sign == "+" for target in targets for part in descend(target))


def longest_literal(root: Node) -> int:
    """Return the number of entries of the longest list written out in the expression."""
    return max((len(node.args) for node in descend(root) if isinstance(node, Items)), default=0)


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            raise NotUnderstood(f"unexpected {source[at]!r}")
        at = found.end()
        kind = found.lastgroup or ""
        if kind != "skip":
            yield ("sign" if found.group() == "in" else kind), found.group()
    yield "end", ""


@dataclass(slots=True)
class _Reader:
    tokens: list[tuple[str, str]]
    at: int = 0
    depth: int = 0

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotUnderstood(f"nested more than {MAX_DEPTH} deep")
        node = self.binary(1)
        if self.accept("?"):
            yes = self.binary(1)
            self.expect("sign", ":")
            node = Operator("?:", (node, yes, self.expression()))
        self.depth -= 1
        return node

    def binary(self, rank: int) -> Node:
        node = self.unary()
        while self.kind == "sign" and _BINARY.get(self.text, 0) >= rank:
            sign = self.take()
            node = Operator(sign, (node, self.binary(_BINARY[sign] + 1)))
        return node

    def unary(self) -> Node:
        signs: list[str] = []
        while self.kind == "sign" and self.text in "!-":
            signs.append(self.take())
        node = self.member()
        for sign in reversed(signs[-MAX_DEPTH:]):
            node = Operator(sign, (node,))
        return node

    def member(self) -> Node:
        node = self.primary()
        while True:
            if self.accept("."):
                name = self.expect("name", None)
                node = Apply(name, node, self.arguments(")")) if self.accept("(") else Member(node, name)
            elif self.accept("["):
                key = self.expression()
                self.expect("sign", "]")
                constant = isinstance(key, Literal) and isinstance(key.value, str) and key.value
                node = Member(node, constant) if isinstance(constant, str) and constant else Index(node, key)
            else:
                return node

    def primary(self) -> Node:
        kind, text = self.kind, self.take()
        if kind == "string":
            return Literal(_unquote(text))
        if kind == "number":
            return Literal(_number(text))
        if kind == "name":
            if text in _CONSTANTS:
                return Literal(_CONSTANTS[text])
            return Apply(text, None, self.arguments(")")) if self.accept("(") else Name(text)
        if text == "(":
            node = self.expression()
            self.expect("sign", ")")
            return node
        if text == "[":
            return Items(self.arguments("]"))
        if text == "{":
            return Items(self.arguments("}"), is_map=True)
        raise NotUnderstood(f"unexpected {text or 'end'!r}")

    def arguments(self, close: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.accept(close):
            found.append(self.expression())
            if close == "}":
                self.expect("sign", ":")
                found.append(self.expression())
            if not self.accept(","):
                self.expect("sign", close)
                break
        return tuple(found)

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def text(self) -> str:
        return self.tokens[self.at][1]

    def take(self) -> str:
        text = self.text
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return text

    def accept(self, sign: str) -> bool:
        if self.kind == "sign" and self.text == sign:
            self.take()
            return True
        return False

    def expect(self, kind: str, text: str | None) -> str:
        if self.kind != kind or (text is not None and self.text != text):
            raise NotUnderstood(f"unexpected {self.text or 'end'!r}")
        return self.take()


def _unquote(text: str) -> str | bytes:
    prefix = re.match(r"[rRbB]*", text)
    quoted = text[prefix.end() :] if prefix else text
    marks = 3 if quoted[:3] in ('"""', "'''") else 1
    plain = "" if "\\" in quoted else quoted[marks:-marks]
    return plain.encode() if prefix and "b" in prefix.group().lower() else plain


def _number(text: str) -> int | float:
    digits = text.rstrip("uU")
    if digits.lower().startswith("0x"):
        return int(digits, 16)
    return float(digits) if any(c in digits for c in ".eE") else int(digits)


def _check_height(root: Node) -> None:
    """Refuse trees so high that walking them by recursion could exhaust the stack."""
    level = [root]
    for _ in range(MAX_HEIGHT):
        level = [child for node in level for child in children(node)]
        if not level:
            return
    raise NotUnderstood("too many operations in a row")
