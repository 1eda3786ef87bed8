"""Pages in a folder of this machine."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unicodedata import normalize

from sysop.errors import LibraryError
from sysop.knowledge.library.source import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_PAGES,
    address,
    is_page,
    shown,
    too_large,
    without_suffix,
    wrong_name,
)
from sysop.page_source import BrokenPage, PageEntry

_SETTLED_NS: Final = 2_000_000_000
"""How old a change must be before its time tells it from the next one; some file systems count in two seconds."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder to look into: where it is, and what the paths of its pages begin with."""

    folder: str
    below: str
    depth: int


class FolderSource:
    """Markdown and HTML files in a folder and the folders below it.

    Nothing outside is read: a link that leads out is refused, one that leads to a file within is a page of its own,
    and linked folders are not looked into. `pages_url` is where people read the pages, see `address`.
    """

    def __init__(
        self, folder: Path, name: str | None = None, *, pages_url: str = "", clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._root = Path(os.path.abspath(folder))
        self._pages_url = pages_url
        self._clock = clock
        self.name = normalize("NFC", name or self._root.resolve().name or "pages")
        self.key = f"folder:{self._root}"
        if wrong := wrong_name(self.name):
            raise LibraryError(f"{shown(str(folder))}: it cannot be called {shown(self.name)!r}: {wrong}, or name it")

    def scan(self) -> Iterator[PageEntry | BrokenPage]:
        """Yield the pages by their path. Raises LibraryError where the folder itself cannot be read."""
        root = self._real_root()
        count = 0
        for found in self._walk(root):
            if isinstance(found, PageEntry):
                count += 1
            if count > MAX_PAGES:
                yield BrokenPage(self.name, f"more than {MAX_PAGES} pages; the rest is left out: name a smaller folder")
                return
            yield found

    def close(self) -> None:
        """Do nothing: a folder keeps nothing open."""

    def _real_root(self) -> str:
        try:
            root = os.path.realpath(self._root, strict=True)
            with os.scandir(root):
                return root
        except OSError as bad:
            raise LibraryError(
                f"{self._root}: the folder cannot be read ({bad.strerror}); make it readable or name another"
            ) from None

    def _walk(self, root: str) -> Iterator[PageEntry | BrokenPage]:
        places = [_Place(root, "", 0)]
        while places:
            place = places.pop()
            below: list[_Place] = []
            for file in self._listed(place):
                if isinstance(file, BrokenPage):
                    yield file
                elif _is_folder(file):
                    inner = _Place(file.path, f"{place.below}{normalize('NFC', file.name)}/", place.depth + 1)
                    if wrong := _wrong_folder(inner, file.name):
                        yield BrokenPage(self._path(place.below + shown(file.name)), wrong)
                    else:
                        below.append(inner)
                elif found := self._page(root, place, file):
                    yield found
            places += reversed(below)

    def _listed(self, place: _Place) -> Iterator[os.DirEntry[str] | BrokenPage]:
        """Yield what a folder holds, hidden things left out, by name. A folder that is gone by now holds nothing."""
        try:
            with os.scandir(place.folder) as found:
                yield from sorted((f for f in found if not f.name.startswith(".")), key=lambda f: f.name)
        except FileNotFoundError:
            return
        except OSError as bad:
            path = self._path(place.below.rstrip("/"))
            yield BrokenPage(
                path, f"the folder cannot be read ({bad.strerror}); its pages stay as they were", folder=True
            )

    def _page(self, root: str, place: _Place, file: os.DirEntry[str]) -> PageEntry | BrokenPage | None:
        """Return a page, what is wrong with it, or None for what is no page and what is gone by now."""
        if not is_page(file.name) and not _is_linked_folder(file):
            return None
        path = place.below + shown(normalize("NFC", file.name))
        try:
            reason = wrong_name(file.name) or (_wrong_link(root, file.path) if file.is_symlink() else "")
            seen = None if reason else os.stat(file.path)
        except FileNotFoundError:
            return (
                BrokenPage(self._path(path), "the link leads nowhere; mend it or remove it") if _is_link(file) else None
            )
        except OSError as bad:
            return BrokenPage(self._path(path), f"cannot be read ({bad.strerror}); make it readable or remove it")
        if not reason and not is_page(file.name):
            return None
        if seen is None or (reason := _wrong_file(seen)):
            return BrokenPage(self._path(path), reason)
        read = _Reader(root, file.path)
        return PageEntry(
            without_suffix(path), self._path(path), self._stamp(seen), read, address(self._pages_url, path)
        )

    def _path(self, below: str) -> str:
        return f"{self.name}/{below}" if below else self.name

    def _stamp(self, seen: os.stat_result) -> str:
        """Return what changes whenever a file does.

        While a change is so young that another one could bear the same time, no two stamps are alike.
        """
        stamp = f"{seen.st_size}-{seen.st_mtime_ns}-{seen.st_ctime_ns}"
        now = self._clock()
        young = any(abs(now - then) < _SETTLED_NS for then in (seen.st_mtime_ns, seen.st_ctime_ns))
        return f"{stamp}-{time.monotonic_ns()}" if young else stamp


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one file when called. Everything is looked at again: it may be another file by then."""

    root: str
    file: str

    def __call__(self) -> bytes | None:
        try:
            if reason := _wrong_link(self.root, self.file):
                raise LibraryError(reason)
            # NONBLOCK: opening a pipe would wait for whoever writes into it
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            number = os.open(os.path.realpath(self.file, strict=True), flags)
            with open(number, "rb") as opened:
                if reason := _wrong_file(os.fstat(number)):
                    raise LibraryError(reason)
                data = opened.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as bad:
            raise LibraryError(f"cannot be read ({bad.strerror}); make it readable or remove it") from None
        if reason := too_large(len(data)):
            raise LibraryError(reason)
        return data


def _is_folder(file: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return file.is_dir(follow_symlinks=False)
    return False


def _is_linked_folder(file: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return file.is_symlink() and file.is_dir()
    return False


def _is_link(file: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return file.is_symlink()
    return False


def _wrong_folder(place: _Place, name: str) -> str:
    if place.depth > MAX_DEPTH:
        return f"deeper than {MAX_DEPTH} folders; move it up"
    return wrong_name(name)


def _wrong_link(root: str, file: str) -> str:
    """Return why a file is not followed to where it leads, empty if that is within the folder."""
    try:
        real = os.path.realpath(file, strict=True)
    except FileNotFoundError:
        raise
    except OSError as bad:
        return f"the link cannot be followed ({bad.strerror}); put the file itself into the folder"
    if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
        return "the link leads out of the folder; put the file itself there"
    return ""


def _wrong_file(seen: os.stat_result) -> str:
    if not stat.S_ISREG(seen.st_mode):
        return "not a file; remove it or rename it"
    return too_large(seen.st_size)
