"""The log files of a watch: found by pattern, followed across rotation, truncation and restarts."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sysop.watches.logs.tail import CHUNK, Identity, Position, Tail

MAX_FILES = 200
SCAN_S = 5.0
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
LINGER_S = 60.0
"""A file that was renamed or deleted may still be written to for a while."""

log = logging.getLogger(__name__)


def files_of(patterns: Sequence[str]) -> list[str]:
    """Return what fits the patterns, by name, without folders and without what rotation has compressed."""
    found = {path for pattern in patterns for path in glob.glob(pattern, recursive=True)}
    return sorted(path for path in found if not path.endswith(COMPRESSED) and not os.path.isdir(path))


class Follower:
    """Reads what is new in all files of some patterns. Close it.

    `positions` are those of an earlier process. Without them this is the first start: what is in the files already
    stays unread.
    """

    def __init__(
        self, patterns: Sequence[str], positions: Iterable[Position] | None, clock: Callable[[], float]
    ) -> None:
        self._patterns = patterns
        self._clock = clock
        self._tails: dict[Identity, Tail] = {}
        self._left: dict[Identity, float] = {}
        self._unreadable: set[str] = set()
        self._scanned = clock()
        self._resume({position.identity: position for position in positions or ()})
        self._scan(whole=positions is not None)

    @property
    def positions(self) -> list[Position]:
        """Return how far each file was read."""
        return [tail.position for tail in self._tails.values()]

    def read(self, budget: int) -> tuple[list[str], bool]:
        """Return new lines, about `budget` bytes at most, and whether that was all there is.

        Every file has its turn, so that a loud one does not silence the others.
        """
        now = self._clock()
        if now - self._scanned >= SCAN_S:
            self._scanned = now
            self._scan(whole=True)
        lines: list[str] = []
        busy = list(self._tails.values())
        while busy and budget > 0:
            turn, busy = busy, []
            for tail in turn:
                got = self._read(tail)
                if got is not None:
                    lines += got
                    busy.append(tail)
                    budget -= CHUNK
        return lines, not busy

    def close(self) -> None:
        """Close every file."""
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()

    def _read(self, tail: Tail) -> list[str] | None:
        try:
            return tail.read()
        except OSError as bad:
            self._complain(str(tail.path), bad)
            return None

    def _scan(self, *, whole: bool) -> None:
        """Look which files there are. New ones are read `whole` or from their end."""
        here: set[Identity] = set()
        for path in self._paths():
            try:
                about = os.stat(path)
                identity = (about.st_dev, about.st_ino)
                if identity in self._tails:
                    self._tails[identity].path = Path(path)
                else:
                    identity = self._begin(path, whole=whole)
                here.add(identity)
            except OSError as bad:
                self._complain(path, bad)
        self._let_go(here)

    def _begin(self, path: str, *, whole: bool) -> Identity:
        """Follow a file and return what it is, which is another one where a rotation came in between."""
        tail = Tail(Path(path), 0 if whole else None)
        if tail.identity in self._tails:
            tail.close()
        else:
            others = list(self._tails.values())
            self._tails[tail.identity] = tail
            if whole:
                tail.begin_after(others)
        self._unreadable.discard(path)
        return tail.identity

    def _paths(self) -> list[str]:
        files = files_of(self._patterns)
        if len(files) > MAX_FILES:
            self._complain("…", OSError(None, f"{len(files)} files fit the patterns, {MAX_FILES} are followed"))
        return files[:MAX_FILES]

    def _let_go(self, here: set[Identity]) -> None:
        """Close files that no pattern finds any more, once they are read and had time for last words."""
        now = self._clock()
        for identity in list(self._tails):
            if identity in here:
                self._left.pop(identity, None)
                continue
            since = self._left.setdefault(identity, now)
            if now - since >= LINGER_S and self._tails[identity].at_end():
                self._tails.pop(identity).close()
                del self._left[identity]

    def _resume(self, positions: dict[Identity, Position]) -> None:
        """Open the files of an earlier process where it stopped, also under the name that rotation gave them since."""
        for position in positions.values():
            folder = os.path.dirname(position.path) or "."
            for path in (position.path, *self._renamed(folder, position.identity)):
                tail = self._opened(path, position)
                if tail is not None:
                    self._tails[position.identity] = tail
                    break

    def _opened(self, path: str, position: Position) -> Tail | None:
        try:
            tail = Tail(Path(path), position.offset)
        except OSError:
            return None  # it may have another name; `_scan` complains of what is there and cannot be read
        if tail.fits(position):
            return tail
        tail.close()
        return None

    @staticmethod
    def _renamed(folder: str, identity: Identity) -> list[str]:
        try:
            with os.scandir(folder) as entries:
                return [entry.path for entry in entries if entry.inode() == identity[1]]
        except OSError:
            return []  # the folder is gone, and the file with it

    def _complain(self, path: str, bad: OSError) -> None:
        """Say once of each file that it cannot be read."""
        if path not in self._unreadable:
            self._unreadable.add(path)
            log.warning("the log file %s cannot be followed: %s", path, bad.strerror)
