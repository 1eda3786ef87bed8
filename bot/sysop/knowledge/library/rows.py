"""Tables of HTML as lines of text, the cells of a row side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sysop.knowledge.library.tags import Tag

MAX_ROWS: Final = 1_000
_MOST_CELLS: Final = 50
_LONGEST_CELL: Final = 2_000


@dataclass(slots=True)
class Rows:
    """Takes the tags of tables with the text before each. A table in a cell adds its cells to the row."""

    open: bool = False
    _cells: list[str] = field(default_factory=list)
    _tables: int = 0
    _count: int = 0

    def take(self, tag: Tag, text: str) -> Iterator[str]:
        """Yield the lines that are complete."""
        self._add(text)
        if tag.name == "table":
            yield from self._table(tag)
        elif tag.name == "tr" and self._tables <= 1:
            yield from self._row()
        if tag.name in ("td", "th", "tr") and self._tables:
            self.open = not tag.close or tag.name != "tr" or self._tables > 1

    def end(self, text: str) -> Iterator[str]:
        """Yield what is left where something else begins or the page ends."""
        self._add(text)
        yield from self._row()
        self.open, self._tables = False, 0

    def _table(self, tag: Tag) -> Iterator[str]:
        self._tables = max(self._tables + (-1 if tag.close else 1), 0)
        if self._tables == 0 or (self._tables == 1 and not tag.close):
            yield from self._row()
            if self._count > MAX_ROWS:
                yield f"({self._count - MAX_ROWS} more rows are left out)"
            self.open, self._count = False, 0

    def _add(self, text: str) -> None:
        if text and len(self._cells) < _MOST_CELLS:
            self._cells.append(text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…")

    def _row(self) -> Iterator[str]:
        if self._cells:
            self._count += 1
            if self._count <= MAX_ROWS:
                yield " | ".join(self._cells)
            self._cells = []
