"""One log watch: reads its files, counts templates, and says at the end of each window what has drifted."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sysop.model import Alert
from sysop.redact import redact
from sysop.sections import LogWatchSettings
from sysop.watches.chart import sparkline
from sysop.watches.findings import SOURCE, WATCH_LABEL, fingerprint
from sysop.watches.logs import state
from sysop.watches.logs.drifts import Drifts, Open, Turn
from sysop.watches.logs.follow import Follower
from sysop.watches.logs.masks import MAX_LINE
from sysop.watches.logs.miner import MAX_EXAMPLE, Miner, Template
from sysop.watches.logs.rates import KEPT, RECENT, WHOLE, Drift, Rates
from sysop.watches.methods import STRICTNESS

BUDGET = 4 * 1024 * 1024
"""Bytes read at one look. A log that grows faster is followed with delay, and its rates are not judged meanwhile."""

log = logging.getLogger(__name__)

_LATE = 1.5
_OLDER_THAN_ANY = 3
"""Times the windows that are remembered."""


class LogWatch:
    """Reads and counts in a thread of its own turn, so that a loud log does not hold up anything else. Close it.

    Positions, templates, counts and open findings are kept in a file of the state folder, written by `keep` once the
    findings of a window are stored as alerts.
    """

    def __init__(
        self,
        settings: LogWatchSettings,
        file: Path,
        clock: Callable[[], float],
        known: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.settings = settings
        self.host = settings.host or socket.gethostname()
        self._file = file
        self._clock = clock
        self._known = known
        self._miner, self._rates = Miner(settings.max_templates), Rates()
        self._drifts = Drifts(settings.calm_windows)
        self._follower: Follower | None = None
        self._counts: dict[str, int] = {}
        self._began = 0.0
        self._windows = 0
        self._behind = self._broken = False
        self._closed = False
        self._over = False
        self._trouble = ""
        self._lock = threading.Lock()
        self.lines = 0
        """Lines counted since this process began."""

    @property
    def templates(self) -> list[Template]:
        """Return the kinds of lines known, the one not seen for longest first."""
        return list(self._miner)

    @property
    def every_seconds(self) -> int:
        """Return how often to look: every second or so, since reading often keeps a look short."""
        return 1

    def is_mine(self, alert: Alert) -> bool:
        """Tell whether a finding is of this watch, on whatever host."""
        return alert.labels.get(WATCH_LABEL) == self.settings.name

    def judges(self, now: float) -> bool:
        """Tell whether a window ends."""
        return self._follower is not None and now - self._began >= self.settings.every_seconds

    async def look(self, now: float, firing: Mapping[str, Alert]) -> list[Alert]:
        """Read what is new; at the end of a window return the findings that opened or ended.

        `firing` are the open findings of this watch by fingerprint.
        """
        return await asyncio.to_thread(self.look_here, now, firing)

    def look_here(self, now: float, firing: Mapping[str, Alert]) -> list[Alert]:
        """Do what `look` does, in this thread."""
        with self._lock:
            return [] if self._over else self._look(now, firing)

    def _look(self, now: float, firing: Mapping[str, Alert]) -> list[Alert]:
        if self._follower is None:
            self._open(now)
        self._read()
        if now < self._began:  # the clock was set back: this window says nothing of rates
            self._began, self._broken = now, True
        if not self.judges(now):
            return []
        self._say_trouble()
        found = self._close_window(now, firing)
        self._began, self._behind, self._broken, self._counts, self._closed = now, False, False, {}, True
        self._windows += 1
        return found

    def _say_trouble(self) -> None:
        """Log what keeps the watch from judging, once until it changes."""
        before, self._trouble = self._trouble, ""
        if self._follower is not None and not self._follower.positions:
            self._trouble = f"sees nothing: no file fits {', '.join(self.settings.files)}"
        elif self._behind:
            self._trouble = "reads with delay, and does not judge rates: the log grows faster than it is read"
        if self._trouble and self._trouble != before:
            log.warning("the watch %s %s", self.settings.name, self._trouble)
        elif before and not self._trouble:
            log.info("the watch %s looks again", self.settings.name)

    async def keep(self) -> None:
        """Write the state down, once after each window. Raises OSError."""
        if self._closed and self._follower is not None:
            self._closed = False
            positions = self._follower.positions
            await asyncio.to_thread(state.save, self._file, positions, self._miner, self._rates, self._drifts)

    def close(self) -> None:
        """Close the files, once a look that is under way in its thread is over."""
        with self._lock:
            self._over = True
            if self._follower is not None:
                self._follower.close()

    def _open(self, now: float) -> None:
        kept = state.load(self._file, self.settings.max_templates)
        if kept is not None:
            self._miner, self._rates = kept.miner, kept.rates
            self._drifts = Drifts(self.settings.calm_windows, kept.held)
        self._follower = Follower(self.settings.files, kept.positions if kept else None, self._clock)
        self._began = now

    def _read(self) -> None:
        assert self._follower is not None
        lines, everything = self._follower.read(BUDGET)
        self._behind = self._behind or not everything
        self.count(lines)

    def count(self, lines: Iterable[str]) -> None:
        """Count lines by template. Only a line unlike those before it is looked at for secrets, before it is kept."""
        counts, miner = self._counts, self._miner
        for line in lines:
            key = miner.known(line)
            if key is None:
                key = miner.take(redact(line[:MAX_LINE], self._known()))
            counts[key] = counts.get(key, 0) + 1
            self.lines += 1

    def _close_window(self, now: float, firing: Mapping[str, Alert]) -> list[Alert]:
        took = now - self._began
        whole = not self._behind and not self._broken and took < _LATE * self.settings.every_seconds
        judged = self._windows > 0 and whole
        self._rates.forget(self._miner.forgotten)
        counts = {key: count for key, count in self._counts.items() if self._miner.get(key)}
        self._miner.forgotten.clear()
        found = self._rates.close(counts, self._limit, self.settings.often, self.settings.learn_windows, judged)
        if not judged:
            return []
        turn = self._drifts.turn(found, int(self._began), int(now))
        found_here = list(self._alerts(turn, firing))
        told = {alert.fingerprint for alert in found_here}
        left = (*self._unknown(firing, int(now)), *self._orphans(firing, int(now)))
        return [*found_here, *(alert for alert in left if alert.fingerprint not in told)]

    @property
    def _limit(self) -> float:
        return STRICTNESS[self.settings.sensitivity].limit

    def _alerts(self, turn: Turn, firing: Mapping[str, Alert]) -> Iterable[Alert]:
        for opened, drift in turn.opened:
            if self._fingerprint(opened.key, opened.kind) not in firing:
                yield self._alert(opened, drift, turn.left_out)
        for one, at in turn.ended:
            fires = firing.get(self._fingerprint(one.key, one.kind))
            if fires is not None:
                yield replace(fires, ends_at=max(at * 1000, fires.starts_at))

    def _unknown(self, firing: Mapping[str, Alert], now: int) -> Iterable[Alert]:
        """Yield alerts of which nothing is known any more, once what is unusual still has had time to show again."""
        if self._windows < self.settings.calm_windows:
            return
        held = {self._fingerprint(one.key, one.kind) for one in self._drifts.open}
        for key, alert in firing.items():
            if key not in held and alert.labels.get("host") == self.host:
                yield replace(alert, ends_at=max(now * 1000, alert.starts_at))

    def _orphans(self, firing: Mapping[str, Alert], now: int) -> Iterable[Alert]:
        """Yield findings of other hosts that are older than any finding gets: the host is gone, such as a container.

        A host that is there ends its own long before, since after that many windows a new rate is the usual one.
        """
        windows = _OLDER_THAN_ANY * KEPT + self.settings.calm_windows
        oldest = (now - windows * self.settings.every_seconds) * 1000
        for alert in firing.values():
            if alert.labels.get("host") != self.host and alert.starts_at < oldest:
                yield replace(alert, ends_at=now * 1000)

    def _fingerprint(self, key: str, kind: str) -> str:
        return fingerprint("log", self.settings.name, self.host, key, kind)

    def _alert(self, opened: Open, drift: Drift, left_out: int) -> Alert:
        watch = self.settings
        labels = {**watch.labels, "alertname": f"{watch.name}-{drift.kind}", WATCH_LABEL: watch.name}
        labels |= {"severity": watch.severity, "host": self.host}
        if watch.service is not None:
            labels["service"] = watch.service
        return Alert(
            SOURCE,
            self._fingerprint(opened.key, opened.kind),
            opened.start * 1000,
            None,
            labels,
            self._told(drift, left_out),
        )

    def _told(self, drift: Drift, left_out: int) -> dict[str, str]:
        template = self._miner.get(drift.key)
        history = self._rates.volume if drift.key == WHOLE else self._rates.recent(drift.key)
        found = {
            "summary": f"{self.settings.name}: {_sentence(drift, 'the whole log' if template is None else '')}",
            "template": template.text[:MAX_EXAMPLE] if template else "",
            "example": template.example if template else "",
            "count": str(drift.count),
            "expected": f"{drift.usual:g} a window",
            "method": "log template rates",
            "chart": sparkline([float(count) for count in history]),
            "more": f"{left_out} more changes began in the same window" if left_out else "",
        }
        return {name: text for name, text in found.items() if text}


def _sentence(drift: Drift, whole: str) -> str:
    what = f"lines of {whole}" if whole else "lines of one kind"
    match drift.kind:
        case "new":
            return f"a new kind of line, {drift.count} in the last {RECENT} windows"
        case "vanished":
            return f"no more {what}, where {drift.usual:g} a window are usual"
    return f"{drift.count} {what} in a window, {drift.kind} than the usual {drift.usual:g}"
