"""One SQLite file as a cache: opened by many, written by one at a time, thrown away when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sysop.errors import LibraryError
from sysop.knowledge.library.lock import locked
from sysop.paths import private_file, private_folder

_BUSY_S: Final = 10.0


class CacheLost(LibraryError):
    """The file is damaged: it must be thrown away and filled again."""


class CacheFile:
    """A file with certain tables, in memory where no path is given. Any thread may ask."""

    def __init__(self, path: Path | None, tables: str, version: int) -> None:
        self._file = path
        self._tables = tables
        self._version = version
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._inode = 0

    @contextmanager
    def writer(self, patience: float) -> Iterator[bool]:
        """Let this process write while the block runs; yield False where another one kept writing for so long."""
        if self._file is None:
            yield True
            return
        with locked(self._file.with_suffix(".lock"), patience) as ours:
            self._follow()
            yield ours

    @property
    def usable(self) -> bool:
        """Tell whether there is a file that can be used."""
        with self._told():
            return self._usable()

    def make(self) -> None:
        """Make the file if it is missing or cannot be used. Only for who may write."""
        with self._lock, self._told():
            if not self._usable():
                self.discard()
                made = f"BEGIN IMMEDIATE;{self._tables}PRAGMA user_version = {self._version};COMMIT"
                self._connect().executescript(made)

    def discard(self) -> None:
        """Throw everything away. Only for who may write."""
        self.close()
        if self._file is not None:
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def rows(self, query: str, *values: str) -> list[Any]:
        """Return what a query finds; nothing where there is no file that can be used yet."""
        with self._lock, self._told():
            if not self._usable():
                return []
            return self._connect().execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does at its end, or nothing of it. Only for who may write."""
        with self._lock, self._told():
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in our words what SQLite raises."""
        try:
            yield
        except sqlite3.DatabaseError as bad:
            if type(bad) is sqlite3.DatabaseError:  # its subclasses do not mean that the file is damaged
                raise CacheLost(
                    f"{self._file}: the cache of the library is damaged ({bad}); `sysop runbooks index` makes it again"
                ) from bad
            raise LibraryError(
                f"{self._file}: the cache of the library cannot be used ({bad}); free disk space or remove the file"
            ) from bad

    def _usable(self) -> bool:
        """Tell whether there is a file of ours, of this version."""
        with self._lock:
            if self._open is None and (self._file is None or not self._file.exists()):
                return False
            try:
                (found,) = self._connect().execute("PRAGMA user_version").fetchone()
                return bool(found == self._version)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.close()
                return False

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = self._opened()
        return self._open

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        private_folder(self._file.parent)
        private_file(self._file)
        connection = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            connection.close()
            raise
        self._inode = os.stat(self._file).st_ino
        return connection

    def _follow(self) -> None:
        """Open the file again if another process has put a new one in its place."""
        with self._lock:
            if self._open is not None and self._file is not None:
                try:
                    same = os.stat(self._file).st_ino == self._inode
                except FileNotFoundError:
                    same = False
                if not same:
                    self.close()
