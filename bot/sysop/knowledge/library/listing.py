"""What all sources hold together: one page for each path, one id for each page, and what could not be listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sysop.errors import LibraryError
from sysop.knowledge.library.cache import Known
from sysop.knowledge.library.source import without_suffix
from sysop.page_source import BrokenPage, PageEntry, PageSource


@dataclass(frozen=True, slots=True)
class Listed:
    """A page that is there. Without an entry it stays as it was, since nobody could look."""

    id: str
    source: str
    entry: PageEntry | None


@dataclass(slots=True)
class Listing:
    """Pages by path, in the order of their sources. `stale` names the sources that could not be scanned."""

    pages: dict[str, Listed] = field(default_factory=dict)
    broken: list[BrokenPage] = field(default_factory=list)
    stale: list[BrokenPage] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    @property
    def ids(self) -> set[str]:
        """Return the ids of all pages."""
        return self._taken

    def add(self, source: PageSource, known: Iterable[str]) -> None:
        """Scan a source. `known` are the paths it had last time: what cannot be looked at stays."""
        found: list[PageEntry | BrokenPage] = []
        closed: tuple[str, ...] | None = ()
        try:
            found += source.scan()
            closed = tuple(f"{one.path}/" for one in found if isinstance(one, BrokenPage) and one.folder)
        except LibraryError as bad:
            self.stale.append(BrokenPage(source.name, str(bad)))
            found, closed = [], None
        for one in found:
            if isinstance(one, BrokenPage):
                self.broken.append(replace(one, folder=False))
            else:
                self._add(one.path, source, one)
        for path in sorted(known):
            if path not in self.pages and (closed is None or path.startswith(closed)):
                self._add(path, source, None)

    def _add(self, path: str, source: PageSource, entry: PageEntry | None) -> None:
        if path in self.pages:
            self.broken.append(BrokenPage(path, f"{path}: another source has a page of this path; rename one of them"))
            return
        self.pages[path] = Listed(self._id(path), source.key, entry)

    def _id(self, path: str) -> str:
        """Return the path in the source without the suffix, or where another page has that id, more of the path."""
        whole = without_suffix(path)
        id = next((id for id in (whole.partition("/")[2], whole) if id not in self._taken), path)
        while id in self._taken:
            id += "~"
        self._taken.add(id)
        return id


def listed(sources: Sequence[PageSource], known: Mapping[str, Known]) -> Listing:
    """Return what sources hold; of two pages of one path, that of the first source."""
    before: dict[str, list[str]] = {}
    for path, page in known.items():
        before.setdefault(page.source, []).append(path)
    listing = Listing()
    seen: set[str] = set()
    for source in sources:
        if source.key not in seen:
            seen.add(source.key)
            listing.add(source, before.get(source.key, ()))
    return listing
