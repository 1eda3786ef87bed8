"""YAML as settings and runbooks use it: small, plain data that never means more than it says.

The value is built from parser events, never by a YAML loader: no tags, no anchors, and no guessing of
types, so `on`, `1.10` and `012` stay text and whoever validates the data converts it. An empty plain
value is None. Every error names file, line, column and the fix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

from sysop.errors import SysopError

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 10_000

Place = tuple[str | int, ...]
"""Where a value is in a document: the keys and positions that lead to it."""

_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a YAML build without libyaml has no C parser
_START = (yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent)


@dataclass(frozen=True, slots=True)
class Document:
    """A value and the line each part of it stands on."""

    value: Any
    lines: Mapping[Place, int]


def load(text: str | bytes, *, name: str, error: type[SysopError], first_line: int = 1) -> Any:
    """Return the data of a document: dicts, lists, str and None. Raises `error`, whatever is wrong."""
    return read(text, name=name, error=error, first_line=first_line).value


def read(text: str | bytes, *, name: str, error: type[SysopError], first_line: int = 1) -> Document:
    """Return the data with line numbers. `first_line` is where the text begins in the file called `name`."""
    builder = _Builder(name, error, first_line)
    source = builder.decode(text)
    try:
        for event in yaml.parse(source, Loader=_PARSER):
            builder.take(event)
    except yaml.YAMLError as bad:
        builder.refuse_yaml(bad)
    return Document(builder.root, builder.lines)


@dataclass(slots=True)
class _Frame:
    """A list or mapping being filled; `key` waits for its value."""

    into: dict[str, Any] | list[Any]
    place: Place
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    name: str
    error: type[SysopError]
    first_line: int
    root: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    _stack: list[_Frame] = field(default_factory=list)
    _nodes: int = 0
    _documents: int = 0

    def decode(self, text: str | bytes) -> str:
        size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            raise self.error(f"{self.name}: {size} bytes are too much, {MAX_BYTES} are allowed; split the file")
        try:
            decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
            decoded.encode("utf-8")
        except UnicodeError as bad:
            raise self.error(f"{self.name}: not valid UTF-8 ({bad}); save the file as UTF-8") from None
        return decoded

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event.start_mark, "an alias (`*name`) is not allowed; write the value out")
        elif isinstance(event, _START):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event.start_mark, "a second document begins; remove the line `---`")

    def refuse_yaml(self, bad: yaml.YAMLError) -> NoReturn:
        mark = getattr(bad, "problem_mark", None) or getattr(bad, "context_mark", None)
        problem = getattr(bad, "problem", None) or getattr(bad, "reason", None) or "it cannot be read"
        fix = (
            "check indentation, brackets and quotes; quote a value that holds ': ' or ' #', or write it as a block `>-`"
        )
        if mark is None:
            where = getattr(bad, "position", 0)
            raise self.error(f"{self.name}: not valid YAML: {problem}; remove the character at {where}") from None
        self._refuse(mark, f"not valid YAML: {problem}; {fix}")

    def _begin(self, event: Any) -> None:
        mark = event.start_mark
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(mark, f"more than {MAX_NODES} values; split the file")
        if event.anchor is not None:
            self._refuse(
                mark, f"an anchor (`&{_short(event.anchor)}`) is not allowed; write the value out where it is used"
            )
        if event.tag is not None:
            self._refuse(mark, f"a tag (`{_short(event.tag)}`) is not allowed; write the plain value")
        if isinstance(event, yaml.ScalarEvent):
            self._place(event.value if event.value or event.style else None, event)
            return
        if len(self._stack) == MAX_DEPTH:
            self._refuse(mark, f"nested more than {MAX_DEPTH} deep; flatten it")
        into: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        place = self._place(into, event)
        self._stack.append(_Frame(into, place))

    def _place(self, value: Any, event: Any) -> Place:
        """Put a value where it belongs and return that place; for a key, the place of the mapping."""
        line = self.first_line + event.start_mark.line
        if not self._stack:
            self.root = value
            self.lines[()] = line
            return ()
        frame = self._stack[-1]
        if isinstance(frame.into, list):
            place = (*frame.place, len(frame.into))
            frame.into.append(value)
            self.lines[place] = line
            return place
        if frame.key is None:
            frame.key = self._key(frame.into, value, event)
            self.lines[(*frame.place, frame.key)] = line
            return frame.place
        place = (*frame.place, frame.key)
        frame.into[frame.key] = value
        frame.key = None
        return place

    def _key(self, into: dict[str, Any], value: Any, event: Any) -> str:
        if not isinstance(value, str) or not value:
            self._refuse(event.start_mark, "a key must be plain text; write `key: value`")
        if value in into:
            self._refuse(event.start_mark, f"the key {_short(value)!r} is there twice; remove one of them")
        return value

    def _refuse(self, mark: Any, message: str) -> NoReturn:
        raise self.error(f"{self.name}:{self.first_line + mark.line}:{mark.column + 1}: {message}") from None


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
