"""Brings cache and index up to what the sources hold, reading only what has changed.

The index is told before the cache is written, and which ids it is about to be told of is written down before that. So
whoever dies in between leaves work to be repeated, and nothing that is never looked at again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from sysop.errors import LibraryError
from sysop.knowledge.document import Document
from sysop.knowledge.library.cache import Cache, Known, Row
from sysop.knowledge.library.listing import Listed, Listing, listed
from sysop.knowledge.library.reading import read
from sysop.page_source import BrokenPage, PageSource

_BATCH: Final = 200
_BATCH_BYTES: Final = 4 * 1024 * 1024
_TELL_S: Final = 0.1

Progress = Callable[[int, int, str], None]
"""Called with how many pages are done, of how many, and the path of the last one."""


class Index(Protocol):
    """What finds documents. When a method returns, what it did is durable."""

    def update(self, added: Iterable[Document], removed: Iterable[str]) -> None:
        """Take documents in, each in place of the one of its id, and forget the ids that are removed."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What a refresh found: paths of pages, what is not used and why, and the sources that could not be scanned.

    `waiting` says that another process was at it, so that nothing was read.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    broken: tuple[BrokenPage, ...] = ()
    stale: tuple[BrokenPage, ...] = ()
    seconds: float = 0.0
    waiting: str = ""

    def __bool__(self) -> bool:
        """Tell whether any page is another one now."""
        return bool(self.added or self.changed or self.removed)


@dataclass(slots=True)
class Batch:
    """Pages read but not yet written, and the ids the index must forget with them."""

    rows: list[Row] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    stamps: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0

    @property
    def full(self) -> bool:
        """Tell whether it is time to write."""
        return max(len(self.rows), len(self.stamps)) >= _BATCH or self.bytes >= _BATCH_BYTES


@dataclass(slots=True)
class Refresh:
    """One run over all sources."""

    cache: Cache
    index: Index
    progress: Progress | None = None
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    _known: Mapping[str, Known] = field(default_factory=dict)
    _touched: set[str] = field(default_factory=set)
    _batch: Batch = field(default_factory=Batch)
    _broken: list[BrokenPage] = field(default_factory=list)
    _told: float = 0.0

    def run(self, sources: Sequence[PageSource]) -> None:
        """Do all of it. Raises LibraryError where the cache cannot be written."""
        if not self.cache.file.usable:
            self.index.clear()
        self.cache.file.make()
        self._known = self.cache.known()
        listing = listed(sources, self._known)
        self._broken = listing.broken
        self._forget(listing)
        work = [(path, page) for path, page in listing.pages.items() if self._differs(path, page)]
        for count, (path, page) in enumerate(work, 1):
            self._take(path, page)
            if self._batch.full:
                self._write()
            self._tell(count, len(work), path)
        self._write()
        self.cache.settle()
        self.cache.tell(self._broken, listing.stale)

    def _forget(self, listing: Listing) -> None:
        """Remove what is gone, and every id that no page has any more.

        An id that went from one page to another, and one that a process died over, is told to the index again.
        """
        now = listing.pages
        gone = [path for path in self._known if path not in now]
        moved = {page.id for path, page in self._known.items() if path not in now or now[path].id != page.id}
        self._touched = moved.union(self.cache.pending())
        if gone or self._touched:
            self.cache.announce(self._touched)
            self.index.update((), sorted(self._touched - listing.ids))
            self.cache.write((), gone)
        self.removed += gone

    def _differs(self, path: str, page: Listed) -> bool:
        known = self._known.get(path)
        if known is None or page.id != known.id or page.id in self._touched or page.source != known.source:
            return True
        return page.entry is not None and (page.entry.stamp, page.entry.url) != (known.stamp, known.url)

    def _take(self, path: str, page: Listed) -> None:
        known, entry = self._known.get(path), page.entry
        if entry is None or (known and (entry.stamp, page.source) == (known.stamp, known.source)):
            self._again(path, page)
            return
        try:
            data = entry.read()
        except LibraryError as bad:
            self._broken.append(BrokenPage(path, f"{path}: {bad}"))
            data = None
        if data is None:
            self._lost(path, page)
            return
        self._batch.bytes += len(data)
        self._read(path, page, entry.stamp, entry.url, data)

    def _read(self, path: str, page: Listed, stamp: str, url: str, data: bytes) -> None:
        found, known = read(data, id=page.id, path=path, url=url), self._known.get(path)
        same = known is not None and (known.digest, known.id, known.url) == (found.digest, page.id, url)
        if known is not None and same and page.source == known.source and page.id not in self._touched:
            self._batch.stamps.append((stamp, path))
            return
        if known is None:
            self.added.append(path)
        elif not same:
            self.changed.append(path)
        self._keep(Row(path, page.source, stamp, page.id, url, found.digest, found.document, found.raw, found.reason))

    def _again(self, path: str, page: Listed) -> None:
        """Write a page whose bytes are what they were under another id or address, or only tell the index again."""
        row = self.cache.row(path)
        if row is None:
            return
        url = page.entry.url if page.entry else row.url
        if (row.id, row.url) != (page.id, url):
            self.changed.append(path)
        document = row.document
        if document is not None:
            document = replace(document, id=page.id, url=url if document.url == row.url else document.url)
        self._keep(replace(row, id=page.id, url=url, document=document))

    def _keep(self, row: Row) -> None:
        self._batch.rows.append(row)
        if row.document is None:
            self._batch.removed.add(row.id)

    def _lost(self, path: str, page: Listed) -> None:
        """Forget a page that is gone by now, or that cannot be read."""
        self._batch.removed.add(page.id)
        if path in self._known:
            self._batch.gone.append(path)
            self.removed.append(path)

    def _write(self) -> None:
        batch, self._batch = self._batch, Batch()
        ids = {row.id for row in batch.rows} | batch.removed
        if ids:
            fresh = ids - self._touched
            self.cache.announce(fresh)
            added = [row.document for row in batch.rows if row.document is not None]
            self.index.update(added, sorted(batch.removed))
            self.cache.write(batch.rows, batch.gone, fresh)
        self.cache.restamp(batch.stamps)

    def _tell(self, done: int, total: int, path: str) -> None:
        now = time.monotonic()
        if self.progress is not None and (done == total or now - self._told >= _TELL_S):
            self._told = now
            self.progress(done, total, path)


def documents(cache: Cache) -> Iterator[Sequence[Document]]:
    """Yield every document in batches."""
    batch: list[Document] = []
    for document, _ in cache.documents():
        batch.append(document)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch
