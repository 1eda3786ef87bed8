"""Refreshes a library and is killed at an update of the index: `library_dies.py FOLDER N before|after`."""

import os
import signal
import sys
from pathlib import Path

from library_kit import OnDisk, later

from sysop.knowledge.library import refresh
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.library import Library


class Dying(OnDisk):
    left = int(sys.argv[2])

    def update(self, added, removed):
        Dying.left -= 1
        if Dying.left or sys.argv[3] == "after":
            super().update(added, removed)
        if not Dying.left:
            os.kill(os.getpid(), signal.SIGKILL)


root = Path(sys.argv[1])
refresh._BATCH = 2
sources = [FolderSource(root / "first", clock=later), FolderSource(root / "second", clock=later)]
Library(sources, root / "cache", Dying(root / "index")).refresh()
