"""All vectors in memory at one time: a question's nearest pages, while other vectors are being written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sysop.knowledge.retrieval.semantic import Vectors

NEAREST: Final = 60
"""How many vectors of all give candidates."""
_GONE: Final = -1
_ROOM: Final = 8  # an eighth more rows than there are, for pages to come


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosines between a question and a page: of its nearest name, its nearest part, and the mean of the nearest three.

    `part` is the number of the nearest part, None where the page has none.
    """

    name: float
    best: float
    three: float
    part: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of one page: its names from `first`, its parts from `part`, before `end`. `mark` tells what was read."""

    mark: str
    first: int
    part: int
    end: int


@dataclass(frozen=True, slots=True)
class Changed:
    """The vectors of a page that was written: `names` of them are of its names."""

    id: str
    mark: str
    names: int
    vectors: Vectors


@dataclass(frozen=True)
class Nearby:
    """The vectors of one time. `page_of` holds the number of each row's page in `ids`, -1 for a row that is gone.

    Rows after `used` are room for more. They are written once and only from the latest time, so an earlier one keeps
    what it has.
    """

    matrix: Vectors
    page_of: NDArray[np.int32]
    ids: Sequence[str]
    spans: Mapping[str, Span]
    used: int

    @classmethod
    def empty(cls) -> Nearby:
        """Return no vectors."""
        import numpy as np

        return cls(np.zeros((0, 0), np.float32), np.zeros(0, np.int32), (), {}, 0)

    def near(self, asked: Vectors, also: Callable[[Iterable[str]], Iterable[str]]) -> dict[str, Likeness]:
        """Return the pages nearest to a vector, and those that `also` names when it is given these, by id."""
        import numpy as np

        if not self.spans:
            return {}
        scores = self.matrix[: self.used] @ asked
        scores[self.page_of == _GONE] = -1.0
        count = min(NEAREST, self.used)
        rows = np.argpartition(-scores, count - 1)[:count]
        nearest = [self.ids[page] for page in np.unique(self.page_of[rows]) if page != _GONE]
        wanted = dict.fromkeys([*nearest, *also(nearest)])
        return {id: _likeness(scores, self.spans[id]) for id in wanted if id in self.spans}

    def changed(self, changed: Iterable[Changed], rows: int, gone: Iterable[str]) -> Nearby:
        """Return the vectors after pages were written, of `rows` vectors in all, and others are gone."""
        import numpy as np

        spans, left, matrix = dict(self.spans), self.page_of.copy(), self.matrix
        ids, used = list(self.ids), self.used
        added = np.full(rows, _GONE, np.int32)
        for id in gone:
            _forget(spans, left, id)
        for page in changed:
            _forget(spans, left, page.id)
            end = used + len(page.vectors)
            if end > len(matrix):
                matrix = self._roomy(self.used + rows, page.vectors.shape[1])
            matrix[used:end] = page.vectors
            added[used - self.used : end - self.used] = len(ids)
            spans[page.id] = Span(page.mark, used, used + page.names, end)
            ids.append(page.id)
            used = end
        page_of = np.concatenate([left, added[: used - self.used]])
        return Nearby(matrix, page_of, ids, spans, used)

    def _roomy(self, wanted: int, size: int) -> Vectors:
        """Return a copy of the matrix with room for as many rows, and for some to come."""
        import numpy as np

        found = np.empty((wanted + wanted // _ROOM, size), np.float32)
        if self.used:
            found[: self.used] = self.matrix[: self.used]
        return found

    @property
    def wasteful(self) -> bool:
        """Return whether more than a quarter of the rows is of pages that are gone: time to load them anew."""
        import numpy as np

        return self.used > 1_000 and int(np.count_nonzero(self.page_of == _GONE)) * 4 > self.used


def _forget(spans: dict[str, Span], page_of: NDArray[np.int32], id: str) -> None:
    span = spans.pop(id, None)
    if span is not None:
        page_of[span.first : span.end] = _GONE


def _likeness(scores: Vectors, span: Span) -> Likeness:
    name = float(scores[span.first : span.part].max()) if span.part > span.first else 0.0
    of_parts = sorted(((float(s), n) for n, s in enumerate(scores[span.part : span.end])), reverse=True)
    if not of_parts:
        return Likeness(name, name, name, None)
    three = [score for score, _ in of_parts[:3]]
    return Likeness(name, of_parts[0][0], sum(three) / len(three), of_parts[0][1])
