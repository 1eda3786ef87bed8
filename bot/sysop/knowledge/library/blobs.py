"""Reads files of a repository by their object id, through one process for as long as pages are read."""

from __future__ import annotations

import errno
import select
import subprocess
from typing import IO, Final

from sysop.errors import LibraryError
from sysop.knowledge.library.command import Git, Process, end
from sysop.knowledge.library.source import too_large

_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_PATIENCE_MS: Final = 30_000


class Blobs:
    """Starts `git cat-file` when the first page is asked for; `close` ends it."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: Process | None = None

    def read(self, blob: str) -> bytes:
        """Return a file. Raises LibraryError if the mirror does not hold it or it is no page."""
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch", stdin=subprocess.PIPE)
        try:
            return _readable(_answer(self._process, blob))
        except OSError as bad:
            self.close()
            raise _unreadable(bad.strerror or "git ended") from None

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            end(self._process)
            self._process = None


def _answer(process: Process, blob: str) -> bytes:
    asked, told = _pipes(process)
    asked.write(blob.encode() + b"\n")
    asked.flush()
    waiting = select.poll()
    waiting.register(told, select.POLLIN)
    if not waiting.poll(_PATIENCE_MS):
        raise TimeoutError(errno.ETIMEDOUT, "git does not answer")
    head = told.readline().split()
    if len(head) != 3 or head[1] != b"blob":
        raise _unreadable("it is missing" if head else "git ended")
    size = int(head[2])
    data = told.read(size)
    told.read(1)
    if len(data) != size:
        raise _unreadable("git ended")
    return data


def _pipes(process: Process) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise LibraryError("git was started without pipes")
    return process.stdin, process.stdout


def _readable(data: bytes) -> bytes:
    if reason := too_large(len(data)):
        raise LibraryError(reason)
    if data.startswith(_POINTER):
        raise LibraryError("it is kept in Git LFS, which is not read; keep pages in Git itself")
    return data


def _unreadable(why: str) -> LibraryError:
    return LibraryError(f"cannot be read from the mirror ({why}); remove the folder of the mirror and pull again")
