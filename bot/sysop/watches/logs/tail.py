"""One log file that is read as it grows, known by what it is and not by its name."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHUNK = 256 * 1024
"""Bytes read at once; a longer line is cut off there."""

HEAD = 256
"""So many bytes at a file's beginning tell it from another that took its place."""

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read: `offset` bytes of the file with this identity and this beginning."""

    path: str
    identity: Identity
    offset: int
    head: int
    digest: str

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            "path": self.path,
            "identity": list(self.identity),
            "offset": self.offset,
            "head": self.head,
            "digest": self.digest,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Position:
        """Read a position. Raises KeyError, TypeError or ValueError for what is none."""
        device, inode = value["identity"]
        return cls(
            str(value["path"]),
            (int(device), int(inode)),
            int(value["offset"]),
            int(value["head"]),
            str(value["digest"]),
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was read, such that a copy of it can be told: by its beginning and by what was read last."""

    offset: int
    head: int
    digest: str
    last: bytes

    def is_in(self, file: int) -> bool:
        """Tell whether an open file is a copy. One that was hardly read from cannot be told from another."""
        start = self.offset - HEAD
        if len(self.last) < HEAD or os.pread(file, HEAD, start) != self.last:
            return False
        return _digest(os.pread(file, self.head, 0)) == self.digest


class Tail:
    """An open file and how far it was read. Whole lines only; the last one waits for its end. Close it."""

    def __init__(self, path: Path, offset: int | None = None) -> None:
        """Open a file at an offset, or at the end. Raises OSError, also for what is no plain file."""
        self.path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            about = os.fstat(self._file)
            if not stat.S_ISREG(about.st_mode):
                raise OSError(None, "is no plain file", str(path))
            self.identity: Identity = (about.st_dev, about.st_ino)
            self.offset = about.st_size if offset is None else offset
            self._skipping = not self._at_line_start()
            self._head, self._digest, self._last = 0, _digest(b""), b""
            self._before: Mark | None = None
            self._remember()
        except OSError:
            os.close(self._file)
            raise

    @property
    def position(self) -> Position:
        """Return how far the file was read."""
        return Position(str(self.path), self.identity, self.offset, self._head, self._digest)

    def fits(self, position: Position) -> bool:
        """Tell whether a position is one in this file as it is now."""
        if position.identity != self.identity or os.fstat(self._file).st_size < position.offset:
            return False
        return _digest(os.pread(self._file, position.head, 0)) == position.digest

    def begin_after(self, others: Iterable[Tail]) -> None:
        """Begin where another file was read to, if this is a copy of it: what rotation empties it copies first."""
        marks = [mark for other in others for mark in (other._mark, other._before) if mark is not None]
        if copied := [mark.offset for mark in marks if mark.is_in(self._file)]:
            self.offset, self._skipping = max(copied), not self._at_line_start()

    def read(self) -> list[str] | None:
        """Return the next whole lines, at most `CHUNK` bytes of them, blank ones left out; None at the end.

        A file that has become shorter or begins otherwise is a new one and is read from its beginning.
        """
        size = os.fstat(self._file).st_size
        if size < self.offset or _digest(os.pread(self._file, self._head, 0)) != self._digest:
            self._before = self._mark
            self.offset, self._head, self._digest, self._skipping, self._last = 0, 0, _digest(b""), False, b""
        if size <= self.offset:
            return None
        raw = os.pread(self._file, CHUNK, self.offset)
        self._remember()
        whole = raw.rfind(b"\n") + 1
        if not whole and len(raw) < CHUNK:
            return None
        self.offset += whole or len(raw)
        self._last = (self._last + raw[: whole or len(raw)][-HEAD:])[-HEAD:]
        lines = raw[: whole or len(raw)].decode("utf-8", "replace").split("\n")
        lines = lines[1:] if self._skipping else lines
        self._skipping = not whole
        return [line for line in lines if line.strip()]

    def at_end(self) -> bool:
        """Tell whether everything was read, but for a last line without an end."""
        left = os.fstat(self._file).st_size - self.offset
        return left <= 0 or (left < CHUNK and b"\n" not in os.pread(self._file, CHUNK, self.offset))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    @property
    def _mark(self) -> Mark:
        return Mark(self.offset, self._head, self._digest, self._last)

    def _at_line_start(self) -> bool:
        return self.offset == 0 or os.pread(self._file, 1, self.offset - 1) == b"\n"

    def _remember(self) -> None:
        """Keep the beginning, as far as it is there."""
        if self._head < HEAD:
            head = os.pread(self._file, HEAD, 0)
            self._head, self._digest = len(head), _digest(head)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
