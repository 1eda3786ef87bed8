"""The index of meaning: a vector for each name and each part of every page, kept in a file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sysop.knowledge.document import Document
from sysop.knowledge.retrieval.chunks import in_words, names, parts, readable
from sysop.knowledge.retrieval.nearby import Changed, Nearby
from sysop.knowledge.retrieval.semantic import Embedder, MeaningAway

if TYPE_CHECKING:
    from sysop.knowledge.retrieval.semantic import Vectors

FILE: Final = "vectors.sqlite"
FORMAT: Final = 3
"""Of the file: another number whenever its tables change."""
_WAIT_S: Final = 30.0
_MANY: Final = 500  # of so many changed pages all are read in one go

Progress = Callable[[int, int], None]
"""Is told how many pages are done of how many."""

# `mark` tells what was read for a page; a `stale` page was forgotten and is kept because its texts may come again;
# the texts of a `waiting` one could not be turned into vectors yet
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS page (
    id TEXT PRIMARY KEY,
    mark TEXT NOT NULL,
    stale INTEGER NOT NULL,
    digests TEXT NOT NULL,
    names INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    vectors BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS written ON page (stale, id, mark, rows);
CREATE TABLE IF NOT EXISTS waiting (id TEXT PRIMARY KEY, names INTEGER NOT NULL, texts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS made_by (name TEXT NOT NULL);
"""
_OLD: Final = "DROP TABLE IF EXISTS page; DROP TABLE IF EXISTS waiting; DROP TABLE IF EXISTS made_by;"


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is read of a page: its `names` come first, then its parts."""

    id: str
    names: int
    texts: Sequence[str]

    @classmethod
    def of(cls, document: Document) -> _Texts:
        called = [in_words(name) for name in names(document)]
        return cls(document.id, len(called), [*called, *(readable(part, document.title) for part in parts(document))])


class VectorStore:
    """Vectors in a file of a folder or, without one, in memory. Those of another embedder are thrown away.

    Any thread may ask; updates wait for each other. Raises sqlite3.DatabaseError where the file is damaged.
    """

    def __init__(self, embedder: Embedder, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.embedder = embedder
        place = folder / FILE if folder else ":memory:"
        self._db = sqlite3.connect(place, timeout=_WAIT_S, check_same_thread=False, isolation_level=None)
        self._writing = threading.Lock()
        self._turn = threading.Lock()  # of the connection; no model is asked meanwhile
        self._view: Nearby | None = None
        self._seen = -1
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        if int(self._db.execute("PRAGMA user_version").fetchone()[0]) != FORMAT:
            self._db.executescript(f"{_OLD} {_TABLES}")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
        if self._db.execute("SELECT name FROM made_by").fetchall() != [(self.embedder.name,)]:
            self._db.execute("BEGIN IMMEDIATE")
            for table in ("page", "waiting", "made_by"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608  no text from outside
            self._db.execute("INSERT INTO made_by VALUES (?)", (self.embedder.name,))
            self._db.execute("COMMIT")

    def __len__(self) -> int:
        """Return how many pages there are, those that wait for their vectors among them."""
        with self._turn:
            done = self._db.execute("SELECT count(*) FROM page WHERE stale = 0").fetchone()[0]
            return int(done) + self._waiting()

    @property
    def waiting(self) -> int:
        """Return how many pages wait for their vectors, because the embedder was away."""
        with self._turn:
            return self._waiting()

    def _waiting(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def check(self) -> None:
        """Read the whole file; raise sqlite3.DatabaseError where it is damaged."""
        with self._turn:
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._db.close()

    def clear(self) -> None:
        """Forget all pages. Texts that come again before `settle` need not be read again."""
        with self._turn:
            self._db.execute("UPDATE page SET stale = 1")
            self._db.execute("DELETE FROM waiting")
            self._view = None

    def settle(self) -> None:
        """Throw away what was forgotten by `clear` and did not come again."""
        with self._turn:
            self._db.execute("DELETE FROM page WHERE stale = 1")

    def update(self, added: Iterable[Document], removed: Iterable[str], progress: Progress | None = None) -> None:
        """Write the vectors of pages and forget those of others. Only texts that were not there before are read.

        Each page is durable when `progress` hears of it: a long work that was broken off goes on where it was. Where
        the embedder is away, pages wait for `catch_up` and are found by their words.
        """
        with self._writing:
            with self._turn:
                gone = [(id,) for id in removed]
                self._db.executemany("DELETE FROM page WHERE id = ?", gone)
                self._db.executemany("DELETE FROM waiting WHERE id = ?", gone)
            self._read_all([_Texts.of(document) for document in added], progress)

    def catch_up(self, progress: Progress | None = None) -> None:
        """Read the pages that wait for their vectors."""
        with self._writing:
            with self._turn:
                rows = self._db.execute("SELECT id, names, texts FROM waiting ORDER BY id").fetchall()
            self._read_all([_Texts(id, called, json.loads(texts)) for id, called, texts in rows], progress)

    def _read_all(self, pages: Sequence[_Texts], progress: Progress | None) -> None:
        away = False
        for done, page in enumerate(pages, 1):
            away = not self._read(page, away)
            if progress is not None:
                progress(done, len(pages))
        with self._turn:
            if self._view is not None:
                self._view = self._grown(self._view)

    def reload(self) -> None:
        """See what another process has written since. Only pages that it wrote are read."""
        with self._turn:
            if self._view is not None and self._version() != self._seen:
                self._view = self._grown(self._view)

    @property
    def view(self) -> Nearby:
        """Return the vectors that are there now, and stay so. The first to ask waits until they are in memory."""
        found = self._view
        if found is None:
            with self._turn:
                found = self._view = self._view or self._grown(Nearby.empty())
        return found

    def _version(self) -> int:
        """Return a number that changes when another connection writes."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _read(self, page: _Texts, away: bool) -> bool:
        """Write one page and return True, or let it wait and return False where the embedder is away."""
        digests = [hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32] for text in page.texts]
        with self._turn:
            known = dict(self._known(page.id))
        new = {digest: text for digest, text in zip(digests, page.texts, strict=True) if digest not in known}
        try:
            if new and away:
                raise MeaningAway("it was away for the page before")
            known.update(zip(new, self.embedder.embed(new.values()) if new else (), strict=True))
        except MeaningAway:
            with self._turn:
                self._db.execute("DELETE FROM page WHERE id = ?", (page.id,))
                row = (page.id, page.names, json.dumps(page.texts))
                self._db.execute("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)", row)
            return False
        self._write(page, digests, known)
        return True

    def _write(self, page: _Texts, digests: Sequence[str], known: Mapping[str, Vectors]) -> None:
        import numpy as np

        told = json.dumps(digests)
        mark = hashlib.sha256(f"{page.names} {told}".encode()).hexdigest()[:32]
        rows = np.stack([known[digest] for digest in digests]).astype("<f4")
        with self._turn:
            self._db.execute(
                "INSERT OR REPLACE INTO page VALUES (?, ?, 0, ?, ?, ?, ?)",
                (page.id, mark, told, page.names, len(rows), rows.tobytes()),
            )
            self._db.execute("DELETE FROM waiting WHERE id = ?", (page.id,))

    def _known(self, id: str) -> Iterator[tuple[str, Vectors]]:
        found = self._db.execute("SELECT digests, vectors FROM page WHERE id = ?", (id,)).fetchone()
        if found:
            digests = json.loads(found[0])
            yield from zip(digests, _rows(found[1], len(digests)), strict=True)

    def _grown(self, view: Nearby) -> Nearby:
        """Return what the file holds now, taking from a view whatever is the same there."""
        self._seen = self._version()
        self._db.execute("BEGIN")  # all of one time, whatever another process writes
        try:
            found = self._since(view)
            return self._since(Nearby.empty()) if found.wasteful else found
        finally:
            self._db.execute("COMMIT")

    def _since(self, view: Nearby) -> Nearby:
        query = "SELECT id, mark, rows FROM page WHERE stale = 0"
        there = {id: (mark, rows) for id, mark, rows in self._db.execute(query)}
        changed = {
            id: rows for id, (mark, rows) in there.items() if id not in view.spans or view.spans[id].mark != mark
        }
        gone = [id for id in view.spans if id not in there]
        return view.changed(self._changed(changed), sum(changed.values()), gone)

    def _changed(self, ids: Collection[str]) -> Iterator[Changed]:
        query = "SELECT id, mark, names, rows, vectors FROM page"
        if len(ids) > _MANY:
            found = self._db.execute(f"{query} WHERE stale = 0")
        else:
            marks = ", ".join("?" * len(ids))
            found = self._db.execute(f"{query} WHERE id IN ({marks})", tuple(ids))
        for id, mark, called, count, blob in found:
            if id in ids:
                yield Changed(id, mark, called, _rows(blob, count))


def _rows(blob: bytes, count: int) -> Vectors:
    import numpy as np

    return np.frombuffer(blob, "<f4").reshape(count, -1)
