"""What a source of pages is: it lists them cheaply and reads those it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page that is there. `id` is its path in the source without the suffix, `path` how it is cited.

    The page is read again only where `stamp` differs from last time. `read` returns None for a page that is gone by
    now and raises LibraryError for one that cannot be read. `url` is where people read it, empty if that is not known.
    """

    id: str
    path: str
    stamp: str
    read: Callable[[], bytes | None]
    url: str = ""


@dataclass(frozen=True, slots=True)
class BrokenPage:
    """A page that is not used or not wholly, and why.

    With `folder` it is a folder that cannot be looked into: the pages below it stay as they were.
    """

    path: str
    reason: str
    folder: bool = False


class PageSource(Protocol):
    """A place with pages. `name` begins the citation of each, `key` tells the place apart from any other."""

    @property
    def name(self) -> str:
        """Return the first part of every path."""
        ...

    @property
    def key(self) -> str:
        """Return what the place is known by in the cache; no secrets."""
        ...

    def scan(self) -> Iterable[PageEntry | BrokenPage]:
        """Yield the pages in a settled order without reading them. Raises LibraryError where nothing can be listed."""
        ...

    def close(self) -> None:
        """Let go of what reading needed; scanning and reading may begin again at any time."""
        ...
