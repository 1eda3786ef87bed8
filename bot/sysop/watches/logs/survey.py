"""What kinds of lines the files of a log watch hold now; nothing is kept of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sysop.redact import redact
from sysop.sections import LogWatchSettings
from sysop.watches.logs.follow import MAX_FILES, files_of
from sysop.watches.logs.masks import MAX_LINE
from sysop.watches.logs.miner import Miner
from sysop.watches.logs.tail import Tail

MAX_BYTES = 64 * 1024 * 1024
"""Bytes read at the end of all files together, some seconds of work."""

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Kind:
    """A template, how many lines are of it, and one of them, redacted."""

    template: str
    count: int
    share: float
    example: str


@dataclass(frozen=True, slots=True)
class Survey:
    """All files of a watch: how much was read, and the commonest templates. `left_out` bytes were not read."""

    files: int
    lines: int
    bytes_read: int
    left_out: int
    templates: int
    commonest: tuple[Kind, ...]


def survey(watch: LogWatchSettings) -> Survey:
    """Read the ends of the files and count. Raises OSError for one that cannot be read."""
    paths = [path for path in files_of(watch.files) if os.path.isfile(path)][:MAX_FILES]
    each = MAX_BYTES // max(1, len(paths))
    sizes = [os.path.getsize(path) for path in paths]
    miner, counts = Miner(watch.max_templates), Counter[str]()
    for path, size in zip(paths, sizes, strict=True):
        for line in _lines(path, max(0, size - each), size):
            counts[miner.known(line) or miner.take(redact(line[:MAX_LINE]))] += 1
    read = sum(min(size, each) for size in sizes)
    lines = counts.total()
    kinds = [(miner.get(key), count) for key, count in counts.most_common()]
    commonest = [Kind(t.text, count, count / lines, t.example) for t, count in kinds if t is not None][:_SHOWN]
    return Survey(len(paths), lines, read, sum(sizes) - read, len(miner), tuple(commonest))


def _lines(path: str, offset: int, end: int) -> Iterator[str]:
    """Yield the whole lines from about an offset to where the file ended when it was looked at."""
    tail = Tail(Path(path), offset)
    try:
        while tail.offset < end and (lines := tail.read()) is not None:
            yield from lines
    finally:
        tail.close()
