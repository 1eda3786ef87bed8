"""Keeps what planners and people find up to what the sources hold. It blocks: call it in a thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sysop.errors import LibraryError, RunbookError, SettingsError
from sysop.knowledge.document import Document
from sysop.knowledge.hits import Hit, hits
from sysop.knowledge.index import Check, Contents, Index, checked
from sysop.knowledge.library.git import GitSource
from sysop.knowledge.library.library import PATIENCE_S, Library
from sysop.knowledge.library.refresh import Changes, Progress
from sysop.knowledge.retrieval.asked import Route
from sysop.knowledge.retrieval.search import Search
from sysop.knowledge.retrieval.view import Filters
from sysop.knowledge.runbook import Runbook, parse
from sysop.page_source import BrokenPage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shelved:
    """All pages of a library."""

    library: Library
    search: Search

    def find(self, asked: str, limit: int = 5, route: Route = "chat", filters: Filters | None = None) -> list[Hit]:
        """Return the best section of each of the best pages for a question or an alert's text, best first."""
        return hits(self.search.find(asked, route, filters or Filters(), limit), self.library.find)

    def get(self, name: str) -> Document:
        """Return a page by its path, id, file name or file name without suffix. Raises RunbookError."""
        return self.library.get(name)

    def by_alert(self, name: str) -> Sequence[Document]:
        """Return the pages whose front matter names an alert, those that can be followed first."""
        return self.library.by_alert(name)

    def by_url(self, url: str) -> Sequence[Document]:
        """Return the pages that people read at an address."""
        return self.library.by_url(url)

    def documents(self) -> Iterator[Document]:
        """Return every page, by path."""
        return self.library.documents()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.library)


@dataclass(slots=True)
class Shelf:
    """A library and what searches it. `lost` says that the search does not know what the library has read."""

    library: Library
    search: Search
    lost: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that is pulled. `access` returns what the fetch sees beside its environment, or SettingsError."""

    source: GitSource
    access: Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of pulling a repository: whether its pages may have changed, or the reason why it cannot be pulled."""

    name: str
    changed: bool = False
    reason: str = ""


class Stopped(LibraryError):
    """Reading was cut short because the process ends; the next time goes on from there."""


class Upkeep:
    """Reads sources again and gives `index` what they hold now. Any thread may call any method.

    `open` is called when something is first asked, with whether files may be used, and once more without where they
    cannot be written. `repositories` are the sources that are pulled.
    """

    def __init__(self, open: Callable[[bool], Shelf], check: Check, repositories: Sequence[Repository] = ()) -> None:
        self.index = Index(read=self._first)
        self.repositories = tuple(repositories)
        self._open = open
        self._check = check
        self._shelf: Shelf | None = None
        self._reading, self._opening, self._telling = threading.RLock(), threading.Lock(), threading.Lock()
        self._parsed: dict[str, Runbook | RunbookError] = {}
        self._seen: object = None
        self._stopping = threading.Event()

    @property
    def shelf(self) -> Shelf:
        """Return library and search, opened when they are first wanted."""
        with self._opening:
            if self._shelf is None:
                self._shelf = self._open(True)
            return self._shelf

    def refresh(self, progress: Progress | None = None, *, patience: float = PATIENCE_S) -> Changes:
        """Read what has changed since last time. Raises LibraryError where the cache cannot be written."""
        with self._reading:
            changes = self._changes(progress, patience)
            self._tell()
            return changes

    def pull(self, *, rewritten: bool = False, only: Callable[[GitSource], bool] | None = None) -> list[Fetched]:
        """Fetch repositories. The pages of one that cannot be pulled stay as they are. Raises Stopped after `stop`."""
        wanted = [one for one in self.repositories if only is None or only(one.source)]
        return [self._pulled(one, rewritten) for one in wanted]

    def stop(self) -> None:
        """End what another thread reads or pulls, soon and without waiting for it."""
        self._stopping.set()
        for one in self.repositories:
            one.source.stop()

    def close(self) -> None:
        """Close the files."""
        with self._opening:
            shelf, self._shelf = self._shelf, None
        if shelf is not None:
            shelf.search.close()
            shelf.library.close()

    def _first(self) -> Contents:
        """Return what there is, after a look at the sources; where another thread is at that already, without it."""
        if self._reading.acquire(blocking=False):
            try:
                self._changes_or_memory()
            finally:
                self._reading.release()
        return self._contents()

    def _changes_or_memory(self) -> None:
        try:
            self._changes(None, PATIENCE_S)
        except Stopped:
            raise
        except LibraryError as bad:
            log.warning("pages are kept in memory only: %s", bad)
            self.close()
            with self._opening:
                self._shelf = self._open(False)
            self._changes(None, PATIENCE_S)

    def _changes(self, progress: Progress | None, patience: float) -> Changes:
        shelf = self.shelf
        if shelf.lost and shelf.library.feed():
            shelf.search.settle()
            shelf.lost = False
        changes = shelf.library.refresh(self._stoppable(progress), patience=patience)
        shelf.search.reload()  # another process may have written
        if not changes.waiting:
            shelf.search.catch_up()
        return changes

    def _stoppable(self, progress: Progress | None) -> Progress:
        def told(done: int, total: int, path: str) -> None:
            if self._stopping.is_set():
                raise Stopped("the process ends; what is not read yet is read next time")
            if progress is not None:
                progress(done, total, path)

        return told

    def _pulled(self, one: Repository, rewritten: bool) -> Fetched:
        try:
            return Fetched(one.source.name, one.source.pull(rewritten=rewritten, access=one.access()))
        except (LibraryError, SettingsError) as bad:
            if self._stopping.is_set():
                raise Stopped("the process ends") from bad
            return Fetched(one.source.name, reason=str(bad))

    def _tell(self) -> None:
        """Give the index what is at hand, unless that is what it was."""
        library = self.shelf.library
        with self._telling:
            changed = self._seen != (library.revisions(), library.broken)
        if changed:
            self.index.replace(self._contents())

    def _contents(self) -> Contents:
        with self._telling:
            library = self.shelf.library
            seen = (library.revisions(), library.broken)
            runbooks, broken = self._runbooks(library)
            self._seen = seen
            return Contents(runbooks, (*seen[1], *broken), Shelved(library, self.shelf.search))

    def _runbooks(self, library: Library) -> tuple[Mapping[str, Runbook], Iterable[BrokenPage]]:
        """Return the runbooks that can be followed, and why others cannot. What did not change is not parsed again."""
        good: dict[str, Runbook] = {}
        parsed: dict[str, Runbook | RunbookError] = {}
        broken = []
        for page, raw in library.runbooks():
            key = f"{page.path} {page.digest}"
            found = parsed[key] = self._parsed.get(key) or self._parse(page, raw)
            if isinstance(found, Runbook):
                good[page.path] = found
            else:
                broken.append(BrokenPage(page.path, str(found)))
        self._parsed = parsed
        return good, broken

    def _parse(self, page: Document, raw: bytes) -> Runbook | RunbookError:
        try:
            return checked(parse(raw, page.path), self._check)
        except RunbookError as bad:
            return bad
