"""One runner per SQLite database: a lock file beside it, which the kernel frees however its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from sysop.errors import StoreUnavailable


class RunnerLock:
    """Held from `take` to `release`. Its file names the holder, for people."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".runner")
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Take the lock; False while another process has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        except OSError as bad:
            file.close()
            raise StoreUnavailable(f"{self.path} cannot be locked ({bad.strerror}); is it on a network disk?") from bad
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
