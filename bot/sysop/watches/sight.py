"""Whether a watch can look: its source or its files are tried, and nothing is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sysop.errors import CallError, SettingsError
from sysop.sections import LogWatchSettings, MetricWatchSettings, WatchSettings
from sysop.watches.logs import state
from sysop.watches.logs.follow import MAX_FILES, files_of
from sysop.watches.logs.tail import Tail
from sysop.watches.reading import Read, read_series, slot_of
from sysop.watches.sources import Sources
from sysop.watches.watches import state_file

ANSWER_S = 5.0
"""A source that has not answered by then is said to be slow; the watch itself waits longer."""


_NOTHING = "try the query in Prometheus; where samples arrive late, set delay_seconds"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a watch sees now. `ok` is False where it cannot look, and None where there is nothing to look at yet."""

    name: str
    ok: bool | None
    words: str
    fix: str = ""


async def sights(settings: WatchSettings, sources: Sources, folder: Path, now: float) -> list[Sight]:
    """Try every watch from here, all at once, in the order of the settings; `folder` is the state folder."""
    metrics = [of_metric(one, partial(sources.ask, one.source), now) for one in settings.metrics]
    logs = [asyncio.to_thread(of_log, one, state_file(folder, one)) for one in settings.logs]
    return list(await asyncio.gather(*metrics, *logs))


async def of_metric(watch: MetricWatchSettings, read: Read, now: float) -> Sight:
    """Ask a watch's query once."""
    slot = slot_of(watch, now)
    fix = f"correct watches.metrics: {watch.name}, or look at what {watch.source} talks to"
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await read_series(watch, read, slot, slot, slot + 1)
    except TimeoutError:
        return Sight(watch.name, False, f"no answer within {ANSWER_S:g} s", fix)
    except (CallError, SettingsError) as bad:
        return Sight(watch.name, False, str(bad), fix)
    if not found:
        return Sight(watch.name, None, "its query gives no series now", _NOTHING)
    return Sight(watch.name, True, "1 series" if len(found) == 1 else f"{len(found)} series")


def of_log(watch: LogWatchSettings, file: Path) -> Sight:
    """Open a watch's files once, and read from its state file how far it has come on this machine."""
    paths = files_of(watch.files)
    if not paths:
        fix = f"correct watches.logs: {watch.name}: files, if they should be on this machine"
        return Sight(watch.name, None, f"no file fits {', '.join(watch.files)}", fix)
    if problems := _unreadable(paths[:MAX_FILES]):
        more = f", and {len(problems) - 1} more files" if len(problems) > 1 else ""
        return Sight(watch.name, False, f"{problems[0]}{more}", "let the user that runs Sysop read them")
    if len(paths) > MAX_FILES:
        return Sight(watch.name, None, f"{len(paths)} files, and only {MAX_FILES} are followed", "narrow the patterns")
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    return Sight(watch.name, True, f"{files}; {_progress(watch, file)}")


def _unreadable(paths: Sequence[str]) -> list[str]:
    problems = []
    for path in paths:
        try:
            Tail(Path(path)).close()
        except OSError as bad:
            problems.append(f"{path} cannot be followed: {bad.strerror}")
    return problems


def _progress(watch: LogWatchSettings, file: Path) -> str:
    kept = state.load(file, watch.max_templates)
    if kept is None:
        return "nothing counted here yet"
    if kept.rates.window < watch.learn_windows:
        return f"learns, {kept.rates.window} of {watch.learn_windows} windows"
    return "1 kind of line known" if len(kept.miner) == 1 else f"{len(kept.miner)} kinds of lines known"
