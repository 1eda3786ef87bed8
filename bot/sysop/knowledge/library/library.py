"""All pages of all sources: what they say, found by name, alert or address, and kept up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sysop.errors import RunbookError
from sysop.inventory import nearest
from sysop.knowledge.document import Document
from sysop.knowledge.library import stored
from sysop.knowledge.library.cache import Cache
from sysop.knowledge.library.cachefile import CacheLost
from sysop.knowledge.library.refresh import Changes, Index, Progress, Refresh, documents
from sysop.page_source import BrokenPage, PageSource

PATIENCE_S: Final = 3.0
"""How long another process may keep writing before what is there is used."""
_WAITING: Final = "another process is reading the sources; what it has read so far is used"


class Library:
    """The pages of some sources, an earlier source before a later one. Nothing is read before `refresh`.

    `folder` is where the cache lies, in memory where none is given; several processes may share it. Any thread may ask.
    """

    def __init__(self, sources: Sequence[PageSource], folder: Path | None, index: Index) -> None:
        self.sources = tuple(sources)
        self._cache = Cache(folder)
        self._index = index
        self._turn = threading.Lock()

    def refresh(self, progress: Progress | None = None, *, patience: float = PATIENCE_S) -> Changes:
        """Read what has changed, forget what is gone, tell the index, and return what was found.

        Where another thread or process is at it for longer than `patience` seconds, nothing is read and `waiting` says
        so. Raises LibraryError where the cache cannot be written.
        """
        began = time.monotonic()
        if not self._turn.acquire(timeout=patience):
            return self._waiting(began)
        try:
            with self._cache.file.writer(patience) as ours:
                return self._refreshed(progress, began) if ours else self._waiting(began)
        finally:
            self._turn.release()
            for source in self.sources:
                source.close()

    def feed(self) -> bool:
        """Tell the index everything again, such as when it has lost what it knew; False where another one writes."""
        with self._turn, self._cache.file.writer(PATIENCE_S) as ours:
            if ours:
                self._index.clear()
                for batch in documents(self._cache):
                    self._index.update(batch, ())
            return ours

    def close(self) -> None:
        """Close the cache."""
        self._cache.file.close()

    def get(self, name: str) -> Document:
        """Return a page by its path, id, file name or file name without suffix; a runbook before a page of prose.

        Raises RunbookError with what is wrong with the page, or the nearest name.
        """
        for column in ("path", "id", "file", "stem"):
            for path in self._cache.paths(column, name):
                if found := self._cache.document(path):
                    return found
                raise RunbookError(f"runbook {name} is broken: {self._cache.reason(path)}")
        for broken in self.broken:
            file = broken.path.rpartition("/")[2]
            if name in (broken.path, file, file.rpartition(".")[0]):
                raise RunbookError(f"runbook {name} is broken: {broken.reason}")
        raise RunbookError(f"there is no runbook {name!r}{nearest(name, self._cache.stems())}")

    def document(self, id: str) -> Document:
        """Return a page by its id alone. Raises RunbookError."""
        if found := self.find(id):
            return found
        raise RunbookError(f"there is no page of id {id!r}")

    def find(self, id: str) -> Document | None:
        """Return a page by its id alone, None where there is none."""
        return next(filter(None, map(self._cache.document, self._cache.paths("id", id))), None)

    def counts(self) -> Mapping[str, int]:
        """Return how many pages each source has, by its key."""
        return self._cache.counts()

    def revisions(self) -> Mapping[str, str]:
        """Return the digest of every page that can be followed, by path."""
        return self._cache.revisions()

    def documents(self) -> Iterator[Document]:
        """Yield every page, by path."""
        return (document for document, _ in self._cache.documents())

    def runbooks(self) -> Iterator[tuple[Document, bytes]]:
        """Yield every page that can be followed, with its bytes for the strict parser, by path."""
        return ((document, raw) for document, raw in self._cache.documents(runbooks=True) if raw is not None)

    def runbook_bytes(self, id: str) -> bytes:
        """Return the bytes of a runbook. Raises RunbookError for a page without steps."""
        for path in self._cache.paths("id", id):
            if (raw := self._cache.raw(path)) is not None:
                return raw
            raise RunbookError(f"{path} has no steps that can be followed")
        raise RunbookError(f"there is no page of id {id!r}")

    def by_alert(self, name: str) -> list[Document]:
        """Return the pages whose front matter names an alert, runbooks first."""
        return self._at(self._cache.named(name))

    def by_url(self, url: str) -> list[Document]:
        """Return the pages that people read at an address, whatever scheme, anchor or suffix it is written with."""
        place = stored.place(url)
        return self._at(self._cache.paths("place", place)) if place else []

    @property
    def broken(self) -> tuple[BrokenPage, ...]:
        """Return the pages that are not used or not wholly, and why."""
        return tuple(self._cache.broken())

    @property
    def stale(self) -> tuple[BrokenPage, ...]:
        """Return the sources that could not be scanned last time: their pages are those of the time before."""
        return tuple(self._cache.stale())

    def __len__(self) -> int:
        """Return how many pages there are."""
        return self._cache.count()

    def _at(self, paths: Sequence[str]) -> list[Document]:
        return [found for path in paths if (found := self._cache.document(path))]

    def _refreshed(self, progress: Progress | None, began: float) -> Changes:
        try:
            run = self._run(progress)
        except CacheLost:
            self._cache.file.discard()
            run = self._run(progress)
        seconds = time.monotonic() - began
        removed = tuple(run.removed)
        return Changes(tuple(run.added), tuple(run.changed), removed, self.broken, self.stale, seconds)

    def _run(self, progress: Progress | None) -> Refresh:
        run = Refresh(self._cache, self._index, progress)
        run.run(self.sources)
        return run

    def _waiting(self, began: float) -> Changes:
        seconds = time.monotonic() - began
        return Changes(broken=self.broken, stale=self.stale, seconds=seconds, waiting=_WAITING)
