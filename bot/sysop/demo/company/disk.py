"""The data folder of a service: real files in a small space that the company counts itself."""

from __future__ import annotations

import os
from pathlib import Path

SPACE_BYTES = 4_000_000
PIECE_BYTES = 50_000
USED_AT_START = 0.2

OLD, KEPT = "old", "data"
"""How the names of files begin: what may be removed, and what is needed."""


class Disk:
    """The files of one service."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        while self.used < USED_AT_START:
            self.write(KEPT)

    @property
    def used(self) -> float:
        """Return the share of the space that is used."""
        return sum(entry.stat().st_size for entry in os.scandir(self._folder)) / SPACE_BYTES

    def write(self, name: str) -> None:
        """Write one more file."""
        self._written += 1
        (self._folder / f"{name}-{self._written:05d}").write_bytes(b"\0" * PIECE_BYTES)

    def clean_up(self) -> int:
        """Remove what may be removed; return how many bytes that freed."""
        old = list(self._folder.glob(f"{OLD}-*"))
        for file in old:
            file.unlink()
        return len(old) * PIECE_BYTES
