"""Lets one process at a time write what several share; the kernel frees the lock however its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sysop.errors import LibraryError
from sysop.paths import private_file, private_folder

_PAUSE_S: Final = 0.02


@contextmanager
def locked(file: Path, patience: float) -> Iterator[bool]:
    """Hold a lock file while the block runs; yield False where another process kept it for `patience` seconds.

    Raises LibraryError where the file system knows no locks.
    """
    try:
        private_folder(file.parent)
        private_file(file)
        number = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError as bad:
        raise LibraryError(
            f"{file}: cannot be made ({bad.strerror}); give Sysop its state folder to write in"
        ) from None
    try:
        yield _taken(number, file, time.monotonic() + patience)
    finally:
        os.close(number)


def _taken(number: int, file: Path, until: float) -> bool:
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE_S)
        except OSError as bad:
            raise LibraryError(f"{file}: cannot be locked ({bad.strerror}); is it on a network disk?") from None
        else:
            return True
