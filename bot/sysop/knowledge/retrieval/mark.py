"""A file that says that an index was told everything, and in which format."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mark:
    """The file and what stands in it."""

    file: Path
    text: str

    @property
    def stands(self) -> bool:
        """Return whether the file is there and says just this."""
        try:
            return self.file.read_text("utf-8") == self.text
        except (OSError, UnicodeError):
            return False

    def write(self) -> None:
        """Write it, whole or not at all."""
        new = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        new.write_text(self.text, "utf-8")
        new.replace(self.file)

    def remove(self) -> None:
        """Remove it where it is there."""
        self.file.unlink(missing_ok=True)
