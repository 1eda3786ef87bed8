"""The end of what a build wrote, fit to be shown."""

from __future__ import annotations

import os
from pathlib import Path

from sysop_plugins.remote.plain import plain

LOG_BYTES = 64 * 1024


def tail(log: Path, lines: int) -> str:
    """Return the last lines, at most 64 KiB, without the codes that move a terminal's cursor."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            raw = file.read(LOG_BYTES)
    except FileNotFoundError:
        return ""
    kept = raw if size <= LOG_BYTES else raw.partition(b"\n")[2] or raw  # not half a line
    text = plain(kept.decode("utf-8", "replace"))
    last = "\n".join(text.rstrip("\n").split("\n")[-lines:])
    return last.encode()[-LOG_BYTES:].decode("utf-8", "ignore")  # a replaced byte takes three
