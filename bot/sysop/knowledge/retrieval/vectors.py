"""The index of meaning: a vector for each name and each part of every page, and the pages nearest to a question."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sysop.knowledge.document import Document
from sysop.knowledge.retrieval.chunks import in_words, names, parts, readable
from sysop.knowledge.retrieval.semantic import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sysop.knowledge.retrieval.semantic import Vectors

NEAREST: Final = 60
"""How many vectors of all give candidates."""

Progress = Callable[[int, int], None]
"""Is told how many texts are done of how many."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosines between a question and a page: of its nearest name, its nearest part, and the mean of the nearest three.

    `part` is the number of the nearest part, None where the page has none.
    """

    name: float
    best: float
    three: float
    part: int | None


@dataclass(frozen=True)
class _Loaded:
    """All vectors in memory, those of one page side by side: first its names, then its parts."""

    matrix: Vectors
    page_of: NDArray[np.int32]
    ids: Sequence[str]
    spans: Mapping[str, tuple[int, int, int]]  # id -> first row, first row of a part, row after the last


class VectorStore:
    """Vectors in a file of a folder or, without one, in memory. Those of another embedder are thrown away."""

    def __init__(self, embedder: Embedder, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._embedder = embedder
        self._db = sqlite3.connect(folder / "vectors.sqlite" if folder else ":memory:", check_same_thread=False)
        self._loaded: _Loaded | None = None
        with self._db:
            self._db.execute("CREATE TABLE IF NOT EXISTS made_by (name TEXT)")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS page"
                " (id TEXT PRIMARY KEY, digests TEXT NOT NULL, names INTEGER NOT NULL, vectors BLOB NOT NULL)"
            )
            if self._db.execute("SELECT name FROM made_by").fetchall() != [(embedder.name,)]:
                self.clear()

    def __len__(self) -> int:
        """Return how many pages have vectors."""
        return int(self._db.execute("SELECT count(*) FROM page").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def clear(self) -> None:
        """Forget all vectors."""
        with self._db:
            self._db.execute("DELETE FROM page")
            self._db.execute("DELETE FROM made_by")
            self._db.execute("INSERT INTO made_by VALUES (?)", (self._embedder.name,))
        self._loaded = None

    def update(self, added: Iterable[Document], removed: Iterable[str], progress: Progress | None = None) -> None:
        """Write the vectors of pages and forget those of others. Only texts that were not there before are read."""
        with self._db:
            self._db.executemany("DELETE FROM page WHERE id = ?", ((id,) for id in removed))
        pages = list(added)
        for done, document in enumerate(pages):
            self._add(document)
            if progress is not None:
                progress(done + 1, len(pages))
        self._loaded = None

    def _add(self, document: Document) -> None:
        import numpy as np

        called, texts = _texts(document)
        digests = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
        known = self._known(document.id)
        new = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in known}
        for digest, row in zip(new, self._embedder.embed(new.values()), strict=True):
            known[digest] = row
        rows = np.stack([known[digest] for digest in digests])
        with self._db:
            row = (document.id, json.dumps(digests), called, rows.astype("<f4").tobytes())
            self._db.execute("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?)", row)

    def _known(self, id: str) -> dict[str, Vectors]:
        found = self._db.execute("SELECT digests, vectors FROM page WHERE id = ?", (id,)).fetchone()
        return dict(zip(json.loads(found[0]), self._rows(found[1]), strict=True)) if found else {}

    def _rows(self, blob: bytes) -> Vectors:
        import numpy as np

        return np.frombuffer(blob, "<f4").reshape(-1, self._embedder.size)

    def _load(self) -> _Loaded:
        import numpy as np

        if self._loaded is not None:
            return self._loaded
        ids: list[str] = []
        blobs: list[bytes] = []
        spans: dict[str, tuple[int, int, int]] = {}
        row = 0
        with closing(self._db.execute("SELECT id, names, vectors FROM page ORDER BY id")) as pages:
            for id, called, blob in pages:
                end = row + len(blob) // (4 * self._embedder.size)
                ids.append(id)
                blobs.append(blob)
                spans[id] = (row, row + called, end)
                row = end
        counts = [end - first for first, _, end in spans.values()]
        page_of = np.repeat(np.arange(len(ids), dtype=np.int32), counts)
        self._loaded = _Loaded(self._rows(b"".join(blobs)), page_of, ids, spans)
        return self._loaded

    def near(self, question: str, also: Callable[[Iterable[str]], Iterable[str]]) -> dict[str, Likeness]:
        """Return the pages nearest to a question, and those that `also` names when it is given these, by id."""
        import numpy as np

        loaded = self._load()
        if not loaded.ids:
            return {}
        scores = loaded.matrix @ self._embedder.embed([question])[0]
        count = min(NEAREST, len(scores))
        rows = np.argpartition(-scores, count - 1)[:count]
        nearest = [loaded.ids[page] for page in np.unique(loaded.page_of[rows])]
        wanted = dict.fromkeys([*nearest, *also(nearest)])
        return {id: _likeness(scores, loaded.spans[id]) for id in wanted if id in loaded.spans}


def _texts(document: Document) -> tuple[int, list[str]]:
    """Return how many names a page has, and what is embedded of it: those, then its parts."""
    called = [in_words(name) for name in names(document)]
    return len(called), [*called, *_parts(document)]


def _parts(document: Document) -> Iterator[str]:
    return (readable(part, document.title) for part in parts(document))


def _likeness(scores: Vectors, span: tuple[int, int, int]) -> Likeness:
    first, middle, end = span
    name = float(scores[first:middle].max()) if middle > first else 0.0
    of_parts = sorted(((float(s), n) for n, s in enumerate(scores[middle:end])), reverse=True)
    if not of_parts:
        return Likeness(name, name, name, None)
    three = [score for score, _ in of_parts[:3]]
    return Likeness(name, of_parts[0][0], sum(three) / len(three), of_parts[0][1])
