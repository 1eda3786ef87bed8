"""Alerts that are asked for: each place is asked at its own pace; what it names no more has ended.

What a place named last is kept in a file of its plugin's folder, so that what ended while nobody asked is noticed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sysop.errors import SysopError
from sysop.extension import PluginContext, Pull, Pulled
from sysop.model import Alert
from sysop.redact import redact_value

log = logging.getLogger(__name__)

KEPT_MS = 24 * 3_600_000
"""So long it is known of an alert that it was taken for ended."""

Key = tuple[str, str, int]
"""Source, fingerprint and start, as a place names them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is asked, and what its plugin sees."""

    pull: Pull
    context: Callable[[], PluginContext]


@dataclass
class _Known:
    """What a place named last, as it was handed in; since when some of that is missing; when the rest was missed first.

    What comes back after it was taken for ended begins anew when that is noticed, since what has ended stays so.
    """

    file: Path
    alerts: dict[Key, Alert]
    over: dict[Key, int]
    missing: dict[Key, int] = field(default_factory=dict)
    well: bool = True


class Pulling:
    """Asks every place for as long as `run` runs, and hands in what is new and what has ended.

    An alert ends when two answers in a row leave it out, and all of `gone_after`, at the time of the first: a server
    that has just started names nothing until it has evaluated its rules, or was told by those that have.
    """

    def __init__(
        self,
        places: Sequence[Place],
        take: Callable[[Iterable[Alert]], Awaitable[object]],
        secret: Callable[[str], str],
        now: Callable[[], int],
    ) -> None:
        self._places = places
        self._take = take
        self._secret = secret
        self._now = now
        self._known: dict[str, _Known] = {}

    async def run(self) -> None:
        """Ask until cancelled; return at once where there is no place to ask."""
        async with asyncio.TaskGroup() as group:
            for place in self._places:
                group.create_task(self._again_and_again(place), name=f"ask {place.pull.name}")

    async def _again_and_again(self, place: Place) -> None:
        while True:
            await self.ask(place)
            await asyncio.sleep(place.pull.every)

    async def ask(self, place: Place) -> None:
        """Ask once. What goes wrong is logged, once while it lasts, and ends no alert."""
        context = place.context()
        known = await self._recall(place, context)
        try:
            seen = await place.pull.look(context, self._secret)
            await self._hand_in(seen, known, round(place.pull.gone_after * 1000))
        except (SysopError, OSError, ValueError) as bad:
            if known.well:
                log.warning("%s cannot be asked for alerts: %s", place.pull.name, bad)
            known.well = False
        except Exception:  # plugin code: the other places are asked all the same, and this one again
            log.exception("the plugin %s failed to ask %s for alerts", context.name, place.pull.name)
            known.well = False
        else:
            if not known.well:
                log.info("%s answers again", place.pull.name)
            known.well = True

    async def _recall(self, place: Place, context: PluginContext) -> _Known:
        name = f"{context.name} {place.pull.name}"
        if name not in self._known:
            file = context.state / f"pulled-{hashlib.sha256(place.pull.name.encode()).hexdigest()[:16]}.json"
            self._known[name] = _Known(file, *await asyncio.to_thread(_load, file))
        return self._known[name]

    async def _hand_in(self, seen: Pulled, known: _Known, gone_after_ms: int) -> None:
        now = self._now()
        firing = {key: _begun(alert, key, known, now) for alert in seen.firing for key in [_key(alert)]}
        present = {key for key in known.alerts if key in firing or key[1:] in seen.hushed}
        known.missing = {key: known.missing.get(key, now) for key in known.alerts if key not in present}
        ended = {key: at for key, at in known.missing.items() if at < now and at + gone_after_ms <= now}
        news = [alert for key, alert in firing.items() if key not in known.alerts]
        over = [_ended(known.alerts[key], at) for key, at in ended.items()]
        if news or over:
            await self._take([*news, *over])  # before it is written down: a crash in between says it twice
            left = {key: alert for key, alert in known.alerts.items() if key not in ended}
            past = {key: at for key, at in known.over.items() if key not in firing and now - at < KEPT_MS}
            known.alerts, known.over = left | firing, past | ended
            await asyncio.to_thread(_save, known.file, dict(known.alerts), dict(known.over))


def _begun(alert: Alert, key: Key, known: _Known, now: int) -> Alert:
    """Return the alert with the start that it was handed in with, or now is where it was taken for ended."""
    if key in known.alerts:
        return replace(alert, starts_at=known.alerts[key].starts_at)
    return replace(alert, starts_at=max(now, alert.starts_at + 1)) if key in known.over else alert


def _ended(alert: Alert, at: int) -> Alert:
    return replace(alert, ends_at=max(at, alert.starts_at))


def _key(alert: Alert) -> Key:
    return alert.source, alert.fingerprint, alert.starts_at


def _load(file: Path) -> tuple[dict[Key, Alert], dict[Key, int]]:
    """Return what was named before a restart, and what was over; nothing where it cannot be read, which is logged."""
    try:
        rows = [(_key_of(one), one) for one in json.loads(file.read_text())]
        alerts = {key: _alert(one) for key, one in rows if "over" not in one}
        return alerts, {key: int(one["over"]) for key, one in rows if "over" in one}
    except FileNotFoundError:
        return {}, {}
    except (OSError, ValueError, KeyError, TypeError) as bad:
        log.warning("%s cannot be read, so what ended meanwhile stays open: %s", file, bad)
        return {}, {}


def _key_of(one: Mapping[str, Any]) -> Key:
    return str(one["source"]), str(one["fingerprint"]), int(one["starts_at"])


def _alert(one: Mapping[str, Any]) -> Alert:
    source, fingerprint, starts_at = _key_of(one)
    return Alert(source, fingerprint, int(one.get("begun", starts_at)), None, dict(one["labels"]), {})


def _save(file: Path, alerts: Mapping[Key, Alert], over: Mapping[Key, int]) -> None:
    """Write what must be known to end alerts: neither their notes nor anything that looks like a credential."""
    kept = [
        _row(key) | {"begun": alert.starts_at, "labels": redact_value(dict(alert.labels))}
        for key, alert in alerts.items()
    ]
    past = [_row(key) | {"over": at} for key, at in over.items()]
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps([*kept, *past]))
    os.replace(draft, file)


def _row(key: Key) -> dict[str, Any]:
    return dict(zip(("source", "fingerprint", "starts_at"), key, strict=True))
