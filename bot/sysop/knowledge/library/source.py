"""What a source of pages is: it lists them cheaply and reads those it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

MARKDOWN: Final = (".md", ".markdown")
HTML: Final = (".html", ".htm")
MAX_BYTES: Final = 1024 * 1024
"""Of one page; what is larger is a book or no page at all."""
MAX_PAGES: Final = 100_000
MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class Entry:
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
class Broken:
    """A page that is not used or not wholly, and why.

    With `folder` it is a folder that cannot be looked into: the pages below it stay as they were.
    """

    path: str
    reason: str
    folder: bool = False


class Source(Protocol):
    """A place with pages. `name` begins the citation of each, `key` tells the place apart from any other."""

    @property
    def name(self) -> str:
        """Return the first part of every path."""
        ...

    @property
    def key(self) -> str:
        """Return what the place is known by in the cache; no secrets."""
        ...

    def scan(self) -> Iterable[Entry | Broken]:
        """Yield the pages in a settled order without reading them. Raises LibraryError where nothing can be listed."""
        ...

    def close(self) -> None:
        """Let go of what reading needed; scanning and reading may begin again at any time."""
        ...


def is_page(name: str) -> bool:
    """Tell whether a file of this name is a page. A README is about its folder; a dot in front hides a file."""
    small = name.lower()
    stem, dot, _ = small.rpartition(".")
    return small.endswith((*MARKDOWN, *HTML)) and bool(dot) and stem not in ("", "readme") and not small.startswith(".")


def without_suffix(path: str) -> str:
    """Return a path without what tells the format."""
    folder, slash, file = path.rpartition("/")
    return folder + slash + file.rpartition(".")[0]


def wrong_name(name: str) -> str:
    """Return why a name cannot be cited, empty if it can."""
    if any("\ud800" <= char <= "\udfff" for char in name):
        return "the name is not UTF-8; rename it"
    if not name.isprintable():
        return "the name holds a character that is not shown; rename it"
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        return "the name would lead elsewhere; rename it"
    return ""


def shown(name: str) -> str:
    """Return a name fit to be shown, whatever bytes it holds."""
    return name.encode("unicode_escape" if wrong_name(name) else "utf-8", "backslashreplace").decode("utf-8", "replace")


def too_large(size: int) -> str:
    """Return why a page of this many bytes is not read, empty if it is."""
    return f"{size} bytes are too much, {MAX_BYTES} are allowed; split the page" if size > MAX_BYTES else ""


def address(pattern: str, path: str) -> str:
    """Return where people read a page of a source.

    In the pattern `{path}` stands for its path in the source and `{id}` for that without the suffix; without either
    the path follows.
    """
    if not pattern:
        return ""
    if "{path}" not in pattern and "{id}" not in pattern:
        pattern = pattern.rstrip("/") + "/{path}"
    return pattern.replace("{path}", quote(path)).replace("{id}", quote(without_suffix(path)))
