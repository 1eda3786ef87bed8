"""The duty of reading sources again: in a thread of its own, so that a slow disk or server keeps nobody waiting."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sysop.errors import SysopError
from sysop.knowledge.library.git import GitSource
from sysop.knowledge.upkeep import Stopped, Upkeep

FIRST_S: Final = 15.0
"""So long `begin` waits for the first look; then work begins with what was known before."""
STOP_S: Final = 5.0

log = logging.getLogger(__name__)


class Duty:
    """Looks for pages that changed every `refresh_s` seconds, and pulls repositories every `pull_s`."""

    def __init__(self, upkeep: Upkeep, refresh_s: float, pull_s: float) -> None:
        self._upkeep = upkeep
        self._refresh_s = refresh_s
        self._pull_s = pull_s
        self._wake, self._pull_now, self._looked = threading.Event(), threading.Event(), threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._tried: dict[str, float] = {}
        self._ill: dict[str, str] = {}

    async def begin(self) -> None:
        """Begin, and wait a while until the sources have been looked at once."""
        self._thread = threading.Thread(target=self._work, name="knowledge", daemon=True)
        self._thread.start()
        await asyncio.to_thread(self._looked.wait, FIRST_S)

    async def stop(self) -> None:
        """End; what is being read or pulled is cut short and loses nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            self._upkeep.stop()
            self._wake.set()
            await asyncio.to_thread(thread.join, STOP_S)

    def pull_soon(self) -> None:
        """Have repositories pulled now, such as when somebody has pushed. Any thread may call it."""
        self._pull_now.set()
        self._wake.set()

    def _work(self) -> None:
        self._round(self._look)
        self._looked.set()
        while not self._stopping.is_set():
            if self._round(self._pull):
                self._round(self._look)
            self._wake.wait(self._refresh_s)
            self._wake.clear()
            self._round(self._look)

    def _round(self, part: Callable[[], bool]) -> bool:
        try:
            done = part()
        except Stopped:
            return False
        except Exception as bad:  # whatever one round met, the duty itself must not end with it
            self._fell_ill("pages", f"cannot be read again: {bad}", None if isinstance(bad, SysopError) else bad)
            return False
        return done

    def _look(self) -> bool:
        changes = self._upkeep.refresh()
        self._ill.pop("pages", None)
        if changes:
            counts = len(changes.added), len(changes.changed), len(changes.removed)
            log.info("pages: %d new, %d changed, %d removed", *counts)
        if not changes.waiting:
            self._note({one.path: one.reason for one in changes.stale})
        return bool(changes)

    def _note(self, stale: dict[str, str]) -> None:
        for name, reason in stale.items():
            self._fell_ill(f"source {name}", reason)
        for name in [name for name in self._ill if name.startswith("source ") and name[7:] not in stale]:
            del self._ill[name]

    def _pull(self) -> bool:
        now = self._pull_now.is_set()
        self._pull_now.clear()
        fetched = self._upkeep.pull(only=None if now else self._due)
        for one in fetched:
            if one.reason:
                self._fell_ill(f"pulling {one.name}", one.reason)
            else:
                self._ill.pop(f"pulling {one.name}", None)
        return any(one.changed for one in fetched)

    def _due(self, source: GitSource) -> bool:
        """Tell whether it is time: one that was never pulled well is tried whenever pages are looked for."""
        pulled, now = source.pulled_at, time.time()
        wait = self._refresh_s if pulled is None else self._pull_s
        last = max(pulled or 0.0, self._tried.get(source.key, 0.0))
        due = not 0 <= now - last < wait
        if due:
            self._tried[source.key] = now
        return due

    def _fell_ill(self, name: str, reason: str, bad: Exception | None = None) -> None:
        """Log it, once while it lasts."""
        if self._ill.get(name) != reason:
            self._ill[name] = reason
            log.warning("%s: %s", name, reason, exc_info=bad)
