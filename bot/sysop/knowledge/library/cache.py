"""What the library has read, in an SQLite file of its own: rebuilt at will, never the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sysop.knowledge.document import Document
from sysop.knowledge.library import stored
from sysop.knowledge.library.cachefile import CacheFile
from sysop.page_source import BrokenPage

VERSION: Final = 1
_CHUNK: Final = 500
_ORDER: Final = "kind <> 'runbook', length(id), path"

_TABLES: Final = """
CREATE TABLE page (
  path TEXT PRIMARY KEY, source TEXT NOT NULL, stamp TEXT NOT NULL, id TEXT NOT NULL, url TEXT NOT NULL,
  digest TEXT NOT NULL, kind TEXT NOT NULL, file TEXT NOT NULL, stem TEXT NOT NULL, place TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX page_id ON page (id);
CREATE INDEX page_file ON page (file);
CREATE INDEX page_stem ON page (stem);
CREATE INDEX page_place ON page (place);
CREATE INDEX page_reason ON page (path) WHERE reason <> '';
CREATE TABLE content (path TEXT PRIMARY KEY, document TEXT NOT NULL, raw BLOB);
CREATE TABLE alert (name TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (name, path)) WITHOUT ROWID;
CREATE INDEX alert_path ON alert (path);
CREATE TABLE pending (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE trouble (path TEXT NOT NULL, reason TEXT NOT NULL, stale INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What must be known of a page to see whether it has changed."""

    source: str
    stamp: str
    id: str
    url: str
    digest: str


@dataclass(frozen=True, slots=True)
class Row:
    """One page as it is written. Without a document it is one that cannot be used."""

    path: str
    source: str
    stamp: str
    id: str
    url: str
    digest: str
    document: Document | None
    raw: bytes | None
    reason: str


class Cache:
    """Pages by path. Any thread may ask; one process at a time writes, see `CacheFile.writer`."""

    def __init__(self, folder: Path | None) -> None:
        self.file = CacheFile(None if folder is None else folder / "library.sqlite", _TABLES, VERSION)

    def known(self) -> dict[str, Known]:
        """Return every page by path."""
        pages = self.file.rows("SELECT path, source, stamp, id, url, digest FROM page")
        return {path: Known(*facts) for path, *facts in pages}

    def pending(self) -> list[str]:
        """Return the ids the index may know otherwise than this cache does: somebody died between the two."""
        return [id for (id,) in self.file.rows("SELECT id FROM pending")]

    def announce(self, ids: Iterable[str]) -> None:
        """Write down, durably, which ids the index is about to be told of."""
        with self.file.writing() as connection:
            connection.executemany("INSERT OR IGNORE INTO pending VALUES (?)", [(id,) for id in ids])

    def settle(self) -> None:
        """Take every announcement back: the index knows what this cache does."""
        if self.pending():
            with self.file.writing() as connection:
                connection.execute("DELETE FROM pending")

    def write(self, rows: Sequence[Row], gone: Iterable[str] = (), settled: Iterable[str] = ()) -> None:
        """Replace rows, remove those at the paths that are gone, and take the announcement of the settled ids back."""
        with self.file.writing() as connection:
            paths = [(path,) for path in (*gone, *(row.path for row in rows))]
            for table in ("page", "content", "alert"):
                connection.executemany(f"DELETE FROM {table} WHERE path = ?", paths)  # noqa: S608  our own names
            connection.executemany("INSERT INTO page VALUES (?,?,?,?,?,?,?,?,?,?,?)", map(_page, rows))
            full = [(row.path, row.document, row.raw) for row in rows if row.document is not None]
            connection.executemany(
                "INSERT INTO content VALUES (?,?,?)", ((path, stored.written(page), raw) for path, page, raw in full)
            )
            connection.executemany(
                "INSERT INTO alert VALUES (?,?)", ((name, path) for path, page, _ in full for name in set(page.alerts))
            )
            connection.executemany("DELETE FROM pending WHERE id = ?", [(id,) for id in settled])

    def restamp(self, stamps: Iterable[tuple[str, str]]) -> None:
        """Write stamps, each with its path, of pages whose bytes are what they were."""
        if stamps := list(stamps):
            with self.file.writing() as connection:
                connection.executemany("UPDATE page SET stamp = ? WHERE path = ?", stamps)

    def tell(self, broken: Sequence[BrokenPage], stale: Sequence[BrokenPage]) -> None:
        """Keep what could not be listed or read this time, and which sources could not be scanned."""
        now = [(b.path, b.reason, 0) for b in broken] + [(b.path, b.reason, 1) for b in stale]
        if sorted(now) != sorted(self.file.rows("SELECT path, reason, stale FROM trouble")):
            with self.file.writing() as connection:
                connection.execute("DELETE FROM trouble")
                connection.executemany("INSERT INTO trouble VALUES (?,?,?)", now)

    def stale(self) -> list[BrokenPage]:
        """Return the sources that could not be scanned last time."""
        return [
            BrokenPage(*row) for row in self.file.rows("SELECT path, reason FROM trouble WHERE stale ORDER BY path")
        ]

    def broken(self) -> list[BrokenPage]:
        """Return the pages that are not used or not wholly, by path."""
        return [
            BrokenPage(*row)
            for row in self.file.rows(
                "SELECT path, reason FROM trouble WHERE NOT stale UNION "
                "SELECT path, reason FROM page WHERE reason <> '' ORDER BY path, reason"
            )
        ]

    def row(self, path: str) -> Row | None:
        """Return all that is kept of a page, None where there is none."""
        query = "SELECT source, stamp, id, url, digest, document, raw, reason FROM page LEFT JOIN content USING (path)"
        for source, stamp, id, url, digest, page, raw, reason in self.file.rows(f"{query} WHERE path = ?", path):
            return Row(path, source, stamp, id, url, digest, stored.read(page) if page else None, raw, reason)
        return None

    def document(self, path: str) -> Document | None:
        """Return the document at a path, None where there is none."""
        found = self.file.rows("SELECT document FROM content WHERE path = ?", path)
        return stored.read(found[0][0]) if found else None

    def raw(self, path: str) -> bytes | None:
        """Return the bytes of the runbook at a path, None where there is none."""
        found = self.file.rows("SELECT raw FROM content WHERE path = ?", path)
        return found[0][0] if found else None

    def paths(self, column: str, value: str) -> list[str]:
        """Return the paths of pages by id, file, stem or place: runbooks first, then those of the shortest id."""
        if column not in ("id", "file", "stem", "place", "path"):
            raise ValueError(column)
        query = f"SELECT path FROM page WHERE {column} = ? ORDER BY {_ORDER}"  # noqa: S608  checked
        return [path for (path,) in self.file.rows(query, value)]

    def named(self, alert: str) -> list[str]:
        """Return the paths of the pages that name an alert, runbooks first."""
        query = f"SELECT path FROM alert JOIN page USING (path) WHERE name = ? ORDER BY {_ORDER}"  # noqa: S608  our own
        return [path for (path,) in self.file.rows(query, alert)]

    def reason(self, path: str) -> str:
        """Return what is wrong with the page at a path, empty if nothing is."""
        found = self.file.rows("SELECT reason FROM page WHERE path = ?", path)
        return str(found[0][0]) if found else ""

    def stems(self) -> set[str]:
        """Return the file names of all pages, without the suffix."""
        return {stem for (stem,) in self.file.rows("SELECT DISTINCT stem FROM page")}

    def counts(self) -> dict[str, int]:
        """Return how many documents each source has."""
        return dict(self.file.rows("SELECT source, count(*) FROM page JOIN content USING (path) GROUP BY source"))

    def revisions(self) -> dict[str, str]:
        """Return the digest of every runbook by path."""
        return dict(self.file.rows("SELECT path, digest FROM page WHERE kind = 'runbook' ORDER BY path"))

    def count(self) -> int:
        """Return how many documents there are."""
        return sum(count for (count,) in self.file.rows("SELECT count(*) FROM content"))

    def documents(self, runbooks: bool = False) -> Iterator[tuple[Document, bytes | None]]:
        """Yield every document with the bytes of a runbook, by path; what is written meanwhile may be seen or not."""
        last = ""
        only = "raw IS NOT NULL AND" if runbooks else ""
        query = f"SELECT path, document, raw FROM content WHERE {only} path > ? ORDER BY path LIMIT {_CHUNK}"  # noqa: S608
        while found := self.file.rows(query, last):
            last = found[-1][0]
            for _, document, raw in found:
                yield stored.read(document), raw


def _page(row: Row) -> tuple[str, ...]:
    file = row.path.rpartition("/")[2]
    url = row.document.url if row.document else row.url
    kind = row.document.kind if row.document else ""
    place = stored.place(url) if url else ""
    stem = file.rpartition(".")[0]
    return (row.path, row.source, row.stamp, row.id, row.url, row.digest, kind, file, stem, place, row.reason)
