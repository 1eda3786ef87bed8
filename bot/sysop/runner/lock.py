"""One runner per SQLite database: a lock file beside it, which the kernel frees however its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from sysop.errors import StoreUnavailable
from sysop.paths import private_file, private_folder

PATIENCE_S = 0.3
_PAUSE_S = 0.002


class RunnerLock:
    """Held from `take` to `release`. Its file names the holder, for people."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".runner")
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Take the lock, or keep it; False while another process has it.

        Blocks for up to 0.3 s before it says so, since whoever asks `holder` has the lock too for an instant.
        """
        if self._file is not None:
            return True
        private_folder(self.path.parent)
        private_file(self.path)
        file = self.path.open("a+")
        try:
            took = _patiently(file)
        except OSError as bad:
            file.close()
            raise StoreUnavailable(f"{self.path} cannot be locked ({bad.strerror}); is it on a network disk?") from bad
        if not took:
            file.close()
            return False
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file
        return True

    def holder(self) -> int | None:
        """Return the process id of a living holder, None if nobody has the lock."""
        if not self.path.exists():
            return None
        with self.path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else 0
            fcntl.flock(file, fcntl.LOCK_UN)
            return None

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _patiently(file: IO[str]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE_S)
        else:
            return True
