"""Sources of pages that plugins bring: whatever goes wrong in their code is a source that cannot be read now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from sysop.errors import LibraryError
from sysop.knowledge.library.source import too_large, wrong_name
from sysop.page_source import BrokenPage, PageEntry, PageSource

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A source of a plugin. Its paths begin with its name, as all do; what does not is refused."""

    source: PageSource

    @property
    def name(self) -> str:
        """Return the first part of every path."""
        return self.source.name

    @property
    def key(self) -> str:
        """Return what the place is known by; no source of ours has such a key."""
        return f"plugin:{self.source.key}"

    def scan(self) -> Iterator[PageEntry | BrokenPage]:
        """Yield the pages that can be cited. Raises LibraryError for whatever the plugin raises."""
        for found in self._listed():
            if isinstance(found, BrokenPage):
                yield found
            elif wrong := _wrong(self.name, found):
                yield BrokenPage(self.name, f"{self.name}: a page is left out: {wrong}")
            else:
                yield replace(found, read=_Read(self.name, found.read))

    def close(self) -> None:
        """Let go of what reading needed; what was read counts even if this fails."""
        try:
            _guarded(self.name, self.source.close)
        except LibraryError as bad:
            log.warning("%s", bad)

    def _listed(self) -> list[PageEntry | BrokenPage]:
        return _guarded(self.name, lambda: list(self.source.scan()))


@dataclass(frozen=True, slots=True)
class _Read:
    name: str
    read: Callable[[], bytes | None]

    def __call__(self) -> bytes | None:
        found = _guarded(self.name, self.read)
        if found is not None and (problem := too_large(len(found))):
            raise LibraryError(problem)
        return found


def _wrong(name: str, entry: PageEntry) -> str:
    first, *rest = entry.path.split("/")
    if first != name or not rest:
        return f"its path {entry.path[:200]!r} must begin with {name}/"
    if wrong := next(filter(None, map(wrong_name, rest)), ""):
        return f"{entry.path[:200]!r}: {wrong}"
    if entry.url and not entry.url.startswith(("https://", "http://")):
        return f"{entry.path}: its url is no web address"
    return ""


def _guarded(name: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except LibraryError:
        raise
    except Exception as broken:  # plugin code
        log.debug("the source of pages %s failed", name, exc_info=broken)
        raise LibraryError(f"{name}: the plugin that brings it failed ({type(broken).__name__}: {broken})") from broken
