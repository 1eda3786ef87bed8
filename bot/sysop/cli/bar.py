"""A progress bar for what may take long: on a terminal only, and only once it has taken a second."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

AFTER_S = 1.0
EVERY = 500


class Bar:
    """Counts rows up to a total."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._drawn = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._drawn.add_task(what, total=total)
        self._done = 0
        self._began = time.monotonic()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *about: object) -> None:
        self._drawn.stop()

    def counting(self, conn: Connection) -> Connection:
        """Return a connection for one query as a stream; every row that is taken from it moves the bar."""
        return cast("Connection", _Counting(conn, self))

    def at(self, done: int) -> None:
        """Say how many are done, where each takes a while."""
        if time.monotonic() - self._began > AFTER_S:
            self._drawn.update(self._task, completed=done)
            self._drawn.start()

    def step(self) -> None:
        """Count one more."""
        self._done += 1
        if self._done % EVERY == 0 and time.monotonic() - self._began > AFTER_S:
            self._drawn.update(self._task, completed=self._done)
            self._drawn.start()


class _Counting:
    """Stands between a query and its reader, so that what reads the store knows nothing of terminals."""

    def __init__(self, conn: Connection, bar: Bar) -> None:
        self._conn = conn
        self._bar = bar

    def execution_options(self, **options: Any) -> _Counting:
        return _Counting(self._conn.execution_options(**options), self._bar)

    @contextlib.contextmanager
    def execute(self, query: Any) -> Iterator[Iterator[Any]]:
        with self._conn.execute(query) as rows:
            yield self._each(rows)

    def _each(self, rows: Any) -> Iterator[Any]:
        for row in rows:
            self._bar.step()
            yield row
